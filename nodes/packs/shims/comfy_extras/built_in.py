"""Built-in nodes as the classes that packs import from here, by their names."""

from functools import partial
from typing import Any

from nodes.packs.bridge.missing import refuse


def node_class(module: str, name: str) -> Any:
    """The class of the built-in node of a name; where Heddle has none, a class that says so when it is used.

    Raises AttributeError for a name that is none of a class, as a module without it would.
    """
    import nodes

    mappings: dict[str, Any] = getattr(nodes, "NODE_CLASS_MAPPINGS", {})
    if name in mappings:
        return mappings[name]
    if not name[:1].isupper():
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    refusing = partial(_refuse, name)
    return type(name, (), {"__doc__": "Not there yet.", "__init__": refusing, "execute": refusing})


def _refuse(name: str, *_: Any, **__: Any) -> Any:
    raise refuse(f"Nodes of the kind {name} are")
