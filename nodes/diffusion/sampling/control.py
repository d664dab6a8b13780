"""What control networks say of a batch: pictures fitted to latents, and residuals for the UNet's blocks.

Zhang et al. 2023 (ControlNet); Mou et al. 2023 (T2I-Adapter). It moves no network, and without controls does nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.compose import matched
from nodes.diffusion.memory.network import Network
from nodes.diffusion.patches.contract import Alteration, Call, Place
from nodes.diffusion.resize import centred, resize
from nodes.diffusion.sampling.regions import Box, Region, level_after
from nodes.diffusion.values import Condition, Conditioning, Control, ControlNet, Model, RowControl

PIXELS = 8
"""Pixels along the side of a latent cell, in every family that control networks are made for."""


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """What is added inside a UNet, for every row of a batch."""

    down: tuple[Tensor, ...] = ()
    """To the outputs of the layers on the way down, on their way to the layers on the way up."""
    middle: Tensor | None = None
    levels: tuple[Tensor, ...] = ()
    """To the last layer of each level on the way down itself."""

    def arguments(self) -> dict[str, Any]:
        """UNet2DConditionModel's keywords for them."""
        made: dict[str, Any] = {}
        if self.middle is not None:
            made |= {"down_block_additional_residuals": self.down, "mid_block_additional_residual": self.middle}
        if self.levels:
            made["down_intrablock_additional_residuals"] = list(self.levels)
        return made

    def added_to(self, call: Call, unet: Any) -> Call:
        """A call of diffusers' UNet in which they are added before its own alterations see anything."""
        inputs: dict[int, Tensor] = {}
        levels, end = list(self.levels), 0
        for block in unet.down_blocks[: len(levels)]:
            end += len(block.resnets)
            shrinks = bool(block.downsamplers)
            # Levels that attend get theirs before they shrink what they give, the others after it.
            inputs[end if getattr(block, "attentions", None) else end + shrinks] = levels.pop(0)
            end += shrinks
        middle = [*levels, *([] if self.middle is None else [self.middle])]
        return replace(call, alterations=(_Steering(self.down, tuple(middle), inputs), *call.alterations))


@dataclass(frozen=True, slots=True, eq=False)
class _Steering(Alteration):
    """Adds residuals on the way through a network."""

    down: tuple[Tensor, ...]
    middle: tuple[Tensor, ...]
    inputs: Mapping[int, Tensor]
    """Number of an input block -> what is added to what it gives."""

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:  # noqa: ARG002 the contract's
        return h + _like(self.inputs[place.number], h) if place.number in self.inputs else h

    def after_middle(self, h: Tensor, call: Call) -> Tensor:  # noqa: ARG002 the contract's
        for one in self.middle:
            h = h + _like(one, h)
        return h

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        return (h, kept + _like(self.down[-1 - place.number], kept)) if self.down else (h, kept)


def _like(residual: Tensor, h: Tensor) -> Tensor:
    """In the size of what it is added to, where another alteration shrank that."""
    if residual.shape[-2:] == h.shape[-2:]:
        return residual
    return torch.nn.functional.interpolate(residual, size=h.shape[-2:], mode="bilinear")


def networks_of(groups: Iterable[Conditioning]) -> tuple[Network, ...]:
    """The networks that conditionings need beside the model's, each once."""
    conditions = [one for group in groups for one in group]
    found = {control.net.network: None for one in conditions for control in one.controls}
    return (*found, *{one.grounding.net.network: None for one in conditions if one.grounding is not None})


def check_controls(model: Model, condition: Condition) -> None:
    """Raise ValueError with a sentence if a control network of the condition is for UNets of another family."""
    for control in condition.controls:
        _check(model, control.net)


def _check(model: Model, net: ControlNet) -> None:
    unet = model.network.module.config
    if not (_adapter_fits(net, unet) if net.kind == "adapter" else _network_fits(net, unet)):
        widths = "x".join(str(one) for one in unet.block_out_channels)
        raise ValueError(
            f"{net.title} was made for another UNet (family {net.family}) than the model's (family {model.family}, "
            f"levels of {widths} channels). Choose one for {model.family} in ControlNetLoader."
        )


