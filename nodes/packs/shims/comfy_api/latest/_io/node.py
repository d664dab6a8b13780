"""`ComfyNode`, the class that V3 nodes derive from, and `NodeOutput`, what they return.

Everything that a V1 class would say in attributes is read from the schema when asked for. Who calls `execute`, and with
what, is `nodes.packs.v3`'s business.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from comfy_api.latest._io.schema import Hidden, NodeInfoV1, Schema
from executor.schema import ExecutionBlocker

T = TypeVar("T")


@dataclass(frozen=True)
class HiddenHolder:
    """What a node asked to know of its run; None for what it did not ask for."""

    unique_id: str | None = None
    prompt: Any = None
    extra_pnginfo: Any = None
    dynprompt: Any = None
    auth_token_comfy_org: str | None = None
    api_key_comfy_org: str | None = None

    @classmethod
    def from_dict(cls, values: Mapping[Any, Any] | None) -> "HiddenHolder":
        """From `Hidden` members or their wire names; others are left out."""
        known = {str(Hidden(key).name): value for key, value in (values or {}).items() if key in _WIRE_NAMES}
        return cls(**known)


_WIRE_NAMES = frozenset(hidden.value for hidden in Hidden)


class NodeOutput:
    """The values of all outputs in order, and what else there is to say."""

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: Mapping[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The values; None if there are none."""
        return self.args or None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NodeOutput":
        """From a dictionary with `result`, `ui`, `expand` and `block_execution`, as far as there are."""
        result = values.get("result")
        if isinstance(result, ExecutionBlocker):
            return cls(ui=values.get("ui"), expand=values.get("expand"), block_execution=result.message or "")
        if isinstance(result, NodeOutput):
            result = result.args
        return cls(
            *(result if result is not None else ()),
            ui=values.get("ui"),
            expand=values.get("expand"),
            block_execution=values.get("block_execution"),
        )

    @classmethod
    def of(cls, value: Any) -> "NodeOutput":
        """From anything that `execute` may return. Raises TypeError for what it may not."""
        if isinstance(value, NodeOutput):
            return value
        if value is None:
            return cls()
        if isinstance(value, tuple):
            return cls(*value)
        if isinstance(value, Mapping):
            return cls.from_dict(value)
        if isinstance(value, ExecutionBlocker):
            return cls(block_execution=value.message or "")
        raise TypeError(f"execute returned a {type(value).__name__}; return io.NodeOutput(...) instead.")

    def __getitem__(self, index: int) -> Any:
        return self.args[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args)


class FromSchema(Generic[T]):
    """A class attribute that is read from the schema of whichever class is asked."""

    def __init__(self, read: Callable[[Schema], T]) -> None:
        self._read = read

    def __get__(self, instance: object, owner: "type[ComfyNode]") -> T:
        return self._read(owner.GET_SCHEMA())


class FunctionName:
    """The name of the method that V1 style calls."""

    def __get__(self, instance: object, owner: "type[ComfyNode]") -> str:
        return "EXECUTE_NORMALIZED_ASYNC" if inspect.iscoroutinefunction(owner.execute) else "EXECUTE_NORMALIZED"


