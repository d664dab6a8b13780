"""Turns a network with conditionings into a `Denoiser`: weighted conditions, classifier-free guidance, masks.

Ho and Salimans 2022, "Classifier-Free Diffusion Guidance". Knows no sampler.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Call
from nodes.diffusion.patches.gligen import grounded
from nodes.diffusion.sampling.control import shared
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.regions import Region, lay_out, regions_at
from nodes.diffusion.sampling.samplers.contract import Denoiser
from nodes.diffusion.sampling.steering import Ask, Guided, perpendicular, steer
from nodes.diffusion.sampling.telling import Telling, ask_network
from nodes.diffusion.values import Conditioning, Model, Told

MOST_REPEATS = 4
"""How often the longest text of a batch may be repeated so that all become equally long."""

_TINY = 1e-37
"""Keeps the mean of no conditions at 0."""


class Guider(Protocol):
    """A model with what steers it: becomes a denoiser once the latent is known."""

    @property
    def model(self) -> Model:
        """The model that predicts."""
        ...

    def denoiser(self, latent: Tensor) -> Denoiser:
        """The guided model for latents of the shape of (N, channels, h, w) `latent`. The model must be resident."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CfgGuider:
    """denoised = negative + cfg (positive - negative). Without any negative, cfg must be 1."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    cfg: float

    def denoiser(self, latent: Tensor) -> Denoiser:
        """See `Guider`."""
        return _CfgModel(Predictions(self.model, (self.positive, self.negative), latent), self)


@dataclass(frozen=True, slots=True, eq=False)
class DualCfgGuider:
    """Two conditionings with a scale each (Brooks et al. 2023, "InstructPix2Pix", equation 3).

    denoised = negative + cfg_second (second - negative) + cfg_first (first - second), or nested:
    negative + cfg_second (second + cfg_first (first - second) - negative).
    """

    model: Model
    first: Conditioning
    second: Conditioning
    negative: Conditioning
    cfg_first: float
    cfg_second: float
    nested: bool = False

    def denoiser(self, latent: Tensor) -> Denoiser:
        """See `Guider`."""
        return _DualCfgModel(Predictions(self.model, (self.first, self.second, self.negative), latent), self)


@dataclass(frozen=True, slots=True, eq=False)
class PerpNegGuider:
    """Away from what of the negative is no part of the positive (see `steering.perpendicular`)."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    cfg: float
    scale: float

    def denoiser(self, latent: Tensor) -> Denoiser:
        """See `Guider`."""
        return _PerpNegModel(Predictions(self.model, (self.positive, self.negative, self.empty), latent), self)


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One batch on its way through the network: B = regions x N rows, region by region."""

    x: Tensor
    """(B, channels, height, width), noisy"""
    sigma: Tensor
    """(B,)"""
    tokens: Tensor
    """(B, tokens, width)"""
    groups: tuple[int, ...]
    """For each region, the index of the conditioning that it belongs to."""
    told: Told = field(default_factory=Told)
    """What the network is told besides the tokens, with B rows everywhere."""
    alterations: tuple[Alteration, ...] = ()
    """What is done inside the network meanwhile."""
    run: dict[Any, Any] = field(default_factory=dict[Any, Any])
    """What alterations keep from step to step."""


Around = Callable[[Callable[[Pass], Tensor], Pass], Tensor]
"""Stands between a batch and the network: (what the network does, the batch) -> denoised (B, channels, h, w)."""


class Predictions:
    """What the network makes of a latent under several conditionings."""

    def __init__(
        self,
        model: Model,
        groups: Sequence[Conditioning],
        latent: Tensor,
        around: Around | None = None,
        run: dict[Any, Any] | None = None,
    ) -> None:
        """`model` must be resident while the object is used. `run`: what is kept from step to step, if the object does
        not live as long as the run. Raises ValueError if an area lies outside `latent`, or if a condition is for
        another model."""
        self.sampling = model.sampling
        self.run: dict[Any, Any] = {} if run is None else run
        self._model, self._latent = model, latent
        self._around = around
        groups = grounded(shared(groups))
        self._conditionings, self._size = groups, latent.shape[-2:]
        self._groups = lay_out(groups, latent, model.sampling)
        self._telling = Telling(model, groups, latent)
        self._others: dict[int, Predictions] = {}
        device, dtype = model.network.device, model.network.dtype
        self._tokens = {
            id(region.condition): region.condition.tokens.to(device, dtype)
            for group in self._groups
            for region in group
        }

    def __call__(
        self, x: Tensor, sigma: float, wanted: Sequence[int], alterations: tuple[Alteration, ...] = ()
    ) -> list[Tensor]:
        """Denoised latent for each of the groups in `wanted`: the mean of its conditions, weighted in every cell.

        Where no condition of a group counts, its denoised latent is 0. Conditions that look at cuts of one size go
        through the network in one batch. `alterations` act besides the model's own.
        """
        predict = partial(self._ask_about, x, sigma, wanted, alterations)
        every = (*self._model.alterations, *alterations)
        if every:
            call = call_of(self._model, every, x, sigma, tuple(wanted), self.run)
            for alteration in reversed(every):
                predict = partial(alteration.predicted, x, call, predict)
        return predict()

    def _ask_about(
        self, x: Tensor, sigma: float, wanted: Sequence[int], alterations: tuple[Alteration, ...]
    ) -> list[Tensor]:
        if x.shape[-2:] != self._size:  # a sampler that lets latents grow
            self._groups, self._size = lay_out(self._conditionings, x, self.sampling), x.shape[-2:]
        totals = {index: torch.zeros_like(x) for index in wanted}
        weights = {index: x.new_zeros(len(x), 1, *x.shape[-2:]) for index in wanted}
        batches: list[list[tuple[int, Region]]] = []
        for index in wanted:
            for region in regions_at(sigma, self._groups[index], x):
                found = next((batch for batch in batches if _goes_with(batch, region)), None)
                if found is None:
                    batches.append([(index, region)])
                else:
                    found.append((index, region))
        for batch in batches:
            for (index, region), denoised in zip(batch, self._denoise(x, sigma, batch, alterations), strict=True):
                region.box.cut(totals[index]).add_(denoised * region.weight)
                region.box.cut(weights[index]).add_(region.weight)
        return [totals[index] / weights[index].clamp(min=_TINY) for index in wanted]

    def asking(self, sigma: float) -> Ask:
        """Asks about one conditioning at a noise level: one of the groups, or another one."""

        def ask(which: int | Conditioning, x: Tensor, *alterations: Alteration) -> Tensor:
            if isinstance(which, int):
                return self(x, sigma, (which,), alterations)[0]
            return self._about(which)(x, sigma, (0,), alterations)[0]

        return ask

    def _about(self, conditioning: Conditioning) -> "Predictions":
        made = self._others.get(id(conditioning))
        if made is None:
            made = Predictions(self._model, (conditioning,), self._latent, self._around, self.run)
            self._others[id(conditioning)] = made
        return made

    def _denoise(
        self, x: Tensor, sigma: float, batch: Sequence[tuple[int, Region]], alterations: tuple[Alteration, ...]
    ) -> Tensor:
        """Denoised cut of the latent for each region: (regions, N, channels, height, width)."""
        cuts = torch.cat([region.box.cut(x) for _, region in batch])
        contexts = [self._tokens[id(region.condition)] for _, region in batch]
        levels = torch.full((len(cuts),), sigma, device=x.device)
        tokens = torch.cat([_for_each(context, len(x)) for context in _equally_long(contexts)])
        one = Pass(
            cuts,
            levels,
            tokens,
            tuple(index for index, _ in batch),
            self._telling.batch(batch, x, sigma),
            (*self._model.alterations, *alterations),
            self.run,
        )
        denoised = self._around(self._through, one) if self._around else self._through(one)
        return denoised.unflatten(0, (len(batch), len(x)))

    def _through(self, one: Pass) -> Tensor:
        return denoise(self._model, one)


def denoise(model: Model, one: Pass) -> Tensor:
    """The clean latents (B, channels, h, w) that a resident network sees in a batch."""
    network, sampling = model.network, model.sampling
    scaled = sampling.network_input(one.x, one.sigma).to(network.dtype)
    call = None
    if one.alterations:
        call = call_of(model, one.alterations, one.x, float(one.sigma[0]), one.groups, one.run)
    prediction = ask_network(network.module, scaled, sampling.timestep(one.sigma), one.tokens, one.told, call)
    return sampling.denoised(prediction.to(one.x.dtype), one.x, one.sigma)


def call_of(
    model: Model,
    alterations: tuple[Alteration, ...],
    x: Tensor,
    level: float,
    groups: tuple[int, ...],
    run: dict[Any, Any],
) -> Call:
    """What alterations are told of latents on their way through a model's network."""
    width: int = model.network.module.config.block_out_channels[0]
    return Call(alterations, level, model.sampling, groups, (x.shape[-2], x.shape[-1]), width, run)