def shared(groups: Sequence[Conditioning]) -> list[Conditioning]:
    """The conditionings with the controls that count everywhere, also where only another conditioning brings them."""
    givers = [one for group in groups for one in group if any(control.everywhere for control in one.controls)]
    if not givers:
        return list(groups)

    def given(one: Condition) -> Condition:
        giver = next((other for other in givers if other.area == one.area), None)
        if one.controls or giver is None:
            return one
        return replace(one, controls=tuple(control for control in giver.controls if control.everywhere))

    return [tuple(given(one) for one in group) for group in groups]


def _network_fits(net: ControlNet, unet: Any) -> bool:
    config = net.network.module.config
    attends = any(
        "CrossAttn" in kind for kind in (*config.down_block_types, config.get("mid_block_type") or "CrossAttn")
    )
    same = ["block_out_channels", "layers_per_block", "addition_embed_type"]
    same += ["cross_attention_dim"] if attends else []
    same += ["projection_class_embeddings_input_dim"] if config.addition_embed_type else []
    return all(_plain(config[name]) == _plain(unet[name]) for name in same)


def _adapter_fits(net: ControlNet, unet: Any) -> bool:
    config = net.network.module.config
    channels, levels = tuple(config.channels), tuple(unet.block_out_channels)
    if config.adapter_type == "full_adapter":
        return channels == levels
    if config.adapter_type == "light_adapter":
        return (*channels, channels[-1]) == levels
    return channels == (*levels, levels[-1])


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


