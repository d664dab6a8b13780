"""ControlNets as packs know them: objects with a picture, chained. Networks of packs' own are not sampled with."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion import values
from nodes.diffusion.checkpoints.control import control_net_of, open_control_net, open_difference
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.memory.network import Network
from nodes.packs.bridge.missing import refuse


class StrengthType(Enum):
    """How the strength of a ControlNet falls over its blocks."""

    CONSTANT = 1
    LINEAR_UP = 2


class ControlBase:
    """A hint with a strength and a range of time, and what came before it in a chain."""

    def __init__(self) -> None:
        self.cond_hint_original: Tensor | None = None
        self.cond_hint: Tensor | None = None
        self.strength = 1.0
        self.timestep_percent_range = (0.0, 1.0)
        self.timestep_range: tuple[float, float] | None = None
        self.vae: Any = None
        self.global_average_pooling = False
        self.compression_ratio = 8
        self.upscale_algorithm = "nearest-exact"
        self.extra_args: dict[str, Any] = {}
        self.previous_controlnet: ControlBase | None = None
        self.extra_conds: list[str] = []
        self.strength_type = StrengthType.CONSTANT
        self.extra_concat_orig: list[Any] = []

    def set_cond_hint(
        self,
        cond_hint: Tensor,
        strength: float = 1.0,
        timestep_percent_range: tuple[float, float] = (0.0, 1.0),
        vae: Any = None,
        extra_concat: Any = (),
    ) -> "ControlBase":
        """Follow a hint (N, channels, H, W)."""
        self.cond_hint_original, self.strength = cond_hint, strength
        self.timestep_percent_range, self.vae = timestep_percent_range, vae
        self.extra_concat_orig = list(extra_concat)
        return self

    def set_previous_controlnet(self, controlnet: Any) -> "ControlBase":
        """Follow another one too."""
        self.previous_controlnet = controlnet
        return self

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        """A run begins."""
        first, last = self.timestep_percent_range
        self.timestep_range = (percent_to_timestep_function(first), percent_to_timestep_function(last))
        if self.previous_controlnet is not None:
            self.previous_controlnet.pre_run(model, percent_to_timestep_function)

    def cleanup(self) -> None:
        """A run has ended."""
        if self.previous_controlnet is not None:
            self.previous_controlnet.cleanup()
        self.cond_hint, self.timestep_range = None, None

    def get_models(self) -> list[Any]:
        """Models that a run needs."""
        return [] if self.previous_controlnet is None else self.previous_controlnet.get_models()

    def inference_memory_requirements(self, dtype: Any) -> float:
        """Bytes that it takes."""
        return (
            0.0 if self.previous_controlnet is None else self.previous_controlnet.inference_memory_requirements(dtype)
        )

    def copy_to(self, c: Any) -> None:
        """Tell another one the same."""
        for name in (
            "cond_hint_original", "strength", "timestep_percent_range", "global_average_pooling", "compression_ratio",
            "upscale_algorithm", "extra_args", "vae", "extra_conds", "strength_type", "extra_concat_orig",
        ):  # fmt: skip
            setattr(c, name, getattr(self, name))


class ControlNet(ControlBase):
    """One of our control networks, with the picture that it is shown."""

    heddle_type = "CONTROL_NET"
    origin: values.ControlNet
    everywhere: bool
    """Whether it also steers what its condition is compared with."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("ControlNets that node packs build themselves are")

    @classmethod
    def of(cls, origin: values.ControlNet) -> "ControlNet":
        """A network that sees no picture yet."""
        kind = T2IAdapter if origin.kind == "adapter" else ControlNet
        made = kind.__new__(kind)
        ControlBase.__init__(made)
        made.origin, made.global_average_pooling = origin, origin.pooled
        made.everywhere = False
        return made

    def copy(self) -> "ControlNet":
        """Another one of the same network, which sees the same picture."""
        made = ControlNet.of(self.to_value())
        self.copy_to(made)
        made.everywhere = self.everywhere
        return made

    def set_extra_arg(self, argument: str, value: Any = None) -> None:
        """What else the network is told: `control_type`, of a union network."""
        self.extra_args[argument] = value

    def get_models(self) -> list[Any]:
        """What a run needs: it, and those before it."""
        return [*super().get_models(), self]

    def networks(self) -> list[Network]:
        """What must be resident."""
        return [self.origin.network]

    def to_value(self) -> values.ControlNet:
        """The network of ours."""
        types: tuple[int, ...] = tuple(self.extra_args.get("control_type", self.origin.types))
        if (types, self.global_average_pooling) == (self.origin.types, self.origin.pooled):
            return self.origin
        return replace(self.origin, types=types, pooled=self.global_average_pooling)

    def to_controls(self) -> tuple[values.Control, ...]:
        """The whole chain as what steers a condition of ours. Raises Unsupported for a link that is a pack's own."""
        before: Any = self.previous_controlnet
        if before is not None and not isinstance(before, ControlNet):
            raise refuse("ControlNets of node packs are")
        earlier = () if before is None else before.to_controls()
        if self.cond_hint_original is None:
            return earlier
        first, last = self.timestep_percent_range
        picture = self.cond_hint_original.movedim(1, -1).to("cpu", torch.float32)
        return (*earlier, values.Control(self.to_value(), picture, self.strength, first, last, self.everywhere))


class ControlLora(ControlNet):
    """A ControlNet that changes weights of the model. Raises Unsupported."""


class T2IAdapter(ControlNet):
    """A T2I adapter."""


def chain_of(controls: Sequence[values.Control]) -> ControlNet:
    """What steers a condition of ours, as packs know it: the last one, which knows those before it."""
    made: ControlNet | None = None
    for control in controls:
        link = ControlNet.of(control.net)
        link.set_cond_hint(control.picture.movedim(-1, 1), control.strength, (control.start, control.end))
        link.everywhere = control.everywhere
        if made is not None:
            link.set_previous_controlnet(made)
        made = link
    assert made is not None
    return made


def broadcast_image_to(tensor: Tensor, target_batch_size: int, batched_number: int) -> Tensor:
    """A batch of hints repeated over a batch of latents that holds several conditions."""
    import comfy.utils

    if tensor.shape[0] == 1:
        return tensor
    each = target_batch_size // batched_number
    tensor = comfy.utils.repeat_to_batch_size(tensor[:each], each)
    return tensor.repeat(batched_number, *(1,) * (tensor.ndim - 1))


def load_controlnet(ckpt_path: Any, model: Any = None, model_options: Any = None) -> ControlNet:
    """A ControlNet, or a T2I adapter, from a file; on top of a model if the file holds only the difference."""
    if model is None:
        return ControlNet.of(open_control_net(Path(ckpt_path)))
    return ControlNet.of(open_difference(Path(ckpt_path), model.to_value()))


def load_controlnet_state_dict(state_dict: Any, model: Any = None, model_options: Any = None, **_: Any) -> ControlNet:
    """A ControlNet from memory."""
    return ControlNet.of(control_net_of(held(Path("a state dict of a node pack"), state_dict)))


def load_t2i_adapter(t2i_data: Any, model_options: Any = None) -> ControlNet:
    """A T2I adapter from memory."""
    return load_controlnet_state_dict(t2i_data)
