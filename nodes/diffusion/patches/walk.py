"""A UNet's forward pass that asks alterations on its way. Without any, the network's own forward is used instead.

Computes with the layers of diffusers' UNet2DConditionModel, in its order, so that neutral alterations change no bit.
Ronneberger et al. 2015, "U-Net"; Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Attending, Call, Place


@dataclass(slots=True, eq=False)
class Step:
    """What the parts of a network are told on one way through it."""

    blocks: "Blocks"
    emb: Tensor
    tokens: Tensor
    call: Call
    place: Place
    grown: tuple[int, int] | None = None
    """Height and width of what the block across kept, to which a part that enlarges must lead; None at the end."""
    size: tuple[int, int] = (0, 0)
    """Height and width of the feature map whose cells the transformers see as tokens."""
    transformers: int = 0
    """How many were passed already."""


Part = Callable[[Tensor, Step], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """A network by the blocks of the original layout, each a row of parts."""

    inputs: Sequence[Sequence[Part]]
    middle: Sequence[Part]
    outputs: Sequence[Sequence[Part]]
    out: Callable[[Tensor], Tensor]
    transformer: Callable[[Any, Tensor, Step], Tensor] | None = None
    """Computes one transformer, in the place of `transform_once`."""
    attend: Callable[[Attending], Tensor] | None = None
    """Computes one attention, in the place of `projected`."""


def walk(blocks: Blocks, x: Tensor, emb: Tensor, tokens: Tensor, call: Call) -> Tensor:
    """The prediction for (B, channels, h, w) `x`, told (B, width) `emb` and (B, tokens, width) `tokens`."""
    for alteration in call.alterations:
        emb = alteration.embedded(emb, call)
    step = Step(blocks, emb, tokens, call, Place("input", 0))
    return blocks.out(_descend(0, x, None, step))


def around_network(network: Callable[[Tensor], Tensor], x: Tensor, call: Call) -> Tensor:
    """What a whole network predicts, with the alterations that stand around it."""
    for alteration in reversed(call.alterations):
        network = partial(alteration.around, call=call, inner=network)
    return network(x)


def blocks_of(unet: Any) -> Blocks:
    """Those of diffusers' network."""
    inputs: list[list[Part]] = [[_plain(unet.conv_in)]]
    for block in unet.down_blocks:
        inputs += [_pair(block, index) for index in range(len(block.resnets))]
        inputs += [[_plain(sampler)] for sampler in block.downsamplers or ()]
    middle = [*_pair(unet.mid_block, 0), *_residuals(unet.mid_block.resnets[1:])]
    outputs: list[list[Part]] = []
    for block in unet.up_blocks:
        outputs += [_pair(block, index) for index in range(len(block.resnets))]
        outputs[-1] += [_enlarging(sampler) for sampler in block.upsamplers or ()]
    return Blocks(inputs, middle, outputs, lambda h: unet.conv_out(unet.conv_act(unet.conv_norm_out(h))))


def embedding_of(unet: Any, x: Tensor, timestep: Tensor, tokens: Tensor, vectors: dict[str, Tensor]) -> Tensor:
    """(B, width): the timestep, and what else diffusers' network is told, as one vector."""
    told = dict(vectors)
    emb: Tensor = unet.time_embedding(unet.get_time_embed(sample=x, timestep=timestep))
    classes = unet.get_class_embed(sample=x, class_labels=told.pop("class_labels", None))
    more = unet.get_aug_embed(emb=emb, encoder_hidden_states=tokens, added_cond_kwargs=told)
    for vector in (classes, more):
        emb = emb if vector is None else emb + vector
    return emb