class Shown:
    """The controls of regions with their pictures, cut as the latents are; made once and kept for a run."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._kept: dict[tuple[int, Box, torch.Size], Tensor | tuple[Tensor, ...]] = {}

    def of(self, regions: Sequence[Region], x: Tensor, sigma: float) -> tuple[RowControl, ...]:
        """For a batch of the regions' cuts of (N, channels, h, w) `x` at a noise level."""
        made = []
        for index, region in enumerate(regions):
            for control in region.condition.controls:
                first, last = (level_after(share, self._model.sampling) for share in (control.start, control.end))
                if control.strength != 0 and last <= sigma <= first:
                    shown = self._shown(control, region.box, x)
                    made.append(RowControl(control.net, index * len(x), shown, control.strength))
        return tuple(made)

    def _shown(self, control: Control, box: Box, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        key = id(control), box, x.shape
        if key not in self._kept:
            network, module = control.net.network, control.net.network.module
            adapter = control.net.kind == "adapter"
            square = module.config.downscale_factor if adapter else PIXELS
            picture = fitted(control.picture, x.shape[-2], x.shape[-1], box, square)
            wanted = module.config.in_channels if adapter else module.config.conditioning_channels
            picture = _channels(matched(picture, len(x)), wanted).to(network.device, network.dtype)
            self._kept[key] = tuple(module(picture)) if adapter else picture
        return self._kept[key]


def fitted(picture: Tensor, height: int, width: int, box: Box, square: int = PIXELS) -> Tensor:
    """(N, H, W, channels) pictures for the cells of `box` in latents of height x width cells: (N, channels, h, w) with
    sides that are multiples of `square`, in the proportions of the latent by cutting evenly."""
    planes = picture.movedim(-1, 1).float()
    tall, wide = height * PIXELS, width * PIXELS
    whole = box == Box(0, 0, height, width)
    if not whole:
        planes = _sized(planes, tall, wide)
        planes = Box(*(side * PIXELS for side in box)).cut(planes)
        tall, wide = box.height * PIXELS, box.width * PIXELS
    return _sized(planes, -(-tall // square) * square, -(-wide // square) * square)


def residuals(
    controls: Sequence[RowControl], x: Tensor, timestep: Tensor, tokens: Tensor, vectors: Mapping[str, Tensor]
) -> Residuals:
    """What the controls of a batch of (B, channels, h, w) `x`, which is scaled already, add up to.

    Rows that one network steers go through it together, whatever conditioning they belong to.
    """
    together: dict[tuple[int, tuple[int, ...]], list[RowControl]] = {}
    levels: list[Tensor] | None = None
    for one in controls:
        if isinstance(one.shown, tuple):
            levels = _added(levels, one.shown, _rows(one, x.device), len(x), one.strength, x)
        else:
            together.setdefault((id(one.net.network), one.net.types), []).append(one)
    blocks: list[Tensor] | None = None
    for group in together.values():
        rows = torch.cat([_rows(one, x.device) for one in group])
        told = {name: vector[rows] for name, vector in vectors.items()}
        said = _asked(group, x[rows], timestep[rows], tokens[rows], told)
        strengths = torch.cat([x.new_full((len(one.shown), 1, 1, 1), one.strength) for one in group])
        blocks = _added(blocks, said, rows, len(x), strengths, x)
    return Residuals(tuple(blocks[:-1]) if blocks else (), blocks[-1] if blocks else None, tuple(levels or ()))


def _asked(
    group: Sequence[RowControl], x: Tensor, timestep: Tensor, tokens: Tensor, vectors: Mapping[str, Tensor]
) -> list[Tensor]:
    """What one network says of rows: for each layer on the way down, and for the middle."""
    net = group[0].net
    network = net.network
    picture = torch.cat([one.shown for one in group if isinstance(one.shown, Tensor)])
    module, further = _typed(net, picture)
    if network.module.config.addition_embed_type is not None:
        further["added_cond_kwargs"] = {name: vector.to(network.device) for name, vector in vectors.items()}
    down, middle = module(
        x.to(network.device, network.dtype),
        timestep.to(network.device),
        encoder_hidden_states=tokens.to(network.device, network.dtype),
        return_dict=False,
        **further,
    )
    said = [*down, middle]
    return [one.mean(dim=(2, 3), keepdim=True).expand_as(one) for one in said] if net.pooled else said


def _typed(net: ControlNet, picture: Tensor) -> tuple[Any, dict[str, Any]]:
    """The module to ask, and how it is shown the picture; union networks are told of what type it is."""
    module = net.network.module
    if net.kind != "union":
        return module, {"controlnet_cond": picture}
    asked = picture.new_zeros(len(picture), module.config.num_control_type)
    asked[:, list(net.types)] = 1
    if net.types:
        types = list(net.types)
        return module, {"controlnet_cond": [picture] * len(types), "control_type": asked, "control_type_idx": types}
    numbers = module.control_type_proj(asked.flatten()).reshape(len(picture), -1)
    return module.untyped, {"controlnet_cond": picture, "class_labels": numbers.to(picture.dtype)}


def _added(
    total: list[Tensor] | None, said: Sequence[Tensor], rows: Tensor, count: int, strength: Tensor | float, x: Tensor
) -> list[Tensor]:
    """`total` with what was said of some of `count` rows; the others get nothing."""
    scaled = [one.to(x) * strength for one in said]
    if total is None:
        total = [one.new_zeros(count, *one.shape[1:]) for one in scaled]
    return [one.index_add(0, rows, more) for one, more in zip(total, scaled, strict=True)]


def _rows(one: RowControl, device: torch.device) -> Tensor:
    shown = one.shown[0] if isinstance(one.shown, tuple) else one.shown
    return torch.arange(one.first, one.first + len(shown), device=device)


def _sized(planes: Tensor, height: int, width: int) -> Tensor:
    if planes.shape[-2:] == (height, width):
        return planes
    return resize(centred(planes, width, height), width, height, "nearest-exact")


def _channels(planes: Tensor, wanted: int) -> Tensor:
    """Pictures in the channels that a network wants: colours without transparency, or grey."""
    colours = planes[:, :3]
    if colours.shape[1] == wanted:
        return colours
    return colours.mean(dim=1, keepdim=True) if wanted == 1 else colours[:, :1].expand(-1, wanted, -1, -1)
