"""How node types come to be known: our own and those of packs by one path, and who may take whose name."""

from types import ModuleType

from executor.schema import NodeDefinition, NodeType, Result
from nodes.builtin import builtin_nodes
from nodes.declare import node
from nodes.registration import BUILT_IN, Origin, register, typed_nodes


def offered(module: str, *names: str) -> dict[str, NodeType]:
    return {name: NodeType(NodeDefinition(name, (), (), "", name, python_module=module), Result) for name in names}


def test_a_later_pack_replaces_an_earlier_one_and_nobody_what_is_built_in() -> None:
    known: dict[str, NodeType] = {}
    assert register(known, offered(BUILT_IN, "Own")) == ()
    assert register(known, offered("custom_nodes.a", "Own", "A", "Both")) == ("Own",)
    assert register(known, offered("custom_nodes.b", "Both", "Own")) == ("Own",)
    origins = {name: node_type.definition.python_module for name, node_type in known.items()}
    assert origins == {"Own": BUILT_IN, "A": "custom_nodes.a", "Both": "custom_nodes.b"}


def test_typed_functions_get_the_origin_of_their_pack() -> None:
    @node("Doubled", category="toys", version=3)
    def doubled(*, x: int) -> int:
        return 2 * x

    class Answering:
        """Answers to every name, and fails for some."""

        def __getattr__(self, name: str) -> str:
            raise OSError(name)

    module = ModuleType("toys")
    doubled.__module__ = "toys"
    vars(module).update(doubled=doubled, strange=Answering())
    made = typed_nodes([module, ModuleType("without_nodes")], Origin("custom_nodes.toys", "digest"))
    definition = made["Doubled"].definition
    assert (definition.python_module, definition.version) == ("custom_nodes.toys", "digest 3")


def test_our_own_nodes_keep_their_version_and_are_built_in() -> None:
    definitions = [node_type.definition for node_type in builtin_nodes().values()]
    # What only packs have elsewhere is not built in, so that a pack of that name may take its place.
    assert {definition.python_module for definition in definitions} == {BUILT_IN, f"{BUILT_IN}.extra"}
    assert {type(definition.version) for definition in definitions} == {int}
