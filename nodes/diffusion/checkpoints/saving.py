"""Networks of ours, with their changes -> tensors in the layouts of files, and those -> a safetensors file.

Nothing is computed before it is written, one tensor at a time. Opens no file.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.checkpoints.assemble import FP8
from nodes.diffusion.checkpoints.detect import FAMILIES
from nodes.diffusion.checkpoints.names import unet_names, vae_names
from nodes.diffusion.checkpoints.prediction import MODEL_SPEC, ZERO_MARK
from nodes.diffusion.checkpoints.text_names import Take, text_takes
from nodes.diffusion.families.clip import PROJECTION
from nodes.diffusion.families.family import Family
from nodes.diffusion.families.ldm import UNET_PREFIX, VAE_PREFIX
from nodes.diffusion.memory.network import Network
from nodes.diffusion.memory.packed import PACKED
from nodes.diffusion.sampling.prediction import DiscreteSampling, make_discrete
from nodes.diffusion.values import VAE, Model, TextEncoder, TextModel

_KINDS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip

_ARCHITECTURES = {
    "sd1": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2",
    "sdxl": "stable-diffusion-xl-v1-base",
    "sdxl_refiner": "stable-diffusion-xl-v1-refiner",
}
"""Family -> its name in Stability's model specification."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor that is made when it is written."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


Entries = Mapping[str, Entry]


def entry_of(tensor: Tensor) -> Entry:
    """For a tensor that is there already."""
    return Entry(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def checkpoint_entries(model: Model, encoder: TextEncoder, vae: VAE) -> dict[str, Entry]:
    """A whole checkpoint in the original layout. Raises ValueError if the parts are of different families."""
    family = family_of(model)
    if [one.role for one in encoder.models] != [text.role for text in family.text]:
        raise ValueError(f"The text encoder is not one of {family.title}, as the model is. Connect the one it uses.")
    made = model_entries(model) | under(VAE_PREFIX, vae_entries(vae))
    for text, one in zip(family.text, encoder.models, strict=True):
        made |= under(text.prefix, _text_entries(one.network, text_takes(one.network.weights, text.layout)))
    return made


def model_entries(model: Model) -> dict[str, Entry]:
    """A UNet in the original layout, under the prefix that it has in a checkpoint, with the marks of its levels."""
    network = model.network
    names = unet_names(network.weights)
    made = {UNET_PREFIX + names[name]: _entry(network, name) for name in network.weights}
    sampling = model.sampling
    if isinstance(sampling, DiscreteSampling):
        ordinary = make_discrete(sampling.prediction, *family_of(model).beta_range)
        if not torch.equal(sampling.table, ordinary.table):
            made[ZERO_MARK] = entry_of(torch.zeros(0))
    return made


def vae_entries(vae: VAE) -> dict[str, Entry]:
    """An autoencoder in the original layout, without prefix."""
    names = vae_names(vae.network.weights)
    made: dict[str, Entry] = {}
    for name in vae.network.weights:
        one = _entry(vae.network, name)
        if ".mid.attn_1." in names[name] and len(one.shape) == 2:  # a convolution in that layout
            one = _shaped(one, (*one.shape, 1, 1))
        made[names[name]] = one
    return made


def text_entries(model: TextModel) -> dict[str, Entry]:
    """A text model in a file of its own, in transformers' layout."""
    takes = {name: Take(name if name == PROJECTION else f"text_model.{name}") for name in model.network.weights}
    return _text_entries(model.network, takes)


def specification(model: Model, title: str) -> dict[str, str]:
    """What Stability's model specification wants in the header of a file."""
    prediction = getattr(model.sampling, "prediction", "eps")
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.implementation": "sgm" if model.family.startswith("sdxl") else "ldm",
        "modelspec.architecture": _ARCHITECTURES[model.family],
        "modelspec.title": title,
        MODEL_SPEC: "v" if prediction == "v" else "epsilon",
    }


def under(prefix: str, entries: Entries) -> dict[str, Entry]:
    """With names that begin with `prefix`."""
    return {prefix + name: one for name, one in entries.items()}


def pieces(entries: Entries, metadata: Mapping[str, str]) -> Iterator[bytes]:
    """A safetensors file, tensor by tensor."""
    place, header = 0, dict[str, object]()
    if metadata:
        header["__metadata__"] = dict(metadata)
    for name, one in entries.items():
        header[name] = {
            "dtype": _KINDS[one.dtype], "shape": list(one.shape), "data_offsets": [place, place + one.size],
        }  # fmt: skip
        place += one.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for one in entries.values():
        flat = one.make().detach().to("cpu", one.dtype).contiguous().flatten()
        yield flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def family_of(model: Model) -> Family:
    """The declaration that a model names."""
    return next(family for family in FAMILIES if family.name == model.family)


def _entry(network: Network, name: str) -> Entry:
    """A weight in the file's own type; float16 if that cannot hold it as it is."""
    weight = network.weights[name]
    shape = tuple(weight.shape)
    odd = name in network.scales or weight.dtype == PACKED or (weight.dtype in FP8 and name in network.changes)
    if odd:
        return Entry(shape, torch.float16, lambda: network.value(name))
    if name not in network.changes:
        return entry_of(weight)
    return Entry(shape, weight.dtype, lambda: network.value(name))


def _text_entries(network: Network, takes: Mapping[str, Take]) -> dict[str, Entry]:
    """Under the names of `takes`; what a layout keeps in one tensor is put together again."""
    thirds: dict[str, dict[int, Entry]] = {}
    made: dict[str, Entry] = {}
    for name, take in takes.items():
        one = _entry(network, name)
        if take.third is not None:
            thirds.setdefault(take.name, {})[take.third] = one
        elif take.transposed:
            made[take.name] = Entry(one.shape[::-1], one.dtype, lambda one=one: one.make().T)  # type: ignore[misc]
        else:
            made[take.name] = one
    for name, parts in thirds.items():
        made[name] = _joined([parts[index] for index in sorted(parts)])
    return made


def _joined(parts: list[Entry]) -> Entry:
    rows = sum(one.shape[0] for one in parts)
    return Entry((rows, *parts[0].shape[1:]), parts[0].dtype, lambda: torch.cat([one.make() for one in parts]))


def _shaped(one: Entry, shape: tuple[int, ...]) -> Entry:
    return Entry(shape, one.dtype, lambda: one.make().reshape(shape))
