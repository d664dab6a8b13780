"""Layers whose weights stay in a smaller type than they compute in: fp8 storage, widened at every use.

Half the memory of half precision for a few percent of the time. Knows no network, only its linear and convolution
layers; norms, biases and embeddings are never stored so.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

FP8 = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})
SCALE = "weight_scale"
"""Name of the factor that a stored weight is to be multiplied by; a buffer of its layer."""


class StoredLinear(nn.Linear):
    """A linear layer that widens its weight to the input's type."""

    def forward(self, x: Tensor) -> Tensor:
        """See `nn.Linear`."""
        return nn.functional.linear(x, _wide(self, x), self.bias)


class StoredConv2d(nn.Conv2d):
    """A convolution that widens its weight to the input's type."""

    def forward(self, x: Tensor) -> Tensor:
        """See `nn.Conv2d`."""
        return self._conv_forward(x, _wide(self, x), self.bias)


def storable(module: nn.Module) -> dict[str, nn.Module]:
    """Name of each weight that may stay in a smaller type -> its layer."""
    return {f"{name}.weight": layer for name, layer in module.named_modules() if type(layer) in _STORED}


def keep_stored(module: nn.Module, names: Iterable[str], scaled: Iterable[str]) -> None:
    """Make the layers of these weights widen them at every use; those in `scaled` get a factor beside the weight."""
    layers = storable(module)
    for name in names:
        layers[name].__class__ = _STORED[type(layers[name])]
    for name in scaled:
        layers[name].register_buffer(SCALE, torch.empty((), device="meta"))


_STORED: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: StoredLinear, nn.Conv2d: StoredConv2d}


def _wide(layer: nn.Module, x: Tensor) -> Tensor:
    weight: Tensor = layer.get_parameter("weight").to(x.dtype)
    scale = getattr(layer, SCALE, None)
    return weight if scale is None else weight * scale
