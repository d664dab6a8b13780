"""GGUF files: what they hold is what the package that defines them says, and networks compute with it."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from torch import Tensor

from nodes.diffusion.checkpoints.gguf_file import ORIGINAL_SHAPE, read_gguf
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.separate import open_unet
from nodes.diffusion.families.ldm import UNET_PREFIX
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.packed import PACKED, Packed
from tests.nodes.small_families import Made, MakeFile, make_file

__all__ = ["make_file"]

BLOCKS = 6
KINDS = [
    GGMLQuantizationType[name]
    for name in (
        "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "IQ4_XS", "IQ4_NL", "Q3_K", "Q2_K",
    )
]  # fmt: skip


def write(
    path: Path, tensors: dict[str, Tensor], kind: GGMLQuantizationType, folded: bool = False
) -> dict[str, Tensor]:
    """A file with matrices in blocks of `kind` where rows fill them, or all of those that can be `folded` so that they
    do; returns what the package unpacks them to."""
    writer = gguf.GGUFWriter(path, "sd1")
    side, unpacked = GGML_QUANT_SIZES[kind][0], dict[str, Tensor]()
    for name, value in tensors.items():
        numbers = value.float().numpy()
        fits = value.ndim > 1 and numbers.shape[-1] % side == 0
        if not fits and folded and value.ndim > 1 and numbers.size % side == 0:
            writer.add_array(ORIGINAL_SHAPE + name, [int(one) for one in numbers.shape])
            numbers, fits = numbers.reshape(-1, side), True
        if fits:
            codes = quantize(numbers, kind)
            writer.add_tensor(name, codes, raw_dtype=kind)
            unpacked[name] = torch.from_numpy(dequantize(codes, kind)).reshape(value.shape)
        else:
            writer.add_tensor(name, numbers)
            unpacked[name] = value.float()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unpacked


def predict(unet: Any) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    text = torch.randn(2, 7, unet.config.cross_attention_dim, generator=generator)
    with torch.no_grad():
        made: Tensor = unet(x, torch.tensor([10, 700]), text, return_dict=False)[0]
    return made


def diffusers_unet(like: Any, weights: dict[str, Tensor]) -> Any:
    """diffusers' own network with weights under their original names."""
    unet = type(like).from_config(like.config).eval()
    state = unet.state_dict()
    names = unet_names(state)
    unet.load_state_dict({name: weights[names[name]].reshape(value.shape) for name, value in state.items()})
    return unet


@pytest.mark.parametrize(
    ("kind", "folded", "prefix", "stays"),
    [
        ("Q8_0", False, "", True),
        ("Q8_0", True, "", False),
        ("Q5_1", False, UNET_PREFIX, False),
        ("Q4_0", True, UNET_PREFIX, True),
    ],
)
def test_a_unet_computes_with_what_its_file_unpacks_to(
    kind: str, folded: bool, prefix: str, stays: bool, make_file: MakeFile, tmp_path: Path
) -> None:
    made = make_file("sd1")
    tensors = {prefix + name: value for name, value in unet_tensors(made).items()}
    unpacked = write(tmp_path / "unet.gguf", tensors, GGMLQuantizationType[kind], folded)
    model = open_unet(tmp_path / "unet.gguf")
    assert model.family == "sd1"
    network = model.network
    assert sum(isinstance(value, Packed) for value in network.weights.values()) >= (20 if folded else 12)
    network.stays_packed = stays
    network.load(torch.device("cpu"), torch.float32)
    expected = predict(diffusers_unet(made.unet, {name.removeprefix(prefix): one for name, one in unpacked.items()}))
    for _ in range(2):
        assert torch.allclose(predict(network.module), expected, atol=1e-5)


def unet_tensors(made: Made) -> dict[str, Tensor]:
    """Under the original layout's names, without prefix, as files of UNets have them."""
    return {name.removeprefix(UNET_PREFIX): one for name, one in made.tensors.items() if name.startswith(UNET_PREFIX)}


def test_a_whole_checkpoint_may_be_a_gguf_file(make_file: MakeFile, tmp_path: Path) -> None:
    made = make_file("sd1")
    write(tmp_path / "whole.gguf", made.tensors, GGMLQuantizationType.Q8_0)
    opened = open_checkpoint(tmp_path / "whole.gguf")
    assert opened.model.family == "sd1"
    for network in (opened.model.network, opened.vae.network, *opened.text_encoder.networks):
        with DeviceMemory(torch.device("cpu"), 1 << 30).resident(network):
            assert all(value.device.type == "cpu" for value in network.module.state_dict().values())
            assert {value.dtype for value in network.module.state_dict().values()} == {torch.float32}


