"""The parts of custom sampling as objects: noise and guiders that packs make or subclass."""

from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from comfy_extras.built_in import node_class
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.values import Latent
from nodes.packs.bridge import latents


class Noise_EmptyNoise:
    """No noise, for a latent that already carries some."""

    def __init__(self) -> None:
        self.seed = 0

    def generate_noise(self, input_latent: Any) -> Tensor:
        """Zeros of the shape of a latent dict's samples."""
        return torch.zeros(input_latent["samples"].shape)


class Noise_RandomNoise:
    """Noise that depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generate_noise(self, input_latent: Any) -> Tensor:
        """(N, channels, h, w) noise for a latent dict."""
        latent: Latent = latents.of_dict(input_latent)
        return Noise(self.seed).of(latent)


class Guider_Basic(comfy.samplers.CFGGuider):
    """Follows one conditioning."""

    def set_conds(self, positive: Any) -> None:
        """What to follow."""
        self.inner_set_conds({"positive": positive})


class Guider_DualCFG(comfy.samplers.CFGGuider):
    """Steers from a negative towards a middle conditioning, and from there towards a positive one."""

    def set_cfg(self, cfg1: float, cfg2: float, nested: bool = False) -> None:
        """How strongly to steer the second and the first part of the way."""
        self.cfg1, self.cfg2, self.nested = cfg1, cfg2, nested

    def set_conds(self, positive: Any, middle: Any, negative: Any) -> None:
        """Where to, by way of what, and where from."""
        self.inner_set_conds({"positive": positive, "middle": middle, "negative": negative})

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """The guided clean latents."""
        options = model_options or {}
        conds = [self.conds[name] for name in ("positive", "middle", "negative")]
        first, second, negative = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, options)
        told = {"model_options": options, "uncond": conds[2]}
        steered = self.cfg1 * (first - second)
        if self.nested:
            return comfy.samplers.cfg_function(
                self.inner_model, second + steered, negative, self.cfg2, x, timestep, cond=conds[0], **told
            )
        guided = comfy.samplers.cfg_function(
            self.inner_model, second, negative, self.cfg2, x, timestep, cond=conds[1], **told
        )
        return guided + steered

    def _state(self) -> tuple[Any, ...]:
        return (*super()._state(), self.cfg1, self.cfg2, self.nested)


def __getattr__(name: str) -> Any:
    """The nodes themselves."""
    return node_class(__name__, name)
