"""What the modules that packs import stand for in one worker: its folders, its node types, its resources.

Made once, when the worker is; handed to `shim_finder.install`. Holds no state of its own.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from executor.folders import Folders
from executor.schema import NodeType


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that shims need of ours; they ask `pack_surroundings.here()` for it."""

    folders: Folders
    node_types: MutableMapping[str, NodeType] = field(default_factory=dict[str, NodeType])
    """Class type -> node type, first the built-in ones; those of packs are added as they are loaded."""
    resources: Mapping[str, object] = field(default_factory=dict[str, object])
    """What nodes are injected with whatever runs, for example "DeviceMemory"."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Command line options as `comfy.cli_args.args` names them, where they differ from their defaults."""
