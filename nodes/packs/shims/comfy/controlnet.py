"""ControlNets by name. None can be loaded or sampled with yet; classes of packs may still derive from these."""

from enum import Enum
from typing import Any

from torch import Tensor

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
    """A ControlNet. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("ControlNets are")


class ControlLora(ControlNet):
    """A ControlNet that changes weights of the model. Raises Unsupported."""


class T2IAdapter(ControlNet):
    """A T2I adapter. Raises Unsupported."""


def broadcast_image_to(tensor: Tensor, target_batch_size: int, batched_number: int) -> Tensor:
    """A batch of hints repeated over a batch of latents that holds several conditions."""
    import comfy.utils

    if tensor.shape[0] == 1:
        return tensor
    each = target_batch_size // batched_number
    tensor = comfy.utils.repeat_to_batch_size(tensor[:each], each)
    return tensor.repeat(batched_number, *(1,) * (tensor.ndim - 1))


def load_controlnet(ckpt_path: Any, model: Any = None, model_options: Any = None) -> ControlNet:
    """A ControlNet from a file. Raises Unsupported."""
    raise refuse("ControlNets are")


def load_controlnet_state_dict(state_dict: Any, model: Any = None, model_options: Any = None, **_: Any) -> ControlNet:
    """A ControlNet from memory. Raises Unsupported."""
    raise refuse("ControlNets are")


def load_t2i_adapter(t2i_data: Any, model_options: Any = None) -> T2IAdapter:
    """A T2I adapter from memory. Raises Unsupported."""
    raise refuse("T2I adapters are")
