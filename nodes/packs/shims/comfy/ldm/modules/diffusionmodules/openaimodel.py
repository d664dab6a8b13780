"""A UNet as packs know it: its blocks by their original names and numbers, and patches that change them.

It shares all layers with diffusers' network (`UNetModel.of`), which does the work as long as no pack changed anything.
"""

from typing import Any

import torch
from torch import Tensor, nn

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
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
        **_: Any,
    ) -> Tensor:
        """The prediction for (B, channels, h, w) `x`; `told` is what our networks hear besides the text."""
        options = dict(transformer_options or {})
        if y is not None:
            raise refuse("UNets that node packs tell more than the text are")
        if context is not None and not (self.changed or control or _patched(options)):
            return ask_network(self.whole, x, timesteps, context, told)
        if told is not None and told.channels is not None:
            x = torch.cat([x, told.channels], dim=1)
        return self._walk(x, self._embedded(x, timesteps, context, told), context, control, options)

    def _embedded(self, x: Tensor, timesteps: Tensor, context: Tensor | None, told: Told | None) -> Tensor:
        """The timestep, and what else the network is told, as one vector."""
        ours, vectors = self.whole, {} if told is None else dict(told.vectors)
        emb: Tensor = self.time_embed(ours.get_time_embed(sample=x, timestep=timesteps))
        classes = ours.get_class_embed(sample=x, class_labels=vectors.pop("class_labels", None))
        more = ours.get_aug_embed(emb=emb, encoder_hidden_states=context, added_cond_kwargs=vectors)
        for vector in (classes, more):
            emb = emb if vector is None else emb + vector
        return emb

    def _walk(self, x: Tensor, emb: Tensor, context: Tensor | None, control: Any, options: dict[str, Any]) -> Tensor:
        patches = options.get("patches", {})
        options["original_shape"] = list(x.shape)
        for patch in patches.get("emb_patch", ()):
            emb = patch(emb, self.model_channels, options)
        h, kept = x, []
        for number, block in enumerate(self.input_blocks):
            options["block"] = ("input", number)
            h = apply_control(forward_timestep_embed(block, h, emb, context, options), control, "input")
            for patch in patches.get("input_block_patch", ()):
                h = patch(h, options)
            kept.append(h)
            for patch in patches.get("input_block_patch_after_skip", ()):
                h = patch(h, options)
        options["block"] = ("middle", 0)
        h = apply_control(forward_timestep_embed(self.middle_block, h, emb, context, options), control, "middle")
        for patch in patches.get("middle_block_patch", ()):
            h = patch(h, options)
        for number, block in enumerate(self.output_blocks):
            options["block"] = ("output", number)
            skipped = apply_control(kept.pop(), control, "output")
            for patch in patches.get("output_block_patch", ()):
                h, skipped = patch(h, skipped, options)
            h = torch.cat([h, skipped], dim=1)
            h = forward_timestep_embed(block, h, emb, context, options, kept[-1].shape if kept else None)
        answer: Tensor = self.out(h)
        return answer


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
    for layer in ts:
        match layer:
            case TimestepBlock():
                x = layer(x, emb)
            case SpatialTransformer():
                x = layer(x, context, transformer_options)
            case Upsample():
                x = layer(x, output_shape=output_shape)
            case _:
                x = layer(x)
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


def _patched(options: dict[str, Any]) -> bool:
    return any(options.get("patches", {}).values()) or any(options.get("patches_replace", {}).values())
