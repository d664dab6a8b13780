"""What a result depends on beside its graph and its files: the program, its libraries and the device."""

import hashlib
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "diffusers", "transformers", "safetensors", "numpy", "pillow")


def provenance(device: str) -> str:
    """A text that is the same in another process if, and only if, the same nodes compute on the same kind of device.

    The nodes' source is part of it, so that results made before a change of the program are not taken for its own.
    """
    source = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        source.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        source.update(content)
    libraries = (f"{name} {version(name)}" for name in LIBRARIES)
    return "; ".join((f"nodes {source.hexdigest()}", *libraries, device))
