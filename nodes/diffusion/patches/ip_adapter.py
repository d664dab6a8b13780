"""IP-Adapter: the queries of every attention to the text also attend to tokens of a picture. Moves no network.

Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter", equation 5:
Z = Attention(Q, K, V) + weight Attention(Q, K', V').
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Attending, Call, Place
from nodes.diffusion.patches.walk import attention
from nodes.diffusion.values import IpAdapter, Model, VisionOutput

Pairs = tuple[tuple[Tensor, Tensor], ...]
"""For each attention to the text, in the order of the file: keys and values (1, tokens, width) of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureAttention(Alteration):
    """Attends to pictures, with the given weight, during a part of the sampling."""

    wanted: Pairs
    unwanted: Pairs
    """What conditionings see that are not wanted."""
    places: "Counts"
    weight: float
    start: float = 0.0
    end: float = 1.0
    keys_too: bool = False
    """Whether the weight also scales the keys, which sharpens or blurs where the picture counts."""
    mask: Tensor | None = None
    """(N or 1, 1, H, W) in 0 to 1: how much the picture counts in each place."""

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """See the module."""
        if not what.crossed or not call.within(self.start, self.end):
            return inner(what)

        def core(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
            keys, values = self._pair(what.place, q, call)
            if self.keys_too:
                keys = keys * self.weight
            added = attention(q, keys, values, heads) * self.weight
            if self.mask is not None:
                added = added * self._shares(what.size, added)
            return what.core(q, k, v, heads) + added

        return inner(replace(what, core=core))

    def _pair(self, place: Place, q: Tensor, call: Call) -> tuple[Tensor, Tensor]:
        """Keys and values for each row of the batch: those of the wanted picture for what is wanted."""
        index = self.places.index(place)
        kept = call.run.setdefault(self, {})
        if index not in kept:
            kept[index] = [one.to(q.device, q.dtype) for one in (*self.wanted[index], *self.unwanted[index])]
        keys, values, *others = kept[index]
        rows = call.rows(q, 0)[:, None, None]
        if keys.shape != others[0].shape:  # pictures beside each other are more tokens than one
            times = keys.shape[1] // others[0].shape[1]
            others = [one.repeat(1, times, 1) for one in others]
        return torch.where(rows, keys, others[0]), torch.where(rows, values, others[1])

    def _shares(self, size: tuple[int, int], like: Tensor) -> Tensor:
        """(B, cells, 1)"""
        assert self.mask is not None
        small = torch.nn.functional.interpolate(self.mask.to(like), size=size, mode="bilinear").flatten(1)
        return small.repeat(-(-len(like) // len(small)), 1)[: len(like), :, None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many transformers a UNet has on each part of the way: files count down, up, and then the middle."""

    down: int
    middle: int
    up: int

    def index(self, place: Place) -> int:
        """Where files have the transformer at a place."""
        match place.block:
            case "input":
                return place.passed
            case "middle":
                return place.passed + self.up
        return place.passed - self.middle


def counts_of(unet: Any) -> Counts:
    """Those of diffusers' UNet."""

    def inside(blocks: Any) -> int:
        return sum(len(one.transformer_blocks) for block in blocks for one in getattr(block, "attentions", None) or ())

    return Counts(inside(unet.down_blocks), inside([unet.mid_block]), inside(unet.up_blocks))


def check_fits(adapter: IpAdapter, model: Model) -> None:
    """Raise ValueError with a sentence if an adapter was made for another UNet."""
    unet = model.network.module
    counts = counts_of(unet)
    layers = counts.down + counts.middle + counts.up
    if len(adapter.widths) != layers or adapter.text_width != model.text_width:
        raise ValueError(
            f"{adapter.title} has {len(adapter.widths)} layers for texts of width {adapter.text_width}, and the model "
            f"({model.family}) has {layers} for {model.text_width}. Choose one for {model.family} in "
            "IPAdapterModelLoader."
        )


@torch.no_grad()
def pairs(adapter: IpAdapter, said: VisionOutput, *, averaged: bool = False) -> Pairs:
    """What a resident adapter makes of pictures: beside each other as more tokens, or `averaged`.

    Raises ValueError with a sentence if another vision model looked at them.
    """
    network, module = adapter.network, adapter.network.module
    seen = said.image_embeds if adapter.kind == "plain" else said.penultimate_hidden_states
    wanted = _entrance(adapter)
    if seen.shape[-1] != wanted:
        raise ValueError(
            f"{adapter.title} was made for a vision model of width {wanted}, and this one's is {seen.shape[-1]}. "
            f"Load {_VISION.get(wanted, 'the one that it was made with')} in CLIPVisionLoader."
        )
    if averaged:
        seen = seen.mean(dim=0, keepdim=True)
    tokens = module["projection"](seen.to(network.device, network.dtype)).flatten(0, 1)[None]
    layers = zip(module["to_k"], module["to_v"], strict=True)
    return tuple((key(tokens).float().cpu(), value(tokens).float().cpu()) for key, value in layers)


_VISION = {768: "CLIP ViT-L", 1024: "CLIP ViT-H", 1280: "CLIP ViT-H (or ViT-bigG, for the first adapter for SDXL)"}


def _entrance(adapter: IpAdapter) -> int:
    projection = adapter.network.module["projection"]
    layer = {
        "plain": lambda: projection.image_embeds,
        "full": lambda: projection.ff.net[0].proj,
        "plus": lambda: projection.proj_in,
    }[adapter.kind]()
    width: int = layer.in_features
    return width
