"""Merging: a network whose weights are sums of those of two. Nothing is computed before it becomes resident."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from nodes.diffusion.memory.network import Change, Network
from nodes.diffusion.values import Model, TextEncoder

log = logging.getLogger(__name__)

_ENTRANCE = "conv_in.weight"
"""Inpainting models take more channels than others of their family."""


class Shares(NamedTuple):
    """How much of each network a weight is made of."""

    first: float
    second: float


ShareOf = Callable[[str], Shares]
"""Name of a weight -> its shares."""


@dataclass(frozen=True, slots=True, eq=False)
class Blended:
    """first W + second W', where W' is another network's, with all that changes it."""

    other: Network
    name: str
    shares: Shares

    def __call__(self, weight: Tensor) -> Tensor:
        """The sum, in float32."""
        if self.shares.first != 1:
            weight.mul_(self.shares.first)
        if self.shares.second == 0:
            return weight
        return weight.add_(self.other.value(self.name).to(weight), alpha=self.shares.second)


def merged_models(first: Model, second: Model, share_of: ShareOf) -> Model:
    """The first model with merged weights. Raises ValueError with a sentence if the two are of different families."""
    if first.family != second.family:
        raise ValueError(
            f"The two models are of different families ({first.family} and {second.family}). Merge models of one."
        )
    return replace(first, network=merged(first.network, second.network, share_of))


def merged_encoders(first: TextEncoder, second: TextEncoder, share_of: ShareOf) -> TextEncoder:
    """The first text encoder with merged weights. Raises ValueError as `merged_models` does."""
    roles = [[one.role for one in encoder.models] for encoder in (first, second)]
    if roles[0] != roles[1]:
        raise ValueError("The two text encoders are of different families. Merge text encoders of one.")
    pairs = zip(first.models, second.models, strict=True)
    models = tuple(replace(one, network=merged(one.network, other.network, share_of)) for one, other in pairs)
    return replace(first, models=models)


def merged(first: Network, second: Network, share_of: ShareOf) -> Network:
    """A variant of the first network. What both have in common stays shared, to the last bit."""
    changes: dict[str, list[Change]] = {}
    for name, weight in first.weights.items():
        shares = share_of(name)
        if shares == (1, 0) or (sum(shares) == 1 and _in_common(first, second, name)):
            continue
        other = second.weights.get(name)
        if other is None or other.shape != weight.shape:
            if name != _ENTRANCE:
                raise ValueError(
                    f"The weight '{name}' is {list(weight.shape)} in the first and "
                    f"{'missing' if other is None else list(other.shape)} in the second. Merge models of one size."
                )
            log.warning("%s is not merged, because it takes other channels in the second model.", name)
            continue
        changes[name] = [Blended(second, name, shares)]
    return first.changed(changes)


def _in_common(first: Network, second: Network, name: str) -> bool:
    same = second.weights.get(name) is first.weights[name]
    return same and not (first.changes.get(name) or second.changes.get(name))
