"""GLIGEN: between its two attentions each transformer also attends to tokens of named boxes. Moves no network.

Li et al. 2023, "GLIGEN: Open-Set Grounded Text-to-Image Generation", equation 8.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Call, Place
from nodes.diffusion.sampling.regions import Box, Region
from nodes.diffusion.values import Condition, Conditioning, Grounding, Model, RowGround

MOST_BOXES = 30
"""Which the layers were trained with; the rest is filled with what stands for none."""


@dataclass(frozen=True, slots=True, eq=False)
class GligenGate(Alteration):
    """For one batch of `count` rows, of which some see boxes."""

    rows: tuple[RowGround, ...]
    count: int

    def between(self, x: Tensor, place: Place, call: Call) -> Tensor:
        """x + tanh(alpha) attention(x, boxes), and a gated dense layer."""
        each = len(x) // self.count
        for one in self.rows:
            fusers = one.net.network.module["fusers"]
            key = f"{place.block}_{place.number}_{place.depth}"
            if key not in fusers:
                continue
            first, last = one.first * each, (one.first + len(one.objects)) * each
            seen = fusers[key](x[first:last], one.objects.to(x).repeat_interleave(each, dim=0))
            x = torch.cat([x[:first], seen, x[last:]])
        return x


class Grounds:
    """The boxes of regions as tokens, where the latents are cut; made once and kept for a run."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, Box, torch.Size], Tensor] = {}

    def of(self, regions: Sequence[Region], x: Tensor) -> tuple[RowGround, ...]:
        """For a batch of the regions' cuts of (N, channels, h, w) `x`."""
        made: list[RowGround] = []
        for index, region in enumerate(regions):
            grounding = region.condition.grounding
            if grounding is not None:
                objects = self._objects(grounding, region.box, x).expand(len(x), -1, -1)
                if made and made[-1].net is grounding.net and made[-1].first + len(made[-1].objects) == index * len(x):
                    made[-1] = replace(made[-1], objects=torch.cat([made[-1].objects, objects]))
                else:
                    made.append(RowGround(grounding.net, index * len(x), objects))
        return tuple(made)

    def _objects(self, grounding: Grounding, box: Box, x: Tensor) -> Tensor:
        key = id(grounding), box, x.shape
        if key not in self._kept:
            self._kept[key] = objects(grounding, box)
        return self._kept[key]


def objects(grounding: Grounding, cut: Box) -> Tensor:
    """(1, 30, width) tokens of boxes, for a cut of the latents; the network must be resident."""
    network = grounding.net.network
    boxes, masks = torch.zeros(1, MOST_BOXES, 4), torch.zeros(1, MOST_BOXES)
    embeddings = torch.zeros(1, MOST_BOXES, grounding.net.text_width)
    for index, one in enumerate(grounding.boxes):
        left, top = (one.x - cut.left) / cut.width, (one.y - cut.top) / cut.height
        sides = left, top, left + one.width / cut.width, top + one.height / cut.height
        boxes[0, index], masks[0, index] = torch.tensor(sides), 1
        embeddings[0, index] = one.embedding
    told = (one.to(network.device, network.dtype) for one in (boxes, masks, embeddings))
    made: Tensor = network.module["position_net"](*told)
    return made


def grounded(groups: Sequence[Conditioning]) -> list[Conditioning]:
    """The conditionings; what is compared with a condition that sees boxes, in the same place, sees that there are
    none, as in training."""
    givers = [(index, one) for index, group in enumerate(groups) for one in group if one.grounding is not None]
    if not givers:
        return list(groups)

    def given(index: int, one: Condition) -> Condition:
        nets = [
            other.grounding.net
            for where, other in givers
            if where != index and other.area == one.area and other.grounding is not None
        ]
        return one if one.grounding is not None or not nets else replace(one, grounding=Grounding(nets[0], ()))

    return [tuple(given(index, one) for one in group) for index, group in enumerate(groups)]


def check_grounding(model: Model, condition: Condition) -> None:
    """Raise ValueError with a sentence if a condition's boxes are for UNets of another family."""
    if condition.grounding is None:
        return
    net, found = condition.grounding.net, _widths(model.network.module)
    if any(found.get(key) != width for key, width in net.widths.items()):
        raise ValueError(
            f"{net.title} was made for another UNet than the model's (family {model.family}). Choose one for "
            f"{model.family} in GLIGENLoader."
        )


def gated(call: Call | None, rows: tuple[RowGround, ...], x: Tensor, width: int) -> Call:
    """A call in which rows of the batch (B, channels, h, w) `x` see boxes before its own alterations see anything."""
    if call is None:
        call = Call((), 0.0, None, (0,), (x.shape[-2], x.shape[-1]), width, {})
    return replace(call, alterations=(GligenGate(rows, len(x)), *call.alterations))


def _widths(unet: Any) -> dict[str, int]:
    """Key of each transformer's gate -> width."""
    found: dict[str, int] = {}

    def add(block: str, number: int, layer: Any) -> None:
        for depth, one in enumerate(layer.transformer_blocks):
            found[f"{block}_{number}_{depth}"] = one.attn1.to_q.in_features

    number = 1
    for block in unet.down_blocks:
        for layer in getattr(block, "attentions", None) or ():
            add("input", number, layer)
            number += 1
        number += (0 if getattr(block, "attentions", None) else len(block.resnets)) + bool(block.downsamplers)
    for layer in unet.mid_block.attentions:
        add("middle", 0, layer)
    number = 0
    for block in unet.up_blocks:
        for index, layer in enumerate(getattr(block, "attentions", None) or ()):
            add("output", number + index, layer)
        number += len(block.resnets)
    return found
