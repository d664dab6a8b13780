"""Alterations that let a network rest in some steps and use what it said before: EasyCache, LazyCache, DeepCache.

What they remember lies in `Call.run` and ends with the run. Every batch that differs in what it asks is remembered by
itself, so that a second look of a guidance takes nothing from the first.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Call, Place

_log = logging.getLogger(__name__)
_TINY = 1e-12


@dataclass(slots=True, eq=False)
class Memory:
    """What is known of one kind of batch."""

    x: Tensor
    answers: list[Tensor]
    """What was given last, computed or not."""
    offsets: list[Tensor]
    """By how much the last computed answers differ from their input."""
    rate: float | None = None
    """How much the answer changed for each change of the input, when two in a row were computed last."""
    error: float = 0.0
    """The relative changes of all answers since the last computed one, as they are expected."""
    computed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Rests(Alteration):
    threshold: float
    """How large the expected change may become before the network is asked again; 0 never lets it rest."""
    start: float
    end: float
    verbose: bool

    def _answers(self, x: Tensor, call: Call, compute: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Zhou et al. 2025, "Less is Enough: Training-Free Video Diffusion Acceleration via Runtime-Adaptive Caching"
        (EasyCache), equations 4 to 8.

        The network's rate of change k = |v_i - v_(i-1)| / |x_i - x_(i-1)| stays nearly constant. So the relative change
        of the next answer is about k |x - x_last| / |v_last|; while its sum is below the threshold, the answer is x
        plus what the last computed one differed by.
        """
        key = (self, call.groups, _kinds(call), x.shape)
        known: Memory | None = call.run.get(key)
        if known is not None and known.rate is not None and call.within(self.start, self.end):
            change = known.rate * _size(x - known.x) / max(_size(known.answers[0]), _TINY)
            if known.error + change < self.threshold:
                known.error += change
                known.x, known.answers = x, [x + offset for offset in known.offsets]
                known.computed = False
                if self.verbose:
                    _log.info("%s: the network rested at level %.4g", type(self).__name__, call.level)
                return list(known.answers)
        answers = compute()
        rate = None if known is None else known.rate
        if known is not None and known.computed:
            rate = _size(answers[0] - known.answers[0]) / max(_size(x - known.x), _TINY)
        call.run[key] = Memory(x, answers, [one - x for one in answers], rate)
        return list(answers)


@dataclass(frozen=True, slots=True, eq=False)
class EasyCache(_Rests):
    """Judges by what goes into the network and what comes out of it, batch by batch."""

    def around(self, x: Tensor, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        """The network's, or the one before moved along."""

        def compute() -> list[Tensor]:
            return [inner(x)]

        return self._answers(x, call, compute)[0]


@dataclass(frozen=True, slots=True, eq=False)
class LazyCache(_Rests):
    """Judges by the noisy latents and what they are denoised to, whatever the model is."""

    def predicted(self, x: Tensor, call: Call, inner: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Those of all conditionings rest together, judged by the first."""
        return self._answers(x, call, inner)


@dataclass(frozen=True, slots=True, eq=False)
class DeepCache(Alteration):
    """Ma et al. 2024, "DeepCache: Accelerating Diffusion Models for Free", section 3.2: what comes back from below an
    input block changes little, and is computed only in every `interval`-th step."""

    interval: int
    block: int
    start: float
    end: float

    def below(self, h: Tensor, place: Place, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        """The deep features of this step, or of the last one that computed them."""
        if place.number != self.block:
            return inner(h)
        key = (self, call.groups, _kinds(call), h.shape)
        level, count, known = call.run.get(key, (None, 0, None))
        if not call.within(self.start, self.end):
            known, count = None, 0
        elif level != call.level and known is not None:
            count += 1
        if known is None or count % self.interval == 0:
            known, count = inner(h), 0
        call.run[key] = call.level, count, known
        return known


def _kinds(call: Call) -> tuple[type[Alteration], ...]:
    """Types, because alterations that add something of one step are made anew for it."""
    return tuple(type(one) for one in call.alterations)


def _size(one: Tensor) -> float:
    value: Any = one.abs().mean()
    return float(value)
