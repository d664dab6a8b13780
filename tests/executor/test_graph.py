"""Order, ancestors and cycles of a graph."""

import random

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.graph import CycleError, Graph, Link, Node, NodeId


def graph(text):
    """`a b:a c:a,b` is three nodes, of which b reads a, and c reads a and b."""
    nodes = []
    for word in text.split():
        node_id, _, sources = word.partition(":")
        inputs = {f"in{i}": Link(NodeId(source), 0) for i, source in enumerate(sources.split(",") if sources else ())}
        nodes.append(Node(NodeId(node_id), "T", inputs))
    return Graph(nodes)


ORDERS = [
    ("", None, ""),
    ("a b:a c:b", None, "a b c"),
    ("c:b b:a a", None, "a b c"),
    ("a b c:a,b", "c", "a b c"),
    ("a b c:b,a", "c", "b a c"),
    ("load text:load other:load s:text", "s", "load text s"),
    ("a x b y:x c:a,b z:y,c", "z", "x y a b c z"),  # a branch is complete before the next one begins
]


@pytest.mark.parametrize(("text", "targets", "expected"), ORDERS)
def test_sources_come_before_their_consumers(text, targets, expected):
    assert graph(text).order(None if targets is None else targets.split()) == tuple(expected.split())


CYCLES = [
    ("a:a", "a -> a"),
    ("a:b b:a", "a -> b -> a"),
    ("a b:a,d c:b d:c", "b -> c -> d -> b"),
    ("4:9 7:4 9:7", "4 -> 7 -> 9 -> 4"),
]


@pytest.mark.parametrize(("text", "path"), CYCLES)
def test_a_cycle_is_told_by_the_path_along_which_values_would_flow(text, path):
    found = graph(text)
    with pytest.raises(CycleError) as caught:
        found.order()
    assert set(caught.value.path) == set(path.split(" -> "))
    assert caught.value.path[0] == caught.value.path[-1]
    for earlier, later in zip(caught.value.path, caught.value.path[1:], strict=False):
        assert any(link.source == earlier for link in found.nodes[later].links())
    assert [" -> ".join(cycle) for cycle in found.cycles()] == [path]


def test_ancestors_and_consumers():
    found = graph("a b:a c:a d:b,c,b e:d")
    assert found.ancestors(["c"]) == {"a", "c"}
    assert found.ancestors(["d"]) == {"a", "b", "c", "d"}
    assert found.consumers == {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ("e",), "e": ()}
    assert tuple(found.only({"c", "a"}).nodes) == ("a", "c")


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(0, 2**32))
def test_any_acyclic_graph_is_ordered_like_networkx_would_accept(size, seed):
    rng = random.Random(seed)
    nodes = [
        Node(
            NodeId(str(i)),
            "T",
            {f"in{k}": Link(NodeId(str(rng.randrange(i))), 0) for k in range(rng.randrange(4)) if i},
        )
        for i in range(size)
    ]
    rng.shuffle(nodes)
    found = Graph(nodes)
    order = found.order()
    assert sorted(order) == sorted(found.nodes)
    position = {node_id: i for i, node_id in enumerate(order)}
    digraph = networkx.DiGraph([(link.source, node.id) for node in nodes for link in node.links()])
    assert all(position[source] < position[reader] for source, reader in digraph.edges)
    for target in list(found.nodes)[:3]:
        expected = {target} | (networkx.ancestors(digraph, target) if target in digraph else set())
        assert found.ancestors([target]) == expected == set(found.order([target]))


def test_a_chain_of_20000_nodes_is_no_depth():
    text = "n0 " + " ".join(f"n{i}:n{i - 1}" for i in range(1, 20_000))
    found = graph(text)
    assert found.order(["n19999"])[-1] == "n19999"
    assert len(found.components()) == 20_000
    closed = graph(text.replace("n0 ", "n0:n19999 ", 1))
    (component,) = closed.components()
    assert len(closed.cycle_within(component) or ()) == 20_001
    with pytest.raises(CycleError):
        closed.order()