def with_mask(guider: Guider, mask: Tensor) -> Guider:
    """The guider for latents that may change only where (N, 1, h, w) `mask` says; some networks want to know."""
    changed: Any = guider
    return replace(changed, model=replace(guider.model, mask=mask)) if guider.model.tell else guider


class _Steered:
    """What guided models share: the predictions, and the model's own steering."""

    def __init__(self, predictions: Predictions, model: Model) -> None:
        self._predictions, self._steering = predictions, model.steering

    @property
    def sampling(self) -> ModelSampling:
        return self._predictions.sampling

    def _guided(self, x: Tensor, sigma: float, positive: Tensor, negative: Tensor, cfg: float) -> Tensor:
        return steer(self._steering, self._step(x, sigma, positive, negative, cfg, positive))

    def _step(
        self, x: Tensor, sigma: float, positive: Tensor, negative: Tensor, cfg: float, denoised: Tensor
    ) -> Guided:
        asking = self._predictions.asking(sigma)
        return Guided(x, sigma, positive, negative, cfg, self.sampling, denoised, self._predictions.run, asking)


class _CfgModel(_Steered):
    def __init__(self, predictions: Predictions, guider: CfgGuider) -> None:
        super().__init__(predictions, guider.model)
        self._cfg, self._has_negative = guider.cfg, bool(guider.negative)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Guided denoised latent; at cfg 1 the negative has no say and is left out."""
        if self._cfg == 1 and not (self._steering.reads_negative and self._has_negative):
            positive = self._predictions(x, sigma, (0,))[0]
            return self._guided(x, sigma, positive, positive, 1.0) if self._steering.active else positive
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        positive, negative = self._predictions(x, sigma, (0, 1))
        return self._guided(x, sigma, positive, negative, self._cfg), negative


class _DualCfgModel(_Steered):
    def __init__(self, predictions: Predictions, guider: DualCfgGuider) -> None:
        super().__init__(predictions, guider.model)
        self._guider = guider

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        first, second, negative = self._predictions(x, sigma, (0, 1, 2))
        guider = self._guider
        if guider.nested:
            inner = self._guided(x, sigma, first, second, guider.cfg_first)
            return negative + guider.cfg_second * (inner - negative), negative
        inner = self._guided(x, sigma, second, negative, guider.cfg_second)
        return inner + guider.cfg_first * (first - second), negative


class _PerpNegModel(_Steered):
    def __init__(self, predictions: Predictions, guider: PerpNegGuider) -> None:
        super().__init__(predictions, guider.model)
        self._guider = guider

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        positive, negative, empty = self._predictions(x, sigma, (0, 1, 2))
        guided = perpendicular(positive, negative, empty, self._guider.cfg, self._guider.scale)
        step = self._step(x, sigma, positive, empty, self._guider.cfg, guided)
        for formula in self._steering.after:
            step = replace(step, denoised=formula(step))
        return step.denoised, empty


class MaskedModel:
    """A denoiser that may change only what the mask allows; the rest stays the given latent, noised to each level."""

    def __init__(
        self, inner: Denoiser, latent: Tensor, mask_at: Callable[[float], Tensor], noise: Callable[[], Tensor]
    ) -> None:
        """`mask_at` is 1 where the latent may change at a noise level; `noise` gives the noise of the rest."""
        self._inner, self._latent, self._mask_at, self._noise = inner, latent, mask_at, noise

    @property
    def sampling(self) -> ModelSampling:
        """The inner denoiser's."""
        return self._inner.sampling

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoised where the mask allows."""
        mask = self._mask_at(sigma)
        return self._kept(self._inner(self._held(x, sigma, mask), sigma), mask)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Guided and negative, denoised where the mask allows."""
        mask = self._mask_at(sigma)
        guided, negative = self._inner.pair(self._held(x, sigma, mask), sigma)
        return self._kept(guided, mask), self._kept(negative, mask)

    def _held(self, x: Tensor, sigma: float, mask: Tensor) -> Tensor:
        held = self.sampling.noised(sigma, self._noise(), self._latent)
        return x * mask + held * (1 - mask)

    def _kept(self, denoised: Tensor, mask: Tensor) -> Tensor:
        return denoised * mask + self._latent * (1 - mask)


def _goes_with(batch: Sequence[tuple[int, Region]], region: Region) -> bool:
    """Whether a region is of the size of a batch's, and no text must be repeated all too often to be as long."""
    first = batch[0][1].box
    if (first.height, first.width) != (region.box.height, region.box.width):
        return False
    lengths = [one.condition.tokens.shape[1] for one in (*(one for _, one in batch), region)]
    return math.lcm(*lengths) <= MOST_REPEATS * max(lengths)


def _equally_long(contexts: Sequence[Tensor]) -> list[Tensor]:
    """Attention averages over tokens, so a context may be repeated whole to match a longer one."""
    length = math.lcm(*(context.shape[1] for context in contexts))
    return [context.repeat(1, length // context.shape[1], 1) for context in contexts]


def _for_each(context: Tensor, count: int) -> Tensor:
    """One row for each latent; a batch of texts is repeated over a larger batch of latents."""
    return context.repeat(math.ceil(count / len(context)), 1, 1)[:count]
