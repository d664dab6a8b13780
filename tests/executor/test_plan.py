"""What is to run and what is reused, decided from signatures and a cache alone."""

import pytest

from executor.cache import Memo, MemoryCache
from executor.graph import NodeId
from executor.plan import make_plan
from executor.prompt import parse_prompt
from executor.signature import signatures
from tests.executor.toys import chain, definitions, folders, prompt

KNOWN = definitions()
PICTURE = """
load = Number 1
text = Add load 2
other = Add load 3
sampler = Add text 4
decode = Add sampler 5
save = Show decode
look = Show other
"""

EVERY = "load text sampler decode save other look"
PLANS = [
    ("nothing cached", "", "save look", EVERY, ""),
    ("all cached", EVERY, "save look", "", EVERY),
    ("the sampler hides what is above it", "sampler", "save", "decode save", "sampler"),
    ("the loader stays cached unused", "load sampler", "save", "decode save", "load sampler"),
    ("an output hides everything", "save", "save", "", "save"),
    ("one branch needs the loader", "sampler", "save look", "decode save load other look", "sampler"),
    ("a hole in the middle", "load text decode", "save", "save", "load text decode"),
    ("only the target counts", "", "look", "load other look", ""),
]


@pytest.mark.parametrize(
    ("cached", "targets", "run", "reused"), [case[1:] for case in PLANS], ids=[case[0] for case in PLANS]
)
def test_plans(tmp_path, cached, targets, run, reused):
    parsed = parse_prompt(prompt(PICTURE), KNOWN, folders(tmp_path))
    wanted = [NodeId(target) for target in targets.split()]
    signed = signatures(parsed.graph, parsed.graph.order(wanted), KNOWN, {})
    everything = signatures(parsed.graph, parsed.graph.order(), KNOWN, {})
    cache = MemoryCache(2**20)
    for node_id in cached.split():
        cache.put(everything[NodeId(node_id)], Memo((), None, 1.0))
    plan, memos = make_plan(parsed.graph, wanted, signed, cache)
    assert set(plan.run) == set(run.split())
    assert set(plan.reused) == set(reused.split())
    position = {node_id: i for i, node_id in enumerate(plan.run)}
    for node_id in plan.run:
        for link in parsed.graph.nodes[node_id].links():
            assert position.get(link.source, -1) < position[node_id]
            assert link.source in position or signed[link.source] in memos


def test_the_plan_holds_what_it_relies_on_even_if_the_cache_forgets(tmp_path):
    parsed = parse_prompt(prompt(PICTURE), KNOWN, folders(tmp_path))
    signed = signatures(parsed.graph, parsed.graph.order(), KNOWN, {})
    cache = MemoryCache(2**20)
    kept = Memo(((1,),), None, 1.0)
    cache.put(signed[NodeId("sampler")], kept)
    plan, memos = make_plan(parsed.graph, [NodeId("save")], signed, cache)
    cache.clear()
    assert plan.run == ("decode", "save")
    assert memos == {signed[NodeId("sampler")]: kept}


def test_equal_work_is_planned_once(tmp_path):
    text = "a = Number 1\nb = Number 1\nc = Add a 2\nd = Add b 2\ne = Add c 3\nf = Add d 4\ns = Show e\nt = Show f"
    parsed = parse_prompt(prompt(text), KNOWN, folders(tmp_path))
    signed = signatures(parsed.graph, parsed.graph.order(), KNOWN, {})
    plan, _ = make_plan(parsed.graph, [NodeId("s"), NodeId("t")], signed, MemoryCache(2**20))
    assert plan.run == ("a", "c", "e", "s", "f", "t")
    assert plan.reused == ("b", "d")


def test_a_chain_of_20000_nodes_is_planned(tmp_path):
    parsed = parse_prompt(chain(20_000), KNOWN, folders(tmp_path))
    signed = signatures(parsed.graph, parsed.graph.order(), KNOWN, {})
    plan, _ = make_plan(parsed.graph, [NodeId("shown")], signed, MemoryCache(2**20))
    assert len(plan.run) == 20_002
