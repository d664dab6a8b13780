"""What the modules that packs import stand for in one worker: its folders, its node types, its resources, its host.

Made once, when the worker is, and handed to `shim_finder.install`.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from executor.folders import Folders
from executor.schema import NodeType
from nodes.packs.host import Host
from nodes.packs.model_folders import NamedFolders, live_folders


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that shims need of ours; they ask `pack_surroundings.here()` for it."""

    folders: Folders
    """Those that the worker and its nodes must use too: they know what packs add to `model_folders`."""
    model_folders: NamedFolders
    host: Host
    """The worker's `PackHost`."""
    node_types: MutableMapping[str, NodeType]
    """Class type -> node type, first the built-in ones; those of packs are added as they are loaded."""
    resources: Mapping[str, object]
    """What nodes are injected with whatever runs, for example "DeviceMemory"."""
    options: Mapping[str, Any]
    """Command line options under the names of `comfy.cli_args.args`, where they differ from its defaults."""


def make_surroundings(
    folders: Folders,
    node_types: Mapping[str, NodeType],
    resources: Mapping[str, object],
    options: Mapping[str, Any] | None = None,
) -> Surroundings:
    """Surroundings with a host of their own. `node_types` are the built-in ones."""
    named = NamedFolders(folders)
    live = live_folders(folders, named)
    return Surroundings(live, named, Host(named), dict(node_types), {"Folders": live, **resources}, dict(options or {}))
