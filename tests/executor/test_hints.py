"""What is advised for the failures that users meet most, and silence about all others."""

import pytest

from executor import hints
from executor.failure import describe
from executor.hints import hint_for, is_out_of_memory


class OutOfMemoryError(RuntimeError):
    """Named like that of torch."""


CASES = [
    (MemoryError(), hints.MEMORY),
    (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), hints.MEMORY),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), hints.MEMORY),
    (RuntimeError("mat1 and mat2 shapes cannot be multiplied (77x768 and 1024x320)"), hints.SHAPES),
    (RuntimeError("The size of tensor a (64) must match the size of tensor b (32) at dimension 3"), hints.SHAPES),
    (RuntimeError("Expected all tensors to be on the same device, but found at least two devices"), hints.DEVICES),
    (RuntimeError("expected scalar type Half but found Float"), hints.TYPES),
    (FileNotFoundError(2, "No such file or directory", "model.safetensors"), hints.MISSING_FILE),
    (ModuleNotFoundError("No module named 'cv2'"), hints.MISSING_PACKAGE),
    (OSError(28, "No space left on device"), hints.DISK),
    (ValueError("Error while deserializing header: HeaderTooLarge"), hints.DAMAGED),
    (ValueError("The picture is too dark."), None),
    (KeyError("samples"), None),
    (AssertionError(), None),
]


@pytest.mark.parametrize(("error", "hint"), CASES, ids=[f"{type(e).__name__} {e}"[:40] for e, _ in CASES])
def test_known_causes_come_with_a_remedy(error, hint):
    assert hint_for(error) == hint
    assert is_out_of_memory(error) == (hint == hints.MEMORY)
    assert describe(error, {}).hint == hint


def fail(depth):
    return fail(depth - 1) if depth else {}["samples"]


def test_a_traceback_is_short_and_keeps_the_place_where_it_broke():
    try:
        fail(200)
    except KeyError as error:
        lines = describe(error, {}).traceback
    assert len(lines) < 80
    assert any('{}["samples"]' in line for line in lines)
    assert lines[-1] == "KeyError: 'samples'"


def test_frames_of_libraries_are_left_out_but_the_last_one():
    import json

    try:
        json.loads("{")
    except ValueError as error:
        text = "\n".join(describe(error, {}).traceback)
    assert "json.loads" in text
    assert "JSONDecodeError" in text
