"""The Perp-Neg guider as an object that packs make or subclass."""

from typing import Any

import comfy.samplers
from comfy.sampler_calls import after_guidance
from torch import Tensor

from comfy_extras.built_in import node_class
from nodes.diffusion.sampling.steering import perpendicular


class Guider_PerpNeg(comfy.samplers.CFGGuider):
    """Steers away only from what of the negative is no part of the positive."""

    def set_conds(self, positive: Any, negative: Any, empty_negative_prompt: Any) -> None:
        """Where to, where not, and what an empty text says."""
        conds = {"positive": positive, "negative": negative, "empty_negative_prompt": empty_negative_prompt}
        self.inner_set_conds(conds)

    def set_cfg(self, cfg: float, neg_scale: float) -> None:
        """How strongly to steer, and how much the negative counts."""
        self.cfg, self.neg_scale = cfg, neg_scale

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict[str, Any] | None = None, seed: int | None = None
    ) -> Tensor:
        """The guided clean latents."""
        options, model = model_options or {}, self.inner_model
        conds = [self.conds[name] for name in ("positive", "negative", "empty_negative_prompt")]
        positive, negative, empty = comfy.samplers.calc_cond_batch(model, conds, x, timestep, options)
        guided = perpendicular(positive, negative, empty, self.cfg, self.neg_scale)
        told = {
            "cond_scale": self.cfg,
            "sigma": timestep,
            "model_options": options,
            "cond": conds[0],
            "uncond": conds[2],
        }
        return after_guidance(model, guided, positive, empty, x, told)

    def _state(self) -> tuple[Any, ...]:
        return (*super()._state(), self.neg_scale)


def __getattr__(name: str) -> Any:
    """The nodes themselves."""
    return node_class(__name__, name)
