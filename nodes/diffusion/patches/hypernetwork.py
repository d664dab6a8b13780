"""Hypernetworks: small networks change what keys and values of attention are made of. Reads no file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from nodes.diffusion.patches.contract import Alteration, Attending, Call

Pair = tuple[nn.Sequential, nn.Sequential]
"""What changes the tokens that keys are made of, and those that values are made of."""


@dataclass(frozen=True, slots=True, eq=False)
class HypernetworkAttention(Alteration):
    """context + strength * network(context), with networks of its own for keys and for values.

    Attention whose context has a width that the file has no networks for stays as it is.
    """

    pairs: Mapping[int, Pair]
    """By the width of the context."""
    strength: float

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """See the class."""
        width = what.context.shape[-1]
        if width not in self.pairs:
            return inner(what)
        weights = call.run.setdefault(self, {})
        if width not in weights:
            weights[width] = [
                {name: one.to(what.context.device, what.context.dtype) for name, one in network.state_dict().items()}
                for network in self.pairs[width]
            ]
        keys, values = (
            tokens + self.strength * functional_call(network, given, (tokens,))
            for tokens, network, given in zip(
                (what.context, what.value), self.pairs[width], weights[width], strict=True
            )
        )
        return inner(replace(what, context=keys, value=values))


def context_widths(network: Any) -> set[int]:
    """Widths of what the attentions of diffusers' UNet attend to; empty for networks of another kind."""
    if not hasattr(network, "down_blocks"):
        return set()
    return {layer.to_k.in_features for layer in network.modules() if hasattr(layer, "to_k")}
