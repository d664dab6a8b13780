"""A model with what steers it, as an object that packs make, pass on and subclass. Knows no sampler."""

from typing import Any

import torch
from torch import Tensor

import comfy.model_management
import comfy.model_patcher
import comfy.patcher_extension as extension
import comfy.sampler_helpers
import comfy.samplers
from comfy.conds_of_packs import convert_cond
from comfy.worker_memory import memory


class CFGGuider:
    """A model with conditions. Packs make subclasses that predict, or sample, in another way."""

    heddle_type = "GUIDER"

    def __init__(self, model_patcher: Any) -> None:
        self.model_patcher = model_patcher
        self.model_options = model_patcher.model_options
        self.original_conds: dict[str, list[dict[str, Any]]] = {}
        self.conds: dict[str, list[dict[str, Any]]] = {}
        self.cfg = 1.0
        self.inner_model: Any = None
        self.loaded_models: list[Any] = []
        self._remembered: tuple[Any, ...] | None = None

    def set_conds(self, positive: Any, negative: Any) -> None:
        """What to steer towards, and away from."""
        self.inner_set_conds({"positive": positive, "negative": negative})

    def set_cfg(self, cfg: float) -> None:
        """How strongly to steer."""
        self.cfg = cfg

    def inner_set_conds(self, conds: dict[str, Any]) -> None:
        """Conditions under any names."""
        for name, cond in conds.items():
            self.original_conds[name] = convert_cond(cond)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """The guided clean latents: what samplers call."""
        wrappers = extension.get_all_wrappers(
            extension.WrappersMP.PREDICT_NOISE, self.model_options, is_model_options=True
        )
        executor = extension.WrapperExecutor.new_class_executor(self.predict_noise, self, wrappers)
        return executor.execute(*args, **kwargs)

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict[str, Any] | None = None, seed: int | None = None
    ) -> Tensor:
        """The guided clean latents for `x` at levels `timestep`."""
        # Looked up at every call, because packs put functions of their own in its place.
        return comfy.samplers.sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds.get("positive", []),
            self.cfg,
            model_options=model_options or {},
            seed=seed,
        )

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: torch.device,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None,
        callback: Any,
        disable_pbar: bool,
        seed: int | None,
    ) -> Tensor:
        """A run whose model is resident, on the device."""
        if bool(torch.count_nonzero(latent_image) > 0):
            latent_image = self.inner_model.process_latent_in(latent_image)
        self.inner_model.start = latent_image
        self.inner_model.mask = None if denoise_mask is None else denoise_mask[:, :1]
        self.conds = process_conds(self.inner_model, noise, self.conds, device, latent_image, denoise_mask, seed)
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        comfy.sampler_helpers.prepare_model_patcher(self.model_patcher, self.conds, options)
        extra_args = {"model_options": options, "seed": seed}
        wrappers = extension.get_all_wrappers(extension.WrappersMP.SAMPLER_SAMPLE, options, is_model_options=True)
        executor = extension.WrapperExecutor.new_class_executor(sampler.sample, sampler, wrappers)
        before, self.model_options = self.model_options, options
        try:
            samples = executor.execute(
                self, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar
            )
        finally:
            self.model_options = before
        return self.inner_model.process_latent_out(samples.to(torch.float32))

    def outer_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """A run: make the model resident, sample, let go."""
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        comfy.sampler_helpers.prepare_model_patcher(self.model_patcher, self.conds, options)
        with memory().resident(*self.model_patcher.networks()), torch.no_grad():
            self.inner_model, self.conds, self.loaded_models = comfy.sampler_helpers.prepare_sampling(
                self.model_patcher, noise.shape, self.conds, options
            )
            device = self.model_patcher.load_device
            if denoise_mask is not None:
                denoise_mask = comfy.sampler_helpers.prepare_mask(denoise_mask, noise.shape, device)
            self.inner_model.steered = {}
            self.model_patcher.inject_model()
            try:
                self.model_patcher.pre_run()
                samples = self.inner_sample(
                    noise.to(device, torch.float32),
                    latent_image.to(device, torch.float32),
                    device,
                    sampler,
                    sigmas.to(device),
                    denoise_mask,
                    callback,
                    disable_pbar,
                    seed,
                )
            finally:
                self.model_patcher.cleanup()
                self.model_patcher.eject_model()
                comfy.sampler_helpers.cleanup_models(self.conds, self.loaded_models)
                self.inner_model.start = self.inner_model.mask = None
                self.inner_model, self.loaded_models = None, []
        return samples.to(comfy.model_management.intermediate_device())

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Latents (N, channels, h, w), as the autoencoder sees them, at the last level."""
        if len(sigmas) < 2:
            return latent_image
        self.conds = {name: [dict(one) for one in cond] for name, cond in self.original_conds.items()}
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        comfy.sampler_helpers.prepare_model_patcher(self.model_patcher, self.conds, options)
        wrappers = extension.get_all_wrappers(extension.WrappersMP.OUTER_SAMPLE, options, is_model_options=True)
        executor = extension.WrapperExecutor.new_class_executor(self.outer_sample, self, wrappers)
        try:
            return executor.execute(noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed)
        finally:
            self.conds = {}

    def remember(self, guider: Any) -> None:
        """Stand for a guider of ours from now on, until something changes."""
        self._remembered = (guider, self._state())

    def remembered(self) -> Any:
        """The guider of ours, if nothing has changed."""
        if self._remembered is None:
            return None
        guider, state = self._remembered
        same = all(map(comfy.model_patcher.same, state, self._state()))
        return guider if same and self.model_patcher.to_value() is guider.model else None

    def _state(self) -> tuple[Any, ...]:
        """What makes it steer as it does."""
        conds = {
            name: [{key: value for key, value in one.items() if key not in ("uuid", "model_conds")} for one in cond]
            for name, cond in self.original_conds.items()
        }
        return (type(self), self.cfg, self.model_options is self.model_patcher.model_options, conds)


def process_conds(
    model: Any,
    noise: Tensor,
    conds: dict[str, Any],
    device: torch.device,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    seed: int | None = None,
    *_: Any,
    **__: Any,
) -> dict[str, Any]:
    """Conditions as they are: ours are laid out when they are predicted."""
    return {name: list(cond) for name, cond in conds.items()}