def test_packed_weights_take_the_memory_of_their_codes(make_file: MakeFile, tmp_path: Path) -> None:
    write(tmp_path / "unet.gguf", unet_tensors(make_file("sd1")), GGMLQuantizationType.Q4_0)
    network = open_unet(tmp_path / "unet.gguf").network
    packed = [value for name, value in network.weights.items() if name in network.kept]
    assert packed
    assert all(isinstance(one, Packed) and one.nbytes * 32 == one.numel() * 18 for one in packed)
    plain = sum(one.numel() for name, one in network.weights.items() if name not in network.kept)
    assert network.bytes_as(torch.float16) == plain * 2 + sum(one.nbytes for one in packed)
    network.stays_packed = False
    assert network.bytes_as(torch.float16) == sum(one.numel() for one in network.weights.values()) * 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_type_of_block_is_unpacked_as_its_package_does(kind: GGMLQuantizationType, tmp_path: Path) -> None:
    numbers, size = GGML_QUANT_SIZES[kind]
    # All bits but those of exponents, which make numbers that are none.
    codes = np.random.default_rng(1).integers(0, 64, (3, BLOCKS * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "one.gguf", "sd1")
    writer.add_tensor("one", codes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors, metadata = read_gguf(tmp_path / "one.gguf")
    assert metadata["general.architecture"] == "sd1"
    one = tensors["one"]
    assert (one.shape, one.dtype) == ((3, BLOCKS * numbers), PACKED)
    expected = torch.from_numpy(dequantize(codes, kind))
    assert torch.allclose(one.float(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(one.reshape(-1, numbers).float(), one.float().reshape(-1, numbers))
    assert torch.equal(one.to(torch.bfloat16), one.float().to(torch.bfloat16))


HEADER = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0)
NAME = struct.pack("<Q3s", 3, b"one")


def entry(*sides: int, kind: int = 0, offset: int = 0) -> bytes:
    return HEADER + NAME + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides[::-1], kind, offset)


def whole(content: bytes, data: int = 64) -> bytes:
    return content + b"\0" * (-len(content) % 32) + b"\0" * data


BROKEN: dict[str, tuple[bytes, str]] = {
    "another version": (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "its version is 1 and only 2 and 3 are known"),
    "an end in the header": (HEADER, "it ends inside its header"),
    "a name without end": (HEADER + struct.pack("<Q", 2**60), "it ends inside its header"),
    "more tensors than bytes": (struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 0), "it ends inside its header"),
    "a list without end": (
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + NAME + struct.pack("<IIQ", 9, 6, 2**61), "it ends inside its header",
    ),
    "an unknown value": (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + NAME + struct.pack("<I", 77), "unknown type 77"),
    "an unknown type": (whole(entry(4, kind=99)), "its tensor 'one' is of the unknown type 99"),
    "an end in the data": (whole(entry(4, 32)), "it ends inside its tensor 'one'"),
    "too many sides": (whole(entry(*(1,) * 9)), "its tensor 'one' has 9 sides"),
    "blocks of another kind": (whole(entry(1, 256, kind=15), 512), "is packed as Q8_K, which is not supported; Q8_0"),
    "broken blocks": (whole(entry(2, 33, kind=8)), "fill no whole blocks of Q8_0"),
    "one name twice": (
        whole(struct.pack("<4sIQQ", b"GGUF", 3, 2, 0) + entry(4)[len(HEADER):] * 2), "two of its tensors have one name",
    ),
    "a shape that does not fit": (
        whole(
            struct.pack("<4sIQQ", b"GGUF", 3, 1, 1)
            + struct.pack("<Q", len(ORIGINAL_SHAPE) + 3) + ORIGINAL_SHAPE.encode() + b"one"
            + struct.pack("<IIQ2i", 9, 5, 2, 3, 3) + entry(8)[len(HEADER):]
        ),
        r"'one' has 8 numbers, which do not fit the shape (3, 3)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_file_is_refused_in_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        open_unet(path)
    assert str(error.value).startswith("broken.gguf cannot be read: it is a GGUF file, but ")
    assert words in str(error.value)
    assert "Download or copy it again" in str(error.value)


def test_lists_nested_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    nested = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + NAME + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000
    path.write_bytes(nested)
    with pytest.raises(CheckpointError, match="nested without end"):
        open_unet(path)


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "unet.gguf", {"a": torch.zeros(2, 32)}, GGMLQuantizationType.Q8_0)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(CheckpointError, match=r"`pip install gguf`"):
        open_unet(tmp_path / "unet.gguf")


Make = Callable[[Tensor], Tensor]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one * 2, lambda one: one.T, lambda one: one.chunk(3)[1], lambda one: torch.cat([one, one]),
        lambda one: one.float().std(), lambda one: torch.nn.Parameter(one, requires_grad=False).to(torch.float32),
    ],
)  # fmt: skip
def test_what_is_computed_from_a_packed_weight_is_plain(change: Make, tmp_path: Path) -> None:
    unpacked = write(tmp_path / "one.gguf", {"one": torch.randn(6, 64)}, GGMLQuantizationType.Q8_0)
    one = read_gguf(tmp_path / "one.gguf")[0]["one"]
    made = change(one)
    assert type(made) is not Packed
    assert torch.equal(made, change(unpacked["one"]))