class ComfyNode:
    """A node as a class that is never instantiated: all its methods are class methods."""

    RELATIVE_PYTHON_MODULE: Any = "nodes"
    """Set by the loader of the pack."""
    hidden = HiddenHolder()
    """What the schema asked to know of the run; filled while the node runs."""

    CATEGORY = FromSchema(lambda schema: schema.category)
    DESCRIPTION = FromSchema(lambda schema: schema.description)
    SEARCH_ALIASES = FromSchema(lambda schema: schema.search_aliases)
    OUTPUT_NODE = FromSchema(lambda schema: schema.is_output_node)
    DEPRECATED = FromSchema(lambda schema: schema.is_deprecated)
    EXPERIMENTAL = FromSchema(lambda schema: schema.is_experimental)
    API_NODE = FromSchema(lambda schema: schema.is_api_node)
    NOT_IDEMPOTENT = FromSchema(lambda schema: schema.not_idempotent)
    ACCEPT_ALL_INPUTS = FromSchema(lambda schema: schema.accept_all_inputs)
    INPUT_IS_LIST = FromSchema(lambda schema: schema.is_input_list)
    RETURN_TYPES = FromSchema(lambda schema: [output.get_io_type() for output in schema.outputs])
    RETURN_NAMES = FromSchema(lambda schema: [output.display_name or output.get_io_type() for output in schema.outputs])
    OUTPUT_IS_LIST = FromSchema(lambda schema: [output.is_output_list for output in schema.outputs])
    OUTPUT_TOOLTIPS = FromSchema(lambda schema: [output.tooltip for output in schema.outputs])
    FUNCTION = FunctionName()

    @classmethod
    def define_schema(cls) -> Schema:
        """What the node is called, takes and gives; every node has its own."""
        raise TypeError(f"{cls.__name__} has no define_schema, which every V3 node needs.")

    @classmethod
    def execute(cls, **_: Any) -> Any:
        """The node's work; every node has its own."""
        raise TypeError(f"{cls.__name__} has no execute, which every V3 node needs.")

    @classmethod
    def validate_inputs(cls, **_: Any) -> bool | str:
        """May be overridden: True if the values will do, else why not."""
        return True

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> Any:
        """May be overridden: something that changes when the outside that the values name does."""
        return None

    @classmethod
    def check_lazy_status(cls, **kwargs: Any) -> list[str]:
        """May be overridden: the names of the lazy inputs that are needed, given what is known so far."""
        return [name for name, value in kwargs.items() if value is None]

    @classmethod
    def GET_SCHEMA(cls) -> Schema:  # noqa: N802 - the interface's name
        """The schema as it is now, checked and completed. Raises ValueError or TypeError with a sentence."""
        if isinstance(cls, LockedType):
            return cls.__base__.GET_SCHEMA()  # type: ignore[union-attr]
        schema = cls.define_schema()
        if not isinstance(schema, Schema):
            raise TypeError(f"define_schema of {cls.__name__} returned no io.Schema.")
        schema.validate()
        schema.finalize()
        return schema

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the interface's name
        """The inputs in the shape of a V1 node."""
        return cls.GET_SCHEMA().get_v1_info(cls).input

    @classmethod
    def GET_NODE_INFO_V1(cls) -> NodeInfoV1:  # noqa: N802 - the interface's name
        """The entry of `/object_info`."""
        return cls.GET_SCHEMA().get_v1_info(cls)

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args: Any, **kwargs: Any) -> NodeOutput:  # noqa: N802 - the interface's name
        """`execute`, whatever it returns."""
        return NodeOutput.of(cls.execute(*args, **kwargs))

    @classmethod
    async def EXECUTE_NORMALIZED_ASYNC(cls, *args: Any, **kwargs: Any) -> NodeOutput:  # noqa: N802
        """The same for a coroutine."""
        return NodeOutput.of(await cls.execute(*args, **kwargs))


class LockedType(type):
    """The type of the classes that nodes run on: nothing can be kept on them, because each serves one call."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(
            f"'{name}' cannot be set on {cls.__name__} while it runs: V3 nodes keep no state on their class."
        )

    def __delattr__(cls, name: str) -> None:
        raise AttributeError(f"'{name}' cannot be removed from {cls.__name__} while it runs.")


def locked_clone(cls: type[ComfyNode], hidden: Mapping[str, Any]) -> type[ComfyNode]:
    """The class for one call, which knows `hidden` (wire name -> value) and cannot be changed."""
    kind: Any = LockedType
    if type(cls) is not type:
        kind = type("LockedType", (LockedType, type(cls)), {})
    body = {"hidden": HiddenHolder.from_dict(hidden), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    clone: type[ComfyNode] = kind(cls.__name__, (cls,), body)
    return clone


def overrides(cls: type[ComfyNode], method: str) -> bool:
    """Whether the node has its own `method` instead of `ComfyNode`'s."""
    own = getattr(cls, method)
    return getattr(own, "__func__", own) is not getattr(ComfyNode, method).__func__
