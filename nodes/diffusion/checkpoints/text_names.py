"""Tensor names of CLIP text models in the layouts of files, for the parameters of transformers' CLIPTextModel.

OpenCLIP keeps query, key and value in one tensor, and its projections transposed; a `Take` says what to do about it.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from nodes.diffusion.families.clip import OPEN_PROJECTION, PROJECTION, Layout

_OPEN_ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_OPEN_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_THIRDS = ("q_proj", "k_proj", "v_proj")


class Take(NamedTuple):
    """Where a parameter is in a file, and in what form."""

    name: str
    third: int | None = None
    """Which part of the rows, where query, key and value are one tensor."""
    transposed: bool = False
    parts: int = 3
    """How many parts there are."""

    def shape(self, parameter: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that the file's tensor has for a parameter of this shape."""
        if self.third is not None:
            return (self.parts * parameter[0], *parameter[1:])
        return parameter[::-1] if self.transposed else parameter

    def of(self, tensor: Tensor) -> Tensor:
        """The parameter in the file's tensor, as a view."""
        if self.third is not None:
            return tensor.chunk(self.parts)[self.third]
        return tensor.T if self.transposed else tensor


def text_takes(parameters: Iterable[str], layout: Layout) -> dict[str, Take]:
    """CLIPTextModel parameter, or the projection behind it -> where a file of `layout` has it, without prefix."""
    if layout == "clip":
        return {name: Take(name.removeprefix("text_model.")) for name in parameters}
    return {name: _open_take(name) for name in parameters}


def _open_take(name: str) -> Take:
    if name == PROJECTION:
        return Take(OPEN_PROJECTION, transposed=True)
    if name in _OPEN_ENDS:
        return Take(_OPEN_ENDS[name])
    return open_layer(name)


def open_layer(name: str) -> Take:
    """Where OpenCLIP's layout, of text and of vision models, has a parameter of a layer. KeyError for any other."""
    match = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    if match is None:
        raise KeyError(f"'{name}' has no place in OpenCLIP's layout.")
    layer, part, leaf = match.groups()
    row = f"transformer.resblocks.{layer}"
    if part.startswith("self_attn.") and part.removeprefix("self_attn.") in _THIRDS:
        return Take(f"{row}.attn.in_proj_{leaf}", third=_THIRDS.index(part.removeprefix("self_attn.")))
    return Take(f"{row}.{_OPEN_LAYER[part]}.{leaf}")
