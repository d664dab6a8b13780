"""What usually helps against an exception of a node, for the causes that users meet most.

Goes by names and words, since the executor knows none of the libraries that raise them. Silent about everything else.
"""

import re
from collections.abc import Mapping

MEMORY = (
    "The memory did not suffice: use a smaller picture or batch, or a tiled decoder. What was loaded has been freed,"
    " so that running it again may do."
)
MISSING_FILE = (
    "The file is not there: put it into the folder of its kind, or name its folder in extra_model_paths.yaml, and"
    " choose it again."
)
MISSING_PACKAGE = "A Python package is missing: install what the pack's requirements.txt lists, and restart."
SHAPES = (
    "The sizes do not fit together. Mostly that is a LoRA, ControlNet, VAE or text encoder of another model family, or"
    " pictures of different sizes."
)
DEVICES = "Two values are on different devices: the node moved only one of them, which its author should know."
TYPES = "Two values have different precisions: choose another weight type in the loader."
DISK = "The disk is full: free some space and run it again."
DAMAGED = "The file is damaged or was not downloaded completely: fetch it again."

_WORDS: Mapping[str, str] = {
    r"out of memory|can't allocate memory|not enough memory": MEMORY,
    r"mat1 and mat2 shapes|size of tensor a .* must match|size mismatch|sizes of tensors must match": SHAPES,
    r"expected input.* to have \d+ channels|shape '.*' is invalid for|operands could not be broadcast": SHAPES,
    r"expected all tensors to be on the same device": DEVICES,
    r"must have the same dtype|expected scalar type|expected .* to have the same dtype": TYPES,
    r"no space left on device": DISK,
    r"header ?too ?large|metadata ?incomplete ?buffer|invalid ?header|incomplete metadata": DAMAGED,
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the machine or of a device ran out."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _by_words(error) == MEMORY


def hint_for(error: BaseException) -> str | None:
    """A sentence with a remedy, or None where nothing is known of the cause."""
    if is_out_of_memory(error):
        return MEMORY
    if isinstance(error, ModuleNotFoundError):
        return MISSING_PACKAGE
    if isinstance(error, FileNotFoundError):
        return MISSING_FILE
    return _by_words(error)


def _by_words(error: BaseException) -> str | None:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the exception's own code
        return None
    return next((hint for words, hint in _WORDS.items() if re.search(words, text, re.IGNORECASE)), None)
