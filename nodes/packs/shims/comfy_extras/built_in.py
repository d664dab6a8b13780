"""Built-in nodes as the classes that packs import from here, by their names."""

from typing import Any


def node_class(module: str, name: str) -> Any:
    """The class of the built-in node of a name. Raises AttributeError, as a module without it would."""
    import nodes

    mappings: dict[str, Any] = getattr(nodes, "NODE_CLASS_MAPPINGS", {})
    if name not in mappings:
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    return mappings[name]
