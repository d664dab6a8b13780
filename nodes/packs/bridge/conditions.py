"""Conditionings as the lists that packs know: [tokens, options] for each condition, options of their own included."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.values import Area, Condition, Conditioning, Control, Grounding, PictureSize, Seen
from nodes.packs.bridge.missing import refuse

_KNOWN = frozenset(
    {
        "pooled_output", "area", "strength", "set_area_to_bounds", "mask", "mask_strength", "start_percent",
        "end_percent", "width", "height", "crop_w", "crop_h", "target_width", "target_height", "aesthetic_score",
        "concat_latent_image", "concat_mask", "default", "control", "control_apply_to_uncond", "gligen",
        "unclip_conditioning",
    }
)  # fmt: skip
_NO_POOLED = "pooled_output is absent"
"""Attached to a condition that a pack made without a pooled text; ours always have one."""

_REFUSED = {"hooks": "Conditioning hooks are"}
"""Options that would change the picture, and that sampling knows nothing of."""


class Entry(list[Any]):
    """[tokens, options] of one condition, which remembers it."""

    def __init__(self, origin: Condition) -> None:
        super().__init__([origin.tokens, options_of(origin)])
        self.origin = origin
        self._given = dict(self[1])

    def unchanged(self) -> bool:
        """Whether it still says what the condition says."""
        return (
            len(self) == 2
            and self[0] is self.origin.tokens
            and self[1].keys() == self._given.keys()
            and all(value is self._given[key] for key, value in self[1].items())
        )


class Entries(list[Any]):
    """The list of a conditioning, which remembers it."""

    def __init__(self, origin: Conditioning) -> None:
        super().__init__(Entry(one) for one in origin)
        self.origin = origin


def to_list(conditioning: Conditioning) -> Entries:
    """The conditioning as a list of lists; new ones each time, because packs write into them."""
    return Entries(conditioning)


def looks_like_one(value: Any) -> bool:
    """Whether it is [tokens, options]."""
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[1], dict) and _is_tokens(value[0])


def of_list(value: Sequence[Any]) -> Conditioning:
    """The conditioning again. Raises ValueError for an entry that is none."""
    made = tuple(_condition(one) for one in value)
    origin = value.origin if isinstance(value, Entries) else ()
    same = len(made) == len(origin) and all(one is other for one, other in zip(made, origin, strict=True))
    return origin if same else made


def options_of(condition: Condition) -> dict[str, Any]:
    """What packs find beside the tokens."""
    options = {key: value for key, value in condition.attached.items() if key != _NO_POOLED}
    if _NO_POOLED not in condition.attached:
        options["pooled_output"] = condition.pooled
    if condition.area is not None:
        options["area"] = _sides(condition.area)
    if condition.area is not None or condition.strength != 1:
        options["strength"] = condition.strength
    if condition.mask is not None:
        options |= {"mask": condition.mask, "mask_strength": condition.mask_strength}
    if condition.area is not None or condition.mask is not None:
        options["set_area_to_bounds"] = condition.within_mask_bounds
    if condition.default:
        options["default"] = True
    if (condition.start, condition.end) != (0, 1):
        options |= {"start_percent": condition.start, "end_percent": condition.end}
    if condition.grounding is not None:
        options["gligen"] = condition.grounding
    if condition.seen:
        options["unclip_conditioning"] = [
            {
                "clip_vision_output": SimpleNamespace(image_embeds=one.embeddings),
                "strength": one.strength,
                "noise_augmentation": one.noise,
            }
            for one in condition.seen
        ]
    if condition.controls:
        from comfy.controlnet import chain_of  # a shim, which is there once packs are

        everywhere = any(control.everywhere for control in condition.controls)
        options |= {"control": chain_of(condition.controls), "control_apply_to_uncond": everywhere}
    return options | _size_options(condition.size) | _picture_options(condition)


def condition_of(tokens: Tensor, options: Mapping[str, Any]) -> Condition:
    """The condition of tokens and what packs put beside them. Raises Unsupported for a condition that could not be
    sampled as it asks for."""
    for key, what in _REFUSED.items():
        if options.get(key) is not None:
            raise refuse(what)
    attached = {key: value for key, value in options.items() if key not in _KNOWN}
    pooled, mask, area = options.get("pooled_output"), options.get("mask"), options.get("area")
    if pooled is None:
        attached[_NO_POOLED] = True
    return Condition(
        tokens.to("cpu", torch.float32),
        tokens.new_zeros(1, tokens.shape[-1]) if pooled is None else pooled.to("cpu", torch.float32),
        area=None if area is None else _area(area),
        strength=float(options.get("strength", 1.0)),
        mask=None if mask is None else mask.reshape(-1, *mask.shape[-2:]).to("cpu", torch.float32),
        mask_strength=float(options.get("mask_strength", 1.0)),
        within_mask_bounds=bool(options.get("set_area_to_bounds", False)),
        start=float(options.get("start_percent", 0.0)),
        end=float(options.get("end_percent", 1.0)),
        default=bool(options.get("default", False)),
        attached=attached,
        size=_size(options),
        aesthetic_score=options.get("aesthetic_score"),
        picture=_float(options.get("concat_latent_image")),
        controls=_controls(options),
        grounding=_grounding(options.get("gligen")),
        seen=tuple(_seen(one) for one in options.get("unclip_conditioning", ())),
        picture_mask=None if (one := _float(options.get("concat_mask"))) is None else one.reshape(-1, *one.shape[-2:]),
    )


def _condition(entry: Any) -> Condition:
    if isinstance(entry, Entry) and entry.unchanged():
        return entry.origin
    if not looks_like_one(entry):
        raise ValueError("A node pack returned a CONDITIONING whose entries are not pairs of a tensor and a dict.")
    return condition_of(entry[0], entry[1])


def _is_tokens(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 3


def _sides(area: Area) -> tuple[Any, ...]:
    if area.relative:
        return ("percentage", area.height, area.width, area.y, area.x)
    return (int(area.height), int(area.width), int(area.y), int(area.x))


def _area(sides: Sequence[Any]) -> Area:
    relative = sides[0] == "percentage"
    height, width, y, x = sides[1:] if relative else sides
    return Area(x, y, width, height, relative=relative)


def _grounding(value: Any) -> Grounding | None:
    if value is None or isinstance(value, Grounding):
        return value
    raise refuse("GLIGEN boxes of node packs are")


def _seen(shown: Mapping[str, Any]) -> Seen:
    embeddings = shown["clip_vision_output"].image_embeds.to("cpu", torch.float32)
    return Seen(embeddings, float(shown.get("strength", 1.0)), float(shown.get("noise_augmentation", 0.0)))


def _controls(options: Mapping[str, Any]) -> tuple[Control, ...]:
    control = options.get("control")
    if control is None:
        return ()
    to_controls = getattr(control, "to_controls", None)
    if to_controls is None:
        raise refuse("ControlNets of node packs are")
    controls: tuple[Control, ...] = to_controls()
    everywhere = options.get("control_apply_to_uncond")
    if everywhere is None:
        return controls
    return tuple(one if one.everywhere == everywhere else replace(one, everywhere=everywhere) for one in controls)


def _size(options: Mapping[str, Any]) -> PictureSize | None:
    if "width" not in options or "height" not in options:
        return None
    return PictureSize(
        int(options["width"]),
        int(options["height"]),
        int(options.get("crop_w", 0)),
        int(options.get("crop_h", 0)),
        int(options.get("target_width", 0)),
        int(options.get("target_height", 0)),
    )


def _size_options(size: PictureSize | None) -> dict[str, Any]:
    if size is None:
        return {}
    told = {"width": size.width, "height": size.height, "crop_w": size.crop_left, "crop_h": size.crop_top}
    if size.target_width and size.target_height:
        told |= {"target_width": size.target_width, "target_height": size.target_height}
    return told


def _picture_options(condition: Condition) -> dict[str, Any]:
    told = {
        "aesthetic_score": condition.aesthetic_score,
        "concat_latent_image": condition.picture,
        "concat_mask": condition.picture_mask,
    }
    return {name: value for name, value in told.items() if value is not None}


def _float(value: Any) -> Tensor | None:
    return None if value is None else value.to("cpu", torch.float32)
