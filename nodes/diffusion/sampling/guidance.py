"""Turns a network with conditionings into a `Denoiser`: classifier-free guidance, and masks.

Ho and Salimans 2022, "Classifier-Free Diffusion Guidance". Knows no sampler.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.samplers.contract import Denoiser
from nodes.diffusion.values import Conditioning, Model


class GuidedModel:
    """denoised = negative + cfg (positive - negative). All conditions go through the network in one batch."""

    def __init__(self, model: Model, positive: Conditioning, negative: Conditioning, cfg: float) -> None:
        """`model` must be resident while the object is used."""
        network = model.network
        self._model, self._cfg = model, cfg
        self._positive = [condition.tokens.to(network.device, network.dtype) for condition in positive]
        self._negative = [condition.tokens.to(network.device, network.dtype) for condition in negative]

    @property
    def sampling(self) -> ModelSampling:
        """The model's."""
        return self._model.sampling

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Guided denoised latent; at cfg 1 the negative has no say and is left out."""
        if self._cfg == 1:
            return self._denoise(x, sigma, self._positive).mean(0)
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Guided and negative denoised latent."""
        both = self._denoise(x, sigma, [*self._positive, *self._negative])
        positive, negative = both[: len(self._positive)].mean(0), both[len(self._positive) :].mean(0)
        return negative + self._cfg * (positive - negative), negative

    def _denoise(self, x: Tensor, sigma: float, contexts: Sequence[Tensor]) -> Tensor:
        """Denoised latent under each context: (contexts, N, channels, height, width)."""
        network, sampling = self._model.network, self.sampling
        batch = x.repeat(len(contexts), 1, 1, 1)
        levels = torch.full((len(batch),), sigma, device=x.device)
        prediction = network.module(
            sampling.network_input(batch, levels).to(network.dtype),
            sampling.timestep(levels),
            encoder_hidden_states=torch.cat([_for_each(context, len(x)) for context in _equally_long(contexts)]),
            return_dict=False,
        )[0]
        return sampling.denoised(prediction.to(x.dtype), batch, levels).unflatten(0, (len(contexts), len(x)))


class MaskedModel:
    """A denoiser that may change only what the mask allows; the rest stays the given latent, noised to each level."""

    def __init__(self, inner: Denoiser, latent: Tensor, mask: Tensor, noise: Callable[[], Tensor]) -> None:
        """`mask` is 1 where the latent may change; `noise` gives the noise that the rest carries."""
        self._inner, self._latent, self._mask, self._noise = inner, latent, mask, noise

    @property
    def sampling(self) -> ModelSampling:
        """The inner denoiser's."""
        return self._inner.sampling

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoised where the mask allows."""
        return self._kept(self._inner(self._held(x, sigma), sigma))

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Guided and negative, denoised where the mask allows."""
        guided, negative = self._inner.pair(self._held(x, sigma), sigma)
        return self._kept(guided), self._kept(negative)

    def _held(self, x: Tensor, sigma: float) -> Tensor:
        held = self.sampling.noised(sigma, self._noise(), self._latent)
        return x * self._mask + held * (1 - self._mask)

    def _kept(self, denoised: Tensor) -> Tensor:
        return denoised * self._mask + self._latent * (1 - self._mask)


def fit_mask(mask: Tensor, latent: Tensor) -> Tensor:
    """A (N or 1, H, W) mask as (N, 1, h, w) for `latent`, interpolated and repeated as needed."""
    mask = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    mask = torch.nn.functional.interpolate(mask, size=latent.shape[-2:], mode="bilinear")
    repeats = math.ceil(len(latent) / len(mask))
    return mask.repeat(repeats, 1, 1, 1)[: len(latent)].to(latent)


def _equally_long(contexts: Sequence[Tensor]) -> list[Tensor]:
    """Attention averages over tokens, so a context may be repeated whole to match a longer one."""
    length = math.lcm(*(context.shape[1] for context in contexts))
    return [context.repeat(1, length // context.shape[1], 1) for context in contexts]


def _for_each(context: Tensor, count: int) -> Tensor:
    """One row for each latent; a batch of texts is repeated over a larger batch of latents."""
    return context.repeat(math.ceil(count / len(context)), 1, 1)[:count]
