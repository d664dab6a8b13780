"""Text encoders whose attention is scaled. Nothing is computed before they become resident."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from nodes.diffusion.memory.network import Change
from nodes.diffusion.values import TextEncoder


@dataclass(frozen=True, slots=True)
class Multiplied:
    """A weight times a number, as a `Change`."""

    factor: float

    def __call__(self, weight: Tensor) -> Tensor:
        """The product."""
        return weight.mul_(self.factor)


def scale_attention(encoder: TextEncoder, factors: Mapping[str, float]) -> TextEncoder:
    """The text encoder with the layers of these names (q_proj, k_proj, v_proj, out_proj) of every attention scaled,
    weights and biases. It shares all weights that it does not change; a factor of 1 changes none."""
    models = []
    for one in encoder.models:
        changes: dict[str, list[Change]] = {}
        for name in one.network.weights:
            *_, owner, layer, _ = ("", "", *name.split("."))
            if owner == "self_attn" and (factor := factors.get(layer, 1.0)) != 1:
                changes[name] = [Multiplied(factor)]
        models.append(replace(one, network=one.network.changed(changes)))
    return replace(encoder, models=tuple(models))
