"""A UNet as packs know it: its blocks by their original names and numbers, and patches that change them.

It shares all layers with diffusers' network (`UNetModel.of`), which does the work as long as no pack changed anything.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from comfy.patches_at_work import PackPatches, lent, patches_act, step_of
from nodes.diffusion.patches.contract import Attending, Call
from nodes.diffusion.patches.gligen import gated
from nodes.diffusion.patches.walk import (
    Blocks,
    Part,
    Step,
    around_network,
    attention,
    embedding_of,
    projected,
    walk,
)
from nodes.diffusion.sampling.control import residuals
from nodes.diffusion.sampling.telling import ask_network
from nodes.diffusion.values import Told
from nodes.packs.bridge.missing import refuse

__all__ = [
    "Downsample", "ResBlock", "SpatialTransformer", "Timestep", "TimestepBlock", "TimestepEmbedSequential", "UNetModel",
    "Upsample", "apply_control", "forward_timestep_embed", "timestep_embedding",
]  # fmt: skip


class _Shared(nn.Module):
    """A part that packs cannot make themselves. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse(f"UNets that node packs build themselves ({type(self).__name__}) are")

    @classmethod
    def _with(cls, **parts: Any) -> Any:
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        for name, part in parts.items():
            setattr(made, name, part)
        return made


class TimestepBlock(_Shared):
    """A part that is told the timestep."""


class ResBlock(TimestepBlock):
    """A residual block."""

    in_layers: nn.Sequential
    emb_layers: nn.Sequential
    out_layers: nn.Sequential
    skip_connection: nn.Module

    @classmethod
    def of(cls, ours: Any) -> "ResBlock":
        """With the layers of diffusers' `ResnetBlock2D`."""
        made: ResBlock = cls._with(
            in_layers=nn.Sequential(ours.norm1, nn.SiLU(), ours.conv1),
            emb_layers=nn.Sequential(nn.SiLU(), ours.time_emb_proj),
            out_layers=nn.Sequential(ours.norm2, nn.SiLU(), ours.dropout, ours.conv2),
            skip_connection=nn.Identity() if ours.conv_shortcut is None else ours.conv_shortcut,
            channels=ours.in_channels,
            out_channels=ours.out_channels,
        )
        return made

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """(B, channels, h, w), (B, width of the embedding)."""
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Upsample(_Shared):
    """Twice as long sides, or those of the feature map that comes next."""

    conv: Any

    def forward(self, x: Tensor, output_shape: Any = None) -> Tensor:
        """(B, channels, h, w)."""
        size = [2 * side for side in x.shape[-2:]] if output_shape is None else list(output_shape[-2:])
        return self.conv(nn.functional.interpolate(x, size=size, mode="nearest"))


class Downsample(_Shared):
    """Half as long sides."""

    op: Any

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w)."""
        return self.op(x)


class TimestepEmbedSequential(nn.Sequential):
    """Parts in a row, each told what it wants to know."""

    def forward(  # type: ignore[override]  # its parts are told more
        self,
        x: Tensor,
        emb: Tensor,
        context: Tensor | None = None,
        transformer_options: dict[str, Any] | None = None,
        output_shape: Any = None,
    ) -> Tensor:
        """(B, channels, h, w)."""
        return forward_timestep_embed(self, x, emb, context, transformer_options, output_shape)


class Timestep(nn.Module):
    """A timestep as waves."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, t: Tensor) -> Tensor:
        """(N,) -> (N, dim)."""
        return timestep_embedding(t, self.dim)


