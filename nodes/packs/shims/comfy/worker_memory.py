"""The device memory of the worker around the shims."""

from pack_surroundings import here

from nodes.diffusion.memory.device import DeviceMemory
from nodes.packs.bridge.missing import Unsupported


def memory() -> DeviceMemory:
    """It, or Unsupported where the worker has none."""
    found = here().resources.get("DeviceMemory")
    if not isinstance(found, DeviceMemory):
        raise Unsupported("This worker has no device memory, so a node pack cannot ask about devices in it.")
    return found
