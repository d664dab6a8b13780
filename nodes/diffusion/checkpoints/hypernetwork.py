"""Files of hypernetworks -> their networks by width. Their dropout is for training and is not here.

A file is a pickle: under each width of a context two state dicts, for keys and for values, of `linear.N.weight` and
`.bias` in their order; vectors among the weights are those of layer norms. Beside them stand `activation_func`, which
comes after every linear layer, and `activate_output`, whether also after the last; without it, it does.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.pickled import read_pickled_data
from nodes.diffusion.patches.hypernetwork import Pair

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU, "elu": nn.ELU, "swish": nn.Hardswish, "hardswish": nn.Hardswish,
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish, "selu": nn.SELU,
    "celu": nn.CELU, "relu6": nn.ReLU6, "softplus": nn.Softplus, "softsign": nn.Softsign, "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid, "logsigmoid": nn.LogSigmoid, "softshrink": nn.Softshrink,
    "hardshrink": nn.Hardshrink, "tanhshrink": nn.Tanhshrink,
}  # fmt: skip
_OLD_NAMES = {"linear1": "linear.0", "linear2": "linear.1"}


def open_hypernetwork(path: Path) -> Mapping[int, Pair]:
    """Networks by the width of the context. Raises CheckpointError with a sentence for the user."""
    content = read_pickled_data(path)
    layers = {key: value for key, value in content.items() if isinstance(key, int)} if _is_mapping(content) else {}
    if not layers:
        raise CheckpointError(f"{path.name} is no hypernetwork: it has no networks by width. Choose another file.")
    activation = _activation(content.get("activation_func"), path)
    build = partial(_network, activation=activation, at_end=bool(content.get("activate_output", True)))
    try:
        return {width: (build(width, keys), build(width, values)) for width, (keys, values) in layers.items()}
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{path.name} is no hypernetwork that can be read: its layers do not fit each other. "
            "Download or copy it again."
        ) from error


def _is_mapping(content: Any) -> bool:
    return isinstance(content, Mapping)


def _activation(name: Any, path: Path) -> Callable[[], nn.Module] | None:
    if name is None or name == "linear":
        return None
    if not isinstance(name, str) or name.lower() not in _ACTIVATIONS:
        raise CheckpointError(f"{path.name} wants the activation '{name}', which is unknown. Choose another file.")
    return _ACTIVATIONS[name.lower()]


def _network(
    width: int, weights: Mapping[str, Tensor], *, activation: Callable[[], nn.Module] | None, at_end: bool
) -> nn.Sequential:
    """Raises one of the errors of broken data if the layers do not lead from `width` to `width`."""
    by_place: dict[int, dict[str, Tensor]] = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        place = int(_OLD_NAMES.get(layer, layer).removeprefix("linear."))
        by_place.setdefault(place, {})[kind] = value.detach().float()
    parts = [by_place[place] for place in sorted(by_place)]
    last = max(index for index, part in enumerate(parts) if part["weight"].ndim > 1)
    modules: list[nn.Module] = []
    for index, part in enumerate(parts):
        modules.append(_layer(part))
        if part["weight"].ndim > 1 and activation is not None and (at_end or index != last):
            modules.append(activation())
    ends = parts[0]["weight"].shape[-1], len(parts[last]["weight"])
    if ends != (width, width):
        raise ValueError(f"layers lead from {ends[0]} to {ends[1]}, not from and to {width}")
    return nn.Sequential(*modules).eval().requires_grad_(False)


def _layer(part: Mapping[str, Tensor]) -> nn.Module:
    shape = part["weight"].shape
    layer = nn.Linear(shape[1], shape[0]) if len(shape) > 1 else nn.LayerNorm(shape[0])
    layer.load_state_dict(part)
    return layer