def transform(layer: Any, linear: bool, x: Tensor, step: Step) -> Tensor:
    """A stack of transformers over the cells of (B, channels, h, w) `x`. `linear`: whether it projects tokens rather
    than cells."""
    height, width = step.size = x.shape[-2], x.shape[-1]
    h = layer.norm(x)
    if not linear:
        h = layer.proj_in(h)
    h = h.permute(0, 2, 3, 1).reshape(len(x), height * width, -1)
    if linear:
        h = layer.proj_in(h)
    for depth, block in enumerate(layer.transformer_blocks):
        step.place = step.place._replace(depth=depth, passed=step.transformers)
        h = (step.blocks.transformer or transform_once)(block, h, step)
        step.transformers += 1
    if linear:
        h = layer.proj_out(h)
    h = h.reshape(len(x), height, width, -1).permute(0, 3, 1, 2).contiguous()
    if not linear:
        h = layer.proj_out(h)
    return h + x


def transform_once(block: Any, x: Tensor, step: Step) -> Tensor:
    """One transformer: attention to itself, attention to the text, two layers."""
    normed, tokens = block.norm1(x), step.tokens
    x = _attended(Attending(normed, normed, normed, False, step.place, step.size, block.attn1, attention), step) + x
    for alteration in step.call.alterations:
        x = alteration.between(x, step.place, step.call)
    what = Attending(block.norm2(x), tokens, tokens, True, step.place, step.size, block.attn2, attention)
    x = _attended(what, step) + x
    made: Tensor = block.ff(block.norm3(x)) + x
    return made


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Vaswani et al. 2017, equation 1: softmax(q k^T / sqrt(d)) v, in several heads."""
    q, k, v = (one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def projected(what: Attending) -> Tensor:
    """What an attention layer gives."""
    layer = what.attention
    h = what.core(layer.to_q(what.x), layer.to_k(what.context), layer.to_v(what.value), layer.heads)
    for one in layer.to_out:
        h = one(h)
    return h


def _attended(what: Attending, step: Step) -> Tensor:
    inner = step.blocks.attend or projected
    for alteration in reversed(step.call.alterations):
        inner = partial(alteration.attend, call=step.call, inner=inner)
    return inner(what)


def _descend(number: int, h: Tensor, grown: tuple[int, int] | None, step: Step) -> Tensor:
    """From what reaches an input block to what the output block across it gives."""
    blocks, call, place = step.blocks, step.call, Place("input", number)
    step.place = place
    h = _through(blocks.inputs[number], h, step)
    for alteration in call.alterations:
        h = alteration.after_input(h, place, call)
    kept = h
    for alteration in call.alterations:
        h = alteration.after_kept(h, place, call)
    size = (kept.shape[-2], kept.shape[-1])

    def deeper(h: Tensor) -> Tensor:
        if number + 1 < len(blocks.inputs):
            return _descend(number + 1, h, size, step)
        return _turn(h, step)

    for alteration in reversed(call.alterations):
        deeper = partial(alteration.below, place=place, call=call, inner=deeper)
    h = deeper(h)
    place = Place("output", len(blocks.outputs) - 1 - number)
    for alteration in call.alterations:
        h, kept = alteration.before_output(h, kept, place, call)
    step.place, step.grown = place, grown
    return _through(blocks.outputs[place.number], torch.cat([h, kept], dim=1), step)


def _turn(h: Tensor, step: Step) -> Tensor:
    """Through the middle."""
    step.place = Place("middle", 0)
    h = _through(step.blocks.middle, h, step)
    for alteration in step.call.alterations:
        h = alteration.after_middle(h, step.call)
    return h


def _through(parts: Sequence[Part], h: Tensor, step: Step) -> Tensor:
    for part in parts:
        h = part(h, step)
    return h


def _pair(block: Any, index: int) -> list[Part]:
    """A residual block, and the transformers behind it if there are any."""
    attentions = getattr(block, "attentions", None)
    parts = _residuals([block.resnets[index]])
    if attentions:
        layer = attentions[index]
        parts.append(partial(transform, layer, layer.use_linear_projection))
    return parts


def _residuals(layers: Sequence[Any]) -> list[Part]:
    return [_residual(layer) for layer in layers]


def _residual(layer: Any) -> Part:
    return lambda h, step: layer(h, step.emb)


def _plain(layer: Any) -> Part:
    return lambda h, _: layer(h)


def _enlarging(layer: Any) -> Part:
    return lambda h, step: layer(h, step.grown)
