"""Latents as the dicts that packs know: `samples`, `noise_mask` (N, 1, H, W), `batch_index`, and keys of their own."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.values import Latent

_KNOWN = frozenset({"samples", "noise_mask", "batch_index"})


class LatentDict(dict[str, Any]):
    """The dict of a latent, which remembers it."""

    def __init__(self, origin: Latent) -> None:
        super().__init__(origin.attached, samples=origin.samples)
        if origin.noise_mask is not None:
            self["noise_mask"] = origin.noise_mask.reshape(-1, 1, *origin.noise_mask.shape[-2:])
        if origin.batch_index is not None:
            self["batch_index"] = list(origin.batch_index)
        self.origin = origin
        self._given = dict(self)

    def unchanged(self) -> bool:
        """Whether it still says what the latent says."""
        return (
            self.keys() == self._given.keys()
            and all(value is self._given[key] for key, value in self.items())
            and tuple(self.get("batch_index", ())) == (self.origin.batch_index or ())
        )


def to_dict(latent: Latent) -> LatentDict:
    """The latent as a dict; a new one each time, because packs write into it."""
    return LatentDict(latent)


def looks_like_one(value: Any) -> bool:
    """Whether it is a dict with samples."""
    return isinstance(value, Mapping) and isinstance(value.get("samples"), Tensor)


def of_dict(value: Mapping[str, Any]) -> Latent:
    """The latent again; keys that a latent has no place for stay attached to it."""
    if isinstance(value, LatentDict) and value.unchanged():
        return value.origin
    mask, index = value.get("noise_mask"), value.get("batch_index")
    return Latent(
        value["samples"].to("cpu", torch.float32),
        None if mask is None else mask.reshape(-1, *mask.shape[-2:]).to("cpu", torch.float32),
        None if index is None else tuple(int(one) for one in index),
        {key: one for key, one in value.items() if key not in _KNOWN},
    )