class UNetModel(_Shared):
    """The whole UNet."""

    whole: Any
    """Diffusers' network."""
    changed: bool
    """Whether a pack replaced one of the layers below."""
    time_embed: nn.Sequential
    input_blocks: Any
    middle_block: Any
    output_blocks: Any
    out: Any
    model_channels: int

    @classmethod
    def of(cls, ours: Any) -> "UNetModel":
        """With the layers of diffusers' `UNet2DConditionModel`."""
        made: UNetModel = cls._with(
            time_embed=nn.Sequential(ours.time_embedding.linear_1, nn.SiLU(), ours.time_embedding.linear_2),
            input_blocks=nn.ModuleList([TimestepEmbedSequential(ours.conv_in)]),
            middle_block=TimestepEmbedSequential(*_parts(ours.mid_block, 0), ResBlock.of(ours.mid_block.resnets[1])),
            output_blocks=nn.ModuleList(),
            out=nn.Sequential(ours.conv_norm_out, nn.SiLU(), ours.conv_out),
            in_channels=ours.config.in_channels,
            out_channels=ours.config.out_channels,
            model_channels=ours.config.block_out_channels[0],
            num_classes=None,
        )
        for name in ("class_embedding", "add_embedding"):
            if (two := getattr(ours, name, None)) is not None:
                made.label_emb = nn.Sequential(nn.Sequential(two.linear_1, nn.SiLU(), two.linear_2))
        for block in ours.down_blocks:
            for index in range(len(block.resnets)):
                made.input_blocks.append(TimestepEmbedSequential(*_parts(block, index)))
            for sampler in block.downsamplers or ():
                made.input_blocks.append(TimestepEmbedSequential(Downsample._with(op=sampler.conv)))
        for block in ours.up_blocks:
            for index in range(len(block.resnets)):
                made.output_blocks.append(TimestepEmbedSequential(*_parts(block, index)))
            for sampler in block.upsamplers or ():
                made.output_blocks[-1].append(Upsample._with(conv=sampler.conv))
        # Not a child: its layers have their original names here, and only these.
        object.__setattr__(made, "whole", ours)
        made.changed = False
        return made

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.out[2].weight.dtype

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        told: Told | None = None,
        call: Call | None = None,
        **_: Any,
    ) -> Tensor:
        """The prediction for (B, channels, h, w) `x`; `told` is what our networks hear besides the text, `call` what
        our own alterations are told."""
        options = dict(transformer_options or {})
        if y is not None:
            raise refuse("UNets that node packs tell more than the text are")
        altered = call or Call((), 0.0, None, (0,), (x.shape[-2], x.shape[-1]), self.model_channels, {})
        if patches_act(options):
            options["original_shape"] = list(x.shape)
            altered = replace(altered, alterations=(*altered.alterations, PackPatches(options)))
        if context is not None and not self.changed:
            return ask_network(self.whole, x, timesteps, context, told, altered if altered.alterations else None)
        return around_network(lambda x: self._walk(x, timesteps, context, told, altered, options), x, altered)

    def _walk(
        self, x: Tensor, timesteps: Tensor, context: Tensor | None, told: Told | None, call: Call, options: Any
    ) -> Tensor:
        """The same with the layers that packs replaced."""
        if told is not None and told.channels is not None:
            x = torch.cat([x, told.channels], dim=1)
        blocks = Blocks(
            [_parts_of(block, options) for block in self.input_blocks],
            _parts_of(self.middle_block, options),
            [_parts_of(block, options) for block in self.output_blocks],
            self.out,
            partial(_transformer, options),
            _attention,
        )
        vectors = {} if told is None else dict(told.vectors)
        tokens: Any = context  # layers of packs may do without
        if told is not None and told.grounds:
            call = gated(call, told.grounds, x, self.model_channels)
        if told is not None and told.controls:
            latents = x if told.channels is None else x[:, : -told.channels.shape[1]]
            call = residuals(told.controls, latents, timesteps, tokens, vectors).added_to(call, self.whole)
        return walk(blocks, x, embedding_of(self.whole, x, timesteps, tokens, vectors), tokens, call)


def forward_timestep_embed(
    ts: Any,
    x: Tensor,
    emb: Tensor,
    context: Tensor | None = None,
    transformer_options: dict[str, Any] | None = None,
    output_shape: Any = None,
    **_: Any,
) -> Tensor:
    """(B, channels, h, w) through the parts of one block. Parts of packs are told what those in their place are."""
    options = {} if transformer_options is None else transformer_options
    step = step_of(options, x, emb, context)
    step.grown = None if output_shape is None else (output_shape[-2], output_shape[-1])
    for layer in ts:
        x = _through(layer, options, x, step)
    return x


def apply_control(h: Tensor, control: Any, name: str) -> Tensor:
    """What a block gave, with what a ControlNet adds to it."""
    if control is not None and control.get(name):
        added = control[name].pop()
        if added is not None:
            h = h + added
    return h


def _parts(block: Any, index: int) -> list[nn.Module]:
    """A residual block, and the transformer behind it if there is one."""
    made: list[nn.Module] = [ResBlock.of(block.resnets[index])]
    attentions = getattr(block, "attentions", None)
    return [*made, SpatialTransformer.of(attentions[index])] if attentions else made


def _parts_of(block: Any, options: dict[str, Any]) -> list[Part]:
    return [partial(_through, layer, options) for layer in block]


def _through(layer: Any, options: dict[str, Any], h: Tensor, step: Step) -> Tensor:
    """Through one layer, which a pack may have put there."""
    match layer:
        case TimestepBlock():
            return layer(h, step.emb)
        case SpatialTransformer():
            return layer(h, step.tokens, lent(step, options))
        case Upsample():
            return layer(h, output_shape=step.grown)
    return layer(h)


def _transformer(options: dict[str, Any], block: Any, h: Tensor, step: Step) -> Tensor:
    return block(h, context=step.tokens, transformer_options=lent(step, options))


def _attention(what: Attending) -> Tensor:
    """Of a layer that a pack may have put there; one that was replaced by a patch goes through our projections."""
    if what.core is not attention:
        return projected(what)
    return what.attention(what.x, context=what.context, value=what.value)
