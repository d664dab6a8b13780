"""The guided model as samplers call it: as packs' functions do (x, sigma tensor), and as ours do (x, sigma number)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import comfy.model_patcher
from nodes.diffusion.sampling.noise import generator_on
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.samplers.contract import NoiseSource
from nodes.packs.bridge import levels


class MaskedModelK:
    """A guider that may change only what the mask allows: what sampler functions get as `model`."""

    def __init__(self, inner_model: Any, sigmas: Tensor, latent_image: Tensor, noise: Tensor) -> None:
        self.inner_model = inner_model
        self.sigmas = sigmas
        self.latent_image = latent_image
        self.noise = noise
        self._generator: torch.Generator | None = None

    def renoise(self, seed: int, place: torch.device) -> None:
        """What is protected gets fresh noise at every call, drawn on the device `place`."""
        self._generator = generator_on(place, seed)

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        denoise_mask: Tensor | None = None,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
        **_: Any,
    ) -> Tensor:
        """The guided clean latents for `x` at levels (N,) `sigma`."""
        options = model_options or {}
        if denoise_mask is None:
            return self.inner_model(x, sigma, model_options=options, seed=seed)
        if "denoise_mask_function" in options:
            told = {"model": self.inner_model, "sigmas": self.sigmas}
            denoise_mask = options["denoise_mask_function"](sigma, denoise_mask, extra_options=told)
        elif self.inner_model.inner_model.value.mask_rule is not None:
            model = self.inner_model.inner_model
            level, schedule = float(sigma.reshape(-1)[0]), levels.as_library(model.model_sampling)
            denoise_mask = model.value.mask_rule(denoise_mask, level, self.sigmas.tolist(), schedule)
        if self._generator is not None:
            drawn = torch.randn(self.latent_image.shape, generator=self._generator, device=self._generator.device)
            self.noise = drawn.to(self.latent_image)
        held = self.inner_model.inner_model.model_sampling.noise_scaling(
            sigma.reshape(-1, *(1,) * (x.ndim - 1)), self.noise, self.latent_image
        )
        out = self.inner_model(x * denoise_mask + held * (1 - denoise_mask), sigma, model_options=options, seed=seed)
        return out * denoise_mask + self.latent_image * (1 - denoise_mask)


class PackDenoiser:
    """A pack's model function as a `Denoiser` of our samplers."""

    def __init__(self, model: Any, x: Tensor, extra_args: dict[str, Any]) -> None:
        self._model, self._extra = model, extra_args
        self.x = x
        """What the model was last asked about."""
        self.sigma = 0.0
        """And at which level."""

    @property
    def sampling(self) -> ModelSampling:
        """How the model's noise levels are to be read."""
        return levels.as_library(self._model.inner_model.inner_model.model_sampling)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guided clean latents."""
        self.x, self.sigma = x, sigma
        return self._model(x, x.new_full((len(x),), sigma), **self._extra)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided and the unconditional clean latents."""
        heard: list[Tensor] = []

        def listen(args: dict[str, Any]) -> Tensor:
            heard[:] = [args["uncond_denoised"]]
            denoised: Tensor = args["denoised"]
            return denoised

        options = comfy.model_patcher.create_model_options_clone(self._extra.get("model_options") or {})
        options = comfy.model_patcher.set_model_options_post_cfg_function(
            options, listen, disable_cfg1_optimization=True
        )
        self.x, self.sigma = x, sigma
        guided: Tensor = self._model(x, x.new_full((len(x),), sigma), **{**self._extra, "model_options": options})
        negative = heard[0] if heard else guided
        return guided, self._masked(negative)

    def _masked(self, negative: Tensor) -> Tensor:
        """What a mask protects is the same with and without guidance."""
        mask = self._extra.get("denoise_mask")
        if mask is None:
            return negative
        return negative * mask + self._model.latent_image * (1 - mask)


class PackNoise:
    """A `NoiseSource` whose noise a function of a pack draws, or that makes more or less of ours."""

    def __init__(
        self,
        ours: NoiseSource,
        draw: Callable[[Any, Any], Tensor] | None,
        scale: float,
        model: PackDenoiser,
        sigmas: Sequence[float],
    ) -> None:
        self._ours, self._draw, self._scale = ours, draw, scale
        self._model, self._sigmas = model, sigmas

    def normal(self, like: Tensor | None = None) -> Tensor:
        """Noise for the step from where the model was last asked."""
        if self._draw is None:
            return self._ours.normal(like) * self._scale
        here = self._model.sigma
        return self._drawn(self._draw, here, next((level for level in self._sigmas if level < here), 0.0))

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """Noise between two levels."""
        if self._draw is None:
            return self._ours.brownian(sigma, sigma_next) * self._scale
        return self._drawn(self._draw, sigma, sigma_next)

    def _drawn(self, draw: Callable[[Any, Any], Tensor], sigma: float, sigma_next: float) -> Tensor:
        x = self._model.x
        return draw(x.new_tensor(sigma), x.new_tensor(sigma_next)).to(x) * self._scale
