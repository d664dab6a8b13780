"""Samplers as objects that packs make, pass on and subclass. Knows no guider and no schedule."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

from torch import Tensor

from comfy.denoisers import MaskedModelK, PackDenoiser, PackNoise
from nodes.diffusion.sampling.noise import CPU, ON_CPU, NoisePlaces, SeededNoise
from nodes.diffusion.sampling.samplers.contract import NoiseSource, SamplerChoice
from nodes.diffusion.sampling.samplers.contract import Sampler as Solver
from nodes.packs.bridge.missing import refuse

_HARMLESS = {"eta": 1.0, "s_churn": 0.0, "s_tmin": 0.0, "s_tmax": float("inf"), "solver_type": "midpoint"}
"""Options that some samplers have, at values that change nothing."""


class Sampler:
    """Takes noise to a latent. Packs make subclasses with a `sample` of their own."""

    heddle_type = "SAMPLER"

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Any = None,
        denoise_mask: Any = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """Nothing here: a subclass knows how."""
        raise TypeError(f"{type(self).__name__} has no `sample` of its own.")

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """Whether a run begins at the largest trained level, with nothing but noise."""
        largest, first = float(model_wrap.inner_model.model_sampling.sigma_max), float(sigmas[0])
        return first > largest or abs(first - largest) <= 1e-5 * max(first, largest)


class KSAMPLER(Sampler):
    """A sampler made of a function (model, x, sigmas, extra_args, callback, disable, **options) -> x."""

    def __init__(
        self,
        sampler_function: Callable[..., Tensor],
        extra_options: dict[str, Any] | None = None,
        inpaint_options: dict[str, Any] | None = None,
    ) -> None:
        self.sampler_function = sampler_function
        self.extra_options = dict(extra_options or {})
        self.inpaint_options = dict(inpaint_options or {})
        self.origin: SamplerChoice | None = None
        self.cpu_noise = False

    @classmethod
    def of(cls, choice: SamplerChoice, cpu_noise: bool = False) -> "KSAMPLER":
        """For a sampler of ours. `cpu_noise`: whether all its noise is drawn on the CPU."""
        made = cls(function_of(choice, cpu_noise), inpaint_options={"random": True} if choice.renoises_masked else {})
        made.origin, made.cpu_noise = choice, cpu_noise
        return made

    def unchanged(self) -> bool:
        """Whether it still is what it was made of."""
        origin = self.origin
        if not isinstance(origin, SamplerChoice) or self.extra_options:
            return False
        same_options = bool(self.inpaint_options.get("random")) == origin.renoises_masked
        return same_options and getattr(self.sampler_function, "origin", None) is origin

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Any = None,
        denoise_mask: Any = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """Take scaled noise and latent along `sigmas` with a guider."""
        model_k = MaskedModelK(model_wrap, sigmas, latent_image, noise)
        if self.inpaint_options.get("random", False):
            model_k.renoise(int(extra_args.get("seed") or 0), CPU if self.cpu_noise else noise.device)
        sampling = model_wrap.inner_model.model_sampling
        x = sampling.noise_scaling(sigmas[0], noise, latent_image, self.max_denoise(model_wrap, sigmas))
        total = len(sigmas) - 1

        def k_callback(told: dict[str, Any]) -> None:
            if callback is not None:
                callback(told["i"], told["denoised"], told["x"], total)

        samples = self.sampler_function(
            model_k,
            x,
            sigmas,
            extra_args={**extra_args, "denoise_mask": denoise_mask},
            callback=k_callback,
            disable=disable_pbar,
            **self.extra_options,
        )
        return sampling.inverse_noise_scaling(sigmas[-1], samples)


def function_of(choice: SamplerChoice, cpu_noise: bool = False) -> Callable[..., Tensor]:
    """A sampler of ours as a function that packs can call."""

    def sampler_function(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any] | None = None,
        callback: Any = None,
        disable: bool | None = None,
        noise_sampler: Callable[[Any, Any], Tensor] | None = None,
        **options: Any,
    ) -> Tensor:
        told = extra_args or {}
        steps: list[float] = sigmas.tolist()
        watched = PackDenoiser(model, x, told)

        def report(step: int, denoised: Tensor) -> None:
            if callback is not None:
                level = sigmas[min(step, len(sigmas) - 1)]
                callback({"x": watched.x, "i": step, "sigma": level, "sigma_hat": level, "denoised": denoised})

        solver, scale = _with_options(choice.function, options)
        places = ON_CPU if cpu_noise else NoisePlaces(x.device, x.device if choice.noise_on_device else CPU)
        noise: NoiseSource = SeededNoise(x, steps, int(told.get("seed") or 0), places)
        if scale != 1 or noise_sampler is not None:
            noise = PackNoise(noise, noise_sampler, scale, watched, steps)
        return solver(watched, x, steps, noise, report)

    sampler_function.origin = choice  # type: ignore[attr-defined]
    return sampler_function


def _with_options(function: Any, options: Mapping[str, Any]) -> tuple[Solver, float]:
    """The sampler with those options that it takes, and by how much to scale its noise. Raises Unsupported."""
    taken = {name for name, one in signature(function).parameters.items() if one.kind is one.KEYWORD_ONLY}
    for name, value in options.items():
        if name not in taken and name != "s_noise" and value != _HARMLESS.get(name, _HARMLESS):
            raise refuse(f"The option '{name}' of the sampler '{getattr(function, '__name__', function)}' is")
    scale = 1.0 if "s_noise" in taken else float(options.get("s_noise", 1.0))
    given = {name: value for name, value in options.items() if name in taken}
    return (partial(function, **given) if given else function), scale
