"""What changes a node's signature, and what does not."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.prompt import parse_prompt
from executor.signature import encode, signatures
from tests.executor.toys import chain, definitions, folders, prompt

KNOWN = definitions()


def sign(tmp_path, wire, fingerprints=None, known=KNOWN):
    parsed = parse_prompt(wire, known, folders(tmp_path))
    assert parsed.validation.errors == ()
    return signatures(parsed.graph, parsed.graph.order(), known, fingerprints or {})


BASE = "a = Number 3\nb = Add a 1\nc = Divide 7 2\nd = Add c 1\ns = Show b\nt = Show d\nu = Show a"

CHANGES = [
    ("nothing", BASE, "", ""),
    ("a literal", BASE.replace("Add a 1", "Add a 2"), "b s", "a c d t"),
    ("the other output", BASE.replace("Add c 1", "Add c.1 1"), "d t", "a b c s"),
    ("the source", BASE.replace("Add a 1", "Add c 1"), "b s", "a c d t"),
    ("the class", BASE.replace("Add a 1", "Nap a 1"), "b s", "a c d t"),
    ("a default made explicit", BASE.replace("Add a 1", "Add a"), "", "a b c d s t"),
]


@pytest.mark.parametrize(("text", "changed", "same"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_a_change_signs_anew_what_it_reaches_and_nothing_else(tmp_path, text, changed, same):
    before, after = sign(tmp_path, prompt(BASE)), sign(tmp_path, prompt(text))
    for node_id in changed.split():
        assert before[node_id] != after[node_id]
    for node_id in same.split():
        assert before[node_id] == after[node_id]


def test_version_and_fingerprint_are_signed(tmp_path):
    before = sign(tmp_path, prompt(BASE))
    newer = KNOWN | {"Add": replace(KNOWN["Add"], version=2)}
    after = sign(tmp_path, prompt(BASE), known=newer)
    assert {node_id for node_id in before if before[node_id] != after[node_id]} == set("bdst")
    printed = sign(tmp_path, prompt(BASE), {"c": "digest"})
    assert {node_id for node_id in before if before[node_id] != printed[node_id]} == set("cdt")
    assert printed["c"] != sign(tmp_path, prompt(BASE), {"c": "other"})["c"]


@given(st.permutations("abcdstu"), st.randoms(use_true_random=False))
def test_ids_and_their_order_do_not_matter(tmp_path_factory, ids, rng):
    tmp_path = tmp_path_factory.mktemp("ids")
    renamed = dict(zip("abcdstu", (f"node {name}" for name in ids), strict=True))
    wire = prompt(BASE)
    other = {
        renamed[node_id]: {
            **node,
            "inputs": {
                name: [renamed[value[0]], value[1]] if isinstance(value, list) else value
                for name, value in rng.sample(list(node["inputs"].items()), len(node["inputs"]))
            },
        }
        for node_id, node in rng.sample(list(wire.items()), len(wire))
    }
    before, after = sign(tmp_path, wire), sign(tmp_path, other)
    assert {renamed[node_id]: signature for node_id, signature in before.items()} == after


def test_two_recipes_never_meet(tmp_path):
    """A recorded value: whoever changes the pre-image must change RECIPE too, and then this text."""
    signed = sign(tmp_path, prompt("a = Number 3\ns = Show a"))
    assert signed["a"] == "7d07df8e5116900363ee8415d0d8ca0fdeff46d7005d7cd95a06862761719d18"
    assert signed["s"] == "a9d01d2ddcd91ec42d7d5edcf6524acbc2824aaf7414d2258240a64d6c1a10bd"


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def typed(value):
    """A value with its types spelled out, so that 1, 1.0 and True differ under ==."""
    if isinstance(value, list):
        return ["list", *map(typed, value)]
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [type(value).__name__, repr(value)]


@given(LITERALS, LITERALS)
def test_literals_have_equal_bytes_only_if_they_are_the_same(one, other):
    assert (encode(one) == encode(other)) == (typed(one) == typed(other))


@given(st.lists(LITERALS, max_size=4), st.lists(LITERALS, max_size=4))
def test_no_encoding_begins_another(some, others):
    joined = [b"".join(map(encode, values)) for values in (some, others)]
    assert (joined[0] == joined[1]) == (typed(some) == typed(others))


@pytest.mark.parametrize(
    "pair", [(1, 1.0), (1, True), (0, False), (1, "1"), (None, "null"), ([], {}), ([1], [[1]]), ("", [])]
)
def test_look_alikes_differ(pair):
    assert encode(pair[0]) != encode(pair[1])


def test_what_json_cannot_say_is_refused():
    with pytest.raises(TypeError, match="object"):
        encode([object()])


def test_a_deep_literal_is_no_recursion():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    assert encode(deep).startswith(b"[1:[1:")


def test_a_chain_of_20000_nodes_is_signed(tmp_path):
    signed = sign(tmp_path, chain(20_000))
    assert len(set(signed.values())) == 20_002
    wire = chain(20_000)
    wire["n0"]["inputs"]["value"] = random.Random(0).randrange(1, 1000)
    assert not set(sign(tmp_path, wire).values()) & set(signed.values())
