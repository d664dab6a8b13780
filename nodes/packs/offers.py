"""What an imported pack offers: V1 classes, V3 classes, typed functions, and folders with JavaScript for the editor.

A class that cannot be taken costs itself only. Imports no pack and keeps nothing.
"""

import asyncio
import importlib
import inspect
import sys
import threading
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any, Final

from executor.schema import NodeType
from nodes.packs import v1
from nodes.packs.discovery import NoPack, PackSource
from nodes.packs.instances import Instances
from nodes.registration import Origin, typed_nodes


@dataclass(frozen=True, slots=True)
class Offer:
    """One node type that a pack has."""

    class_type: str
    cls: type | None
    """Its class; a typed function has none."""
    make: Callable[[], NodeType]
    """Makes it, or raises."""


@dataclass(frozen=True, slots=True)
class Known:
    """What packs find in `nodes` at one moment. Some put their own there while they are imported."""

    classes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    web_directories: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def now(cls) -> "Known":
        """As it is."""
        package = sys.modules.get("nodes")
        return cls(dict(getattr(package, "NODE_CLASS_MAPPINGS", {})), dict(getattr(package, "EXTENSION_WEB_DIRS", {})))

    def since(self, before: "Known") -> "Known":
        """What was put there after another moment."""
        return Known(
            {name: one for name, one in self.classes.items() if before.classes.get(name) is not one},
            {name: one for name, one in self.web_directories.items() if before.web_directories.get(name) != one},
        )


NOTHING: Final = Known()


def offers(
    module: ModuleType, source: PackSource, digest: str, instances: Instances, added: Known = NOTHING
) -> Iterator[Offer]:
    """All node types of the pack, those included that it `added` while it was imported. Raises NoPack, and whatever the
    pack's own entry point raises."""
    origin = Origin(source.module, digest)
    mappings = getattr(module, "NODE_CLASS_MAPPINGS", None)
    entry_point = getattr(module, "comfy_entrypoint", None)
    typed = typed_nodes(_modules(module.__name__), origin)
    shows = hasattr(module, "WEB_DIRECTORY") or added.classes or added.web_directories
    if mappings is None and entry_point is None and not typed and not shows:
        raise NoPack(
            "It offers no nodes: its module has neither NODE_CLASS_MAPPINGS nor comfy_entrypoint nor @node functions."
        )
    if mappings is not None and not isinstance(mappings, Mapping):
        raise NoPack(f"Its NODE_CLASS_MAPPINGS is a {type(mappings).__name__}, not a dict of classes by name.")
    yield from _mapped({**added.classes, **(mappings or {})}, _display_names(module), origin, instances)
    if entry_point is not None and not mappings:
        yield from _extended(entry_point, origin, instances)
    for class_type, node_type in typed.items():
        yield Offer(class_type, None, partial(replace, node_type))


def web_directories(module: ModuleType, source: PackSource, added: Known = NOTHING) -> dict[str, str]:
    """Name under `/extensions/` -> folder, for the folders that the pack names and that exist."""
    named: dict[str, Any] = {source.name: getattr(module, "WEB_DIRECTORY", None)}
    project = source.path / "pyproject.toml"
    if project.is_file():
        try:
            told = tomllib.loads(project.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            told = {}
        name = _at(told, "project", "name")
        named |= {name: _at(told, "tool", "comfy", "web")} if isinstance(name, str) else {}
    named |= added.web_directories
    folders = {name: source.entry.parent / web for name, web in named.items() if isinstance(web, str) and web}
    return {name: str(folder.resolve()) for name, folder in folders.items() if folder.is_dir()}


def _mapped(
    mappings: Mapping[str, Any], display_names: Mapping[str, str], origin: Origin, instances: Instances
) -> Iterator[Offer]:
    for class_type, cls in mappings.items():
        name, told = str(class_type), display_names.get(class_type)
        make = partial(_adapted, name, cls, str(told) if told else None, origin, instances)
        yield Offer(name, cls if isinstance(cls, type) else None, make)


def _display_names(module: ModuleType) -> dict[str, str]:
    """The names that the pack gives its classes, and those that are in `nodes`."""
    named: dict[str, str] = {}
    for owner in (sys.modules.get("nodes"), module):
        names = getattr(owner, "NODE_DISPLAY_NAME_MAPPINGS", None)
        named |= names if isinstance(names, Mapping) else {}
    return named


def _extended(entry_point: Callable[[], Any], origin: Origin, instances: Instances) -> Iterator[Offer]:
    """The classes of the extension that an entry point gives: V3's, and V1's whose GET_SCHEMA says their names."""
    for cls in _wait_for(_node_list(entry_point)):
        name = getattr(cls, "__name__", repr(cls))
        if hasattr(cls, "define_schema") or not hasattr(cls, "GET_SCHEMA"):
            yield Offer(name, cls, partial(_v3_node_type, cls, origin))
        else:
            yield Offer(name, cls, partial(_named_by_schema, cls, origin, instances))


def _named_by_schema(cls: Any, origin: Origin, instances: Instances) -> NodeType:
    schema = cls.GET_SCHEMA()
    return _adapted(str(schema.node_id), cls, getattr(schema, "display_name", None), origin, instances)


def _adapted(class_type: str, cls: Any, display_name: str | None, origin: Origin, instances: Instances) -> NodeType:
    if not inspect.isclass(cls):
        raise TypeError(f"NODE_CLASS_MAPPINGS has a {type(cls).__name__} for it, not a class.")
    if hasattr(cls, "define_schema"):
        made = _v3_node_type(cls, origin)
        return replace(made, definition=replace(made.definition, class_type=class_type))
    _mark(cls, origin)
    return v1.node_type(class_type, cls, display_name, origin.module, origin.digest, instances)


def _v3_node_type(cls: Any, origin: Origin) -> NodeType:
    _mark(cls, origin)
    # Imported here: it needs the shims.
    made: NodeType = importlib.import_module("nodes.packs.v3").node_type(cls, origin.module, origin.digest)
    return made


def _mark(cls: Any, origin: Origin) -> None:
    """What other packs look for to tell where a class comes from."""
    cls.RELATIVE_PYTHON_MODULE = origin.module


async def _node_list(entry_point: Callable[[], Any]) -> list[type]:
    extension = entry_point()
    if inspect.isawaitable(extension):
        extension = await extension
    if not hasattr(extension, "get_node_list"):
        raise NoPack(f"Its comfy_entrypoint gave a {type(extension).__name__}, which is no ComfyExtension.")
    if hasattr(extension, "on_load"):
        await extension.on_load()
    return list(await extension.get_node_list())


def _modules(name: str) -> list[ModuleType]:
    """The module of that name and those inside of it, as far as they were imported."""
    return [module for known, module in list(sys.modules.items()) if known == name or known.startswith(f"{name}.")]


def _wait_for(coroutine: Coroutine[Any, Any, list[type]]) -> list[type]:
    """Its result. On a loop and a thread of its own, because packs are loaded while the worker's loop runs."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 - raised again below, where the pack is blamed for it
            outcome.append(error)

    thread = threading.Thread(target=run, name="pack entry point")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return list(outcome[0])


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
