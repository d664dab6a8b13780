"""Values on links come back from the disk bit for bit, and models are not written at all."""

from dataclasses import fields, is_dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.cache import Memo
from executor.codec import Unstorable, pack
from executor.memo_file import decode_memo, encode_memo
from nodes.codecs import STORED_DTYPES, make_codecs
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.values import Area, Condition, Latent

CODECS = make_codecs()


def through_a_file(value):
    file = encode_memo("key", Memo(((value,),)), CODECS)
    return decode_memo("key", b"".join(file.pieces), CODECS).outputs[0][0]


def assert_same(value, again):
    assert type(again) is type(value)
    if isinstance(value, torch.Tensor):
        assert (again.dtype, again.shape) == (value.dtype, value.shape)
        as_bytes = [one.contiguous().reshape(-1).view(torch.uint8) for one in (value, again)]
        assert torch.equal(*as_bytes)
    elif is_dataclass(value):
        for field in fields(value):
            assert_same(getattr(value, field.name), getattr(again, field.name))
    elif isinstance(value, list | tuple):
        assert len(again) == len(value)
        for one, other in zip(value, again, strict=True):
            assert_same(one, other)
    elif isinstance(value, dict):
        assert list(again) == list(value)
        assert_same(list(value.values()), list(again.values()))
    else:
        assert repr(again) == repr(value)


@st.composite
def tensors(draw):
    """Any bits (NaNs of all kinds among them) in any stored type, in any order of dimensions in memory."""
    dtype = draw(st.sampled_from(sorted(STORED_DTYPES, key=str)))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    count = torch.Size(shape).numel() * dtype.itemsize
    data = draw(st.binary(min_size=count, max_size=count))
    if dtype == torch.bool:
        data = bytes(byte & 1 for byte in data)
    flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return flat.reshape(shape).permute(draw(st.permutations(range(len(shape)))))


AREAS = st.builds(Area, st.floats(0, 1), st.floats(0, 1), st.integers(1, 9), st.integers(1, 9), st.booleans())
CONDITIONS = st.builds(
    Condition, tensors(), tensors(), area=st.none() | AREAS, strength=st.floats(0, 2), mask=st.none() | tensors()
)
VALUES = st.recursive(
    tensors()
    | st.builds(Latent, tensors(), st.none() | tensors(), st.none() | st.tuples(st.integers(0, 9)))
    | st.lists(CONDITIONS, min_size=1, max_size=2).map(tuple)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(VALUES)
def test_values_come_back_bit_for_bit(value):
    assert_same(value, through_a_file(value))


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("channels last", torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)),
        ("a decoded picture", torch.rand(1, 3, 8, 6).movedim(1, -1)),
        ("contiguous", torch.rand(3, 4)),
    ],
)
def test_the_order_in_memory_comes_back(name, tensor):
    assert through_a_file(tensor).stride() == tensor.stride(), name


def test_a_part_of_a_large_tensor_takes_only_its_own_room():
    part = torch.rand(1000, 1000)[:, 5]
    assert encode_memo("key", Memo(((part,),)), CODECS).size < 6000
    assert_same(part, through_a_file(part))


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(2, requires_grad=True),
        torch.nn.Parameter(torch.zeros(2), requires_grad=False),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, device="meta"),
        torch.nn.Linear(1, 1),
        Latent(torch.zeros(1), torch.zeros(2, device="meta")),
    ],
    ids=["part of a computation", "a parameter", "sparse", "without data", "a network", "inside a latent"],
)
def test_what_would_not_come_back_the_same_is_refused(value):
    with pytest.raises(Unstorable):
        pack((value,), CODECS)


def test_what_a_checkpoint_gives_is_refused(random_checkpoint):
    opened = open_checkpoint(random_checkpoint)
    for value in (opened.model, opened.text_encoder, opened.vae):
        with pytest.raises(Unstorable):
            pack((value,), CODECS)
