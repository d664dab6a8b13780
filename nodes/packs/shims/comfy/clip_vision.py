"""Vision encoders by name: ours as objects that packs call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from comfy.worker_memory import memory
from nodes.diffusion import values
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.checkpoints.vision import open_vision, vision_of
from nodes.diffusion.memory.network import Network
from nodes.diffusion.vision import MEAN, SPREAD, look, prepared
from nodes.packs.bridge.missing import refuse


class Output:
    """What a vision encoder says of a picture, by attribute or by key."""

    heddle_type = "CLIP_VISION_OUTPUT"
    image_embeds: Any = None
    last_hidden_state: Any = None
    penultimate_hidden_states: Any = None

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, item: Any) -> None:
        setattr(self, key, item)

    @classmethod
    def of(cls, said: values.VisionOutput) -> "Output":
        """What ours says."""
        made = cls()
        for name in _SAID:
            made[name] = getattr(said, name)
        made["origin"] = said
        return made

    def to_value(self) -> values.VisionOutput:
        """As our nodes know it."""
        origin = getattr(self, "origin", None)
        if isinstance(origin, values.VisionOutput) and all(self[name] is getattr(origin, name) for name in _SAID):
            return origin
        missing = [name for name in _SAID if self[name] is None]
        if missing:
            raise refuse(f"Vision outputs of node packs without {', '.join(missing)} are")
        return values.VisionOutput(*(self[name].float().cpu() for name in _SAID))


_SAID = ("image_embeds", "last_hidden_state", "penultimate_hidden_states")


def clip_preprocess(
    image: Tensor, size: int = 224, mean: Sequence[float] = MEAN, std: Sequence[float] = SPREAD, crop: bool = True
) -> Tensor:
    """(N, H, W, 3 or more) pictures in 0 to 1 as (N, 3, size, size), whitened."""
    return prepared(image, size, crop=crop, mean=mean, spread=std)


class ClipVisionModel:
    """A vision encoder."""

    heddle_type = "CLIP_VISION"
    origin: values.ClipVision

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Vision encoders that node packs build themselves are")

    @classmethod
    def of(cls, origin: values.ClipVision) -> "ClipVisionModel":
        """One of ours."""
        made = cls.__new__(cls)
        made.origin = origin
        return made

    def to_value(self) -> values.ClipVision:
        """The one of ours."""
        return self.origin

    def networks(self) -> list[Network]:
        """What must be resident."""
        return [self.origin.network]

    def encode_image(self, image: Tensor, crop: Any = True) -> Output:
        """Look at (N, H, W, 3) pictures in 0 to 1."""
        with memory().resident(self.origin.network):
            return Output.of(look(self.origin, image, crop=bool(crop) and crop != "none"))


def load(ckpt_path: Any) -> ClipVisionModel:
    """A vision encoder from a file."""
    return ClipVisionModel.of(open_vision(Path(ckpt_path)))


def load_clipvision_from_sd(sd: Any, prefix: str = "", convert_keys: bool = False) -> ClipVisionModel:
    """A vision encoder from memory, in any layout."""
    tensors = {name.removeprefix(prefix): value for name, value in sd.items() if name.startswith(prefix)}
    return ClipVisionModel.of(vision_of(held(Path("a state dict of a node pack"), tensors)))
