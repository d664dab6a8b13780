"""Every semantic that workflows and node packs rely on: the same of a V1 class, a V3 class and a typed function.

The toy nodes live in packs that a worker process loads from `custom_nodes`; expectations are stated once for all forms.
"""

import asyncio
import json

import pytest

from executor.events import NodePreview, NodeProgress, RunInterrupted
from tests.packs.bench import FORMS, plain

CLASSES = ("V1", "V3")


def check(packs, form, text, shown):
    """The run succeeds, and its output nodes show these values."""
    ran = packs.run(form, text)
    assert not ran.failed
    assert ran.ok
    assert ran.shown == shown
    return ran


INPUTS = {
    "a literal is one value": ("i = Increment value=4\ns = Show value=i", {"s": [5]}),
    "an input that is missing is not passed": ("j = Join a=1\ns = Show value=j", {"s": ["1-"]}),
    "a default stands in for a required input": ("i = Increment\ns = Show value=i", {"s": [1]}),
    "a literal under an undeclared name is dropped": ("i = Increment value=1 no=5\ns = Show value=i", {"s": [2]}),
    "a link under an undeclared name is passed, a literal is not": (
        "x = Increment value=1\nm = More a=1 other=x dropped=5\ns = Show value=m",
        {"s": ['[1, {"other": 2}]']},
    ),
    "a node may take anything under any name": (
        "x = Increment value=1\na = Anything p=1 q=x\ns = Show value=a",
        {"s": ['{"p": 1, "q": 2}']},
    ),
    "a raw link is delivered as it is": ("x = Increment\nr = Raw value=x\ns = Show value=r", {"s": ['["x", 0]']}),
    "a literal at a raw link stays a literal": ("r = Raw value=5\ns = Show value=r", {"s": ["5"]}),
    "a string class that is unequal to nothing takes every type": (
        "p = Picture\nj = Join a=p b=1\ns = Show value=j",
        {"s": ["['picture']1"]},
    ),
}
LISTS = {
    "a shorter list repeats its last element": (
        "a = Items count=3\nb = Items count=2\nj = Join a=a b=b\ns = Show value=j",
        {"s": ["00", "11", "21"]},
    ),
    "a node without inputs is called once": ("p = Picture\ns = Show value=p", {"s": [["picture"]]}),
    "a node that takes whole lists is called once": (
        "a = Items count=3\nb = Items count=2\nw = Whole a=a b=b\ns = Show value=w",
        {"s": ["[[0, 1, 2], [0, 1]]"]},
    ),
    "a node that takes whole lists takes empty ones, and literals as lists": (
        "a = Items count=0\nw = Whole a=a b=7\ns = Show value=w",
        {"s": ["[[], [7]]"]},
    ),
    "lists of outputs are joined over the calls, other outputs are collected": (
        "i = Items count=3\nn = Increment value=i\nf = Fan value=n\ns = Show value=f\nt = Show value=f.1",
        {"s": [1, 2, 2, 3, 3, 3], "t": [1, 2, 3]},
    ),
    "a blocker in the place of a list is one element": (
        "i = Items count=3\nf = Fan value=i\nj = Join a=f b=f.1\ne = Each value=j",
        {"e": ["11", "22", "22"]},
    ),
    "what the calls of one node show is joined": ("i = Items count=3\ne = Each value=i", {"e": [0, 1, 2]}),
}
EXPANSIONS = {
    "a node may expand into others": ("t = Twice value=1\ns = Show value=t", {"s": [3]}),
    "it expands for each element of a list": (
        "i = Items count=3\nt = Twice value=i\ns = Show value=t",
        {"s": [2, 3, 4]},
    ),
    "some elements may expand and others not": (
        "i = Items count=4\nm = Mixed value=i\ns = Show value=m",
        {"s": [1, 10, 3, 30]},
    ),
    "an expansion may expand, hundreds of times": ("r = Repeat value=5 times=300\ns = Show value=r", {"s": [305]}),
    "an object may be handed to what is expanded into": (
        "c = Carry value=1\ns = Show value=c",
        {"s": ["{1}[1, 0]"]},
    ),
    "a loop is its own nodes expanded again and again": (
        "o = LoopOpen value=0\ni = Increment value=o.1\nb = Below value=i limit=100\n"
        "c = LoopClose flow=o again=b value=i\ns = Show value=c",
        {"s": [100]},
    ),
    "a result that is a whole list of another node's does not move the other results": (
        "m = Many count=3\ns = Show value=m\nt = Show value=m.1",
        {"s": [0, 1, 2], "t": [3]},
    ),
    "a link that was delivered raw leads where it led": (
        "i = Increment value=1\nd = Defer value=i\ns = Show value=d",
        {"s": [3]},
    ),
    "what was expanded feeds on": ("t = Twice value=1\nu = Twice value=t\ns = Show value=u", {"s": [5]}),
}
BLOCKERS = {
    "a blocked node is not called, and blocks what follows": (
        "b = Block value=1\nj = Join a=b\ne = Each value=j",
        {},
    ),
    "in a list only the blocked element is left out": (
        "i = Items count=4\nb = Block value=i\ne = Each value=b",
        {"e": [0, 2]},
    ),
    "one blocked element blocks a node that takes whole lists": (
        "i = Items count=4\nb = Block value=i\ns = Show value=b",
        {},
    ),
    "a bare blocker fills every output": ("b = BlockBoth\ne = Each value=b\nf = Each value=b.1", {}),
    "other outputs are not concerned": (
        "b = Block value=1\ne = Each value=b\nf = Each value=5",
        {"f": [5]},
    ),
}
ASYNC = {
    "two async nodes overlap": (
        "a = Meet value=1 key=nodes count=2\nb = Meet value=2 key=nodes count=2\ns = Show value=a\nt = Show value=b",
        {"s": [1], "t": [2]},
    ),
    "the calls of one async node overlap": (
        "i = Items count=3\nm = Meet value=i key=calls count=3\ns = Show value=m",
        {"s": [0, 1, 2]},
    ),
    "each call knows where it is": (
        "i = Items count=2\nw = Where value=i\ns = Show value=w",
        {"s": ['["w", 0]', '["w", 1]']},
    ),
}


def cases(table):
    """A row for each case and form."""
    return pytest.mark.parametrize(("text", "shown"), table.values(), ids=table.keys())


@pytest.mark.parametrize("form", FORMS)
class TestEachForm:
    @cases(INPUTS)
    def test_inputs(self, packs, form, text, shown):
        check(packs, form, text, shown)

    @cases(LISTS)
    def test_lists(self, packs, form, text, shown):
        check(packs, form, text, shown)

    @cases(EXPANSIONS)
    def test_expansions(self, packs, form, text, shown):
        check(packs, form, text, shown)

    @cases(BLOCKERS)
    def test_blockers(self, packs, form, text, shown):
        check(packs, form, text, shown)

    @cases(ASYNC)
    def test_async(self, packs, form, text, shown):
        text = text.replace("key=", f"key={form}-")
        check(packs, form, text, shown)

    # 2.3 Hidden inputs

    def test_a_node_knows_itself_and_its_run(self, packs, form):
        ran = packs.run(form, "k = Knows\ns = Show value=k", extra_pnginfo={"workflow": {"n": 1}})
        assert [json.loads(text) for text in ran.shown["s"]] == [["k", ["k", "s"], {"workflow": {"n": 1}}, "k", None]]

    def test_with_whole_lists_hidden_inputs_of_v1_are_lists_too(self, packs, form):
        told = '[[0, 1], ["k"]]' if form == "V1" else '[[0, 1], "k"]'
        check(packs, form, "i = Items count=2\nk = KnowsWhole value=i\ns = Show value=k", {"s": [told]})

    def test_credentials_reach_those_that_ask(self, packs, form):
        credentials = {"API_KEY_COMFY_ORG": "key", "AUTH_TOKEN_COMFY_ORG": "token"}
        ran = packs.run(form, "k = Key\ns = Show value=k", credentials=credentials)
        assert ran.shown == {"s": ['["key", "token"]']}

    # 2.2 Targets

    def test_of_the_outputs_only_those_that_are_wanted_run_and_what_they_need(self, packs, form):
        text = "e = Each value=1\ns = Show value=e\nt = Show value=2"
        assert packs.run(form, text, targets=("s",)).shown == {"e": [1], "s": [1]}
        assert packs.run(form, text, targets=("t",)).shown == {"t": [2]}

    # 2.4 Lists

    def test_an_empty_list_is_the_failure_of_the_node_that_maps_over_it(self, packs, form):
        ran = packs.run(form, "i = Items count=0\nn = Increment value=i\ns = Show value=n\nt = Show value=i")
        assert set(ran.failed) == {"n"}
        assert "value" in ran.failed["n"].message
        assert ran.shown == {"t": []}

    # 2.5 Lazy inputs

    @pytest.mark.parametrize(("which", "shown", "spared"), [("true", 2, "no"), ("false", 3, "yes")])
    def test_only_the_lazy_input_that_is_asked_for_is_made(self, packs, form, which, shown, spared):
        text = f"y = Increment value=1\nn = Increment value=2\ne = Either which={which} yes=y no=n\ns = Show value=e"
        ran = check(packs, form, text, {"s": [shown]})
        assert spared[0] not in ran.executed
        assert ("e", True) in ran.began or ("e", False) in ran.began

    def test_the_choice_may_be_made_by_a_list(self, packs, form):
        text = "i = Items count=2\ny = Increment value=1\nn = Increment value=2\n"
        ran = check(packs, form, f"{text}e = Either which=i yes=y no=n\ns = Show value=e", {"s": [3, 2]})
        assert {"y", "n"} <= ran.executed

    def test_a_node_asks_for_one_input_after_the_other(self, packs, form):
        text = "x = Increment value=1\ny = Increment value=20\nz = Fail value=1\nf = FirstBig a=x b=y c=z\n"
        ran = check(packs, form, f"{text}s = Show value=f", {"s": ["[2, 21, null]"]})
        assert "z" not in ran.executed
        assert ran.began.count(("f", True)) >= 1

    @pytest.mark.parametrize(("wanted", "shown"), [("true", "[0, 1]"), ("false", "[null]")])
    def test_a_node_of_whole_lists_waits_too(self, packs, form, wanted, shown):
        text = f"i = Items count=2\nw = LazyWhole value=i wanted={wanted}\ns = Show value=w"
        ran = check(packs, form, text, {"s": [shown]})
        assert ("i" in ran.executed) is (wanted == "true")

    def test_asking_for_an_input_that_is_not_linked_is_a_failure(self, packs, form):
        ran = packs.run(form, "i = Increment\ne = Either which=true no=i\ns = Show value=e")
        assert set(ran.failed) == {"e"}
        assert "'yes'" in ran.failed["e"].message

    # 2.6 Fingerprints

    def test_what_a_fingerprint_sees_decides_what_runs_again(self, packs, form, tmp_path):
        file = tmp_path / "watched.txt"
        text = f"w = Watched path={file}\ns = Show value=w"
        file.write_text("one")
        assert "w" in check(packs, form, text, {"s": ["one-"]}).executed
        assert "w" not in check(packs, form, text, {"s": ["one-"]}).executed
        file.write_text("two")
        assert check(packs, form, text, {"s": ["two-"]}).executed == {"w", "s"}

    def test_a_fingerprint_that_equals_nothing_runs_its_node_every_time(self, packs, form, tmp_path):
        (tmp_path / "watched.txt").write_text("one")
        text = f"w = Watched path={tmp_path / 'watched.txt'} mode=never\ns = Show value=w\nt = Show value=1"
        for _ in range(2):
            ran = check(packs, form, text, {"s": ["one-"], "t": [1]})
            assert {"w", "s"} <= ran.executed
        assert "t" not in ran.executed

    def test_a_fingerprint_does_not_see_what_is_linked(self, packs, form, tmp_path):
        (tmp_path / "watched.txt").write_text("one")
        text = f"n = Increment value=1\nw = Watched path={tmp_path / 'watched.txt'} value=n\ns = Show value=w"
        check(packs, form, text, {"s": ["one2"]})
        assert "w" not in check(packs, form, text, {"s": ["one2"]}).executed

    def test_a_fingerprint_that_a_client_sends_is_not_believed(self, packs, form, tmp_path):
        def as_saved(wire):
            wire["w"]["is_changed"] = ["an old one"]
            return wire

        (tmp_path / "watched.txt").write_text("one")
        text = f"w = Watched path={tmp_path / 'watched.txt'}\ns = Show value=w"
        assert packs.run(form, text, changed=as_saved).shown == {"s": ["one-"]}
        (tmp_path / "watched.txt").write_text("two")
        assert packs.run(form, text, changed=as_saved).shown == {"s": ["two-"]}

    # 2.7 Validation

    @pytest.mark.parametrize(
        ("node", "wrong"),
        [
            ("Checked value=8", []),
            ("Checked value=3", [("custom_validation_failed", "value", "must be even")]),
            ("Checked value=2 factor=8", [("value_bigger_than_max", "factor", "")]),
            ("CheckedAll value=8 factor=9", []),
            ("CheckedAll value=13", [("exception_during_validation", None, "it brings bad luck")]),
            ("CheckedTypes value=i", []),
            ("CheckedTypes value=j", []),
            ("CheckedTypes value=p", [("custom_validation_failed", "value", "IMAGE is no text")]),
            ("Increment value=p", [("return_type_mismatch", "value", "IMAGE")]),
            ("Increment value=j", [("return_type_mismatch", "value", "STRING")]),
        ],
    )
    def test_a_validation_replaces_the_checks_of_what_it_names(self, packs, form, node, wrong):
        text = f"i = Increment\nj = Join a=1\np = Picture\nc = {node}\ns = Show value=c\nt = Show value=i"
        errors = [error for error in packs.refused(form, text) if error.node_id == "c"]
        assert [(error.type, error.extra_info.get("input_name")) for error in errors] == [
            (kind, name) for kind, name, _ in wrong
        ]
        for error, (_, _, said) in zip(errors, wrong, strict=True):
            assert said in error.details
        assert not packs.run(form, text).shown.get("s") if wrong else packs.run(form, text).shown["s"]

    def test_a_node_may_be_asked_asynchronously(self, packs, form, tmp_path):
        file = tmp_path / "watched.txt"
        text = f"w = Later path={file}\ns = Show value=w"
        (error,) = [error for error in packs.refused(form, text) if error.node_id == "w"]
        assert (error.type, error.extra_info["input_name"]) == ("custom_validation_failed", "path")
        assert "there is no such file" in error.details
        for content in ("one", "two"):
            file.write_text(content)
            assert "w" in check(packs, form, text, {"s": [content]}).executed

    # 2.8 Expansion

    def test_expanded_nodes_know_where_they_come_from(self, packs, form):
        ran = packs.run(form, "r = Reveal value=5\ns = Show value=r")
        (told,) = ran.shown["s"]
        me, sent, extra, real, parent = json.loads(told)
        assert (me, sent, extra, real, parent) == ("r.0.0.2", ["r", "s"], {}, "r", "r")
        assert {node_id: (origin.display_id, origin.real_id) for node_id, origin in ran.added.items()} == {
            "r.0.0.1": ("r", "r"),
            "r.0.0.2": ("r", "r"),
        }

    def test_output_nodes_inside_of_an_expansion_run(self, packs, form):
        ran = packs.run(form, "r = Reveal value=5 display=other\ns = Show value=r")
        assert ran.shown["r.0.0.1"] == [5]
        assert ran.added["r.0.0.1"].display_id == "other"
        assert ran.added["r.0.0.2"].display_id == "r"

    def test_every_turn_of_a_loop_is_shown_as_the_nodes_that_were_sent(self, packs, form):
        text = "o = LoopOpen value=0\ni = Increment value=o.1\nb = Below value=i limit=4\n"
        ran = packs.run(form, f"{text}c = LoopClose flow=o again=b value=i\ns = Show value=c")
        assert {(origin.display_id, origin.real_id) for origin in ran.added.values()} == {
            (node_id, "c") for node_id in "oibc"
        }

    def test_a_circle_that_an_expansion_closes_is_the_failure_of_its_maker(self, packs, form):
        ran = packs.run(form, "c = Circle value=1\ns = Show value=c\nt = Show value=2")
        assert {node_id: event.exception_type for node_id, event in ran.failed.items()} == {
            "c": "graph.DependencyCycleError"
        }
        assert ran.shown == {"t": [2]}

    def test_a_failure_inside_is_told_of_the_node_that_was_sent(self, packs, form):
        ran = packs.run(form, "x = ExpandFail value=1\ns = Show value=x")
        (event,) = ran.failed.values()
        assert (event.node_id, event.class_type, event.message) == ("x", f"{form}.ExpandFail", "deep down")

    def test_an_expansion_is_remembered_as_a_whole(self, packs, form):
        text = "r = Repeat value=5 times=20\ns = Show value=r"
        assert len(check(packs, form, text, {"s": [25]}).executed) == 1 + 20 + 20 + 1
        assert check(packs, form, text, {"s": [25]}).executed == set()

    # 2.9 Blockers

    def test_a_message_is_told_once_at_the_first_node_that_it_stops(self, packs, form):
        ran = packs.run(form, "b = Block value=1 message=stop\nj = Join a=b\nk = Join a=j\ne = Each value=k")
        assert (ran.ok, ran.shown, ran.blocked) == (True, {}, {"j": "stop"})

    # 2.11 Identity

    def test_ids_do_not_matter(self, packs, form):
        check(packs, form, "a = Increment value=41\nb = Join a=a b=x\ns = Show value=b", {"s": ["42x"]})
        ran = check(packs, form, "p = Increment value=41\nq = Join a=p b=x\nr = Show value=q", {"r": ["42x"]})
        assert ran.executed == set()

    def test_the_id_matters_to_a_node_that_asks_for_it(self, packs, form):
        packs.run(form, "k = Knows\ns = Show value=k")
        assert packs.run(form, "k = Knows\ns = Show value=k").executed <= {"k", "s"}
        ran = packs.run(form, "other = Knows\ns = Show value=other")
        assert "other" in ran.executed
        assert json.loads(ran.shown["s"][0])[0] == "other"

    def test_nodes_that_are_not_idempotent_are_no_twins(self, packs, form):
        text = "a = Made name=n\nb = Made name=n\ns = Show value=a\nt = Show value=b"
        ran = packs.run(form, text)
        assert sorted(ran.shown["s"] + ran.shown["t"]) == [1, 2]
        assert packs.run(form, text).shown == ran.shown

    # 2.12 Errors and interruption

    def test_a_failure_says_what_and_where_and_stops_only_what_depends_on_it(self, packs, form):
        ran = packs.run(form, "f = Fail value=7 message=oops\ns = Show value=f\nt = Show value=3")
        (event,) = ran.failed.values()
        assert (event.node_id, event.class_type, event.exception_type) == ("f", f"{form}.Fail", "ArithmeticError")
        assert (event.message, event.current_inputs) == ("oops", {"value": "7", "message": "oops"})
        assert (ran.ok, ran.shown) == (False, {"t": [3]})

    def test_an_interruption_is_heard_at_the_next_step(self, packs, form):
        async def stop(event):
            if isinstance(event, NodeProgress):
                await packs.worker.interrupt("job")

        packs.hear = stop
        try:
            ran = packs.run(form, "e = Endless\ns = Show value=e")
        finally:
            packs.hear = None
        assert isinstance(ran.events[-1], RunInterrupted)
        assert ran.events[-1].node_id == "e"

    # 2.13 Progress

    def test_progress_is_told_of_the_node_that_makes_it(self, packs, form):
        ran = check(packs, form, "p = Steps count=3\ns = Show value=p", {"s": [3]})
        assert {node_id for node_id, _, _ in ran.progress} == {"p"}
        assert [(value, total) for _, value, total in ran.progress if value != 2] == [(1, 3), (3, 3)]

    def test_two_runs_at_once_hear_of_their_own_nodes_only(self, packs, form):
        def text(name, count):
            return f"{name} = Steps count={count}\nw{name} = Where value={name}\ns{name} = Show value=w{name}"

        async def both():
            return await asyncio.gather(
                packs.run_later(form, text("a", 4), job_id="first"),
                packs.run_later(form, text("b", 5), job_id="second"),
            )

        for ran, name, count in zip(packs.wait(both()), "ab", (4, 5), strict=True):
            assert ran.shown == {f"s{name}": [f'["w{name}", 0]']}
            assert {(node_id, total) for node_id, _, total in ran.progress} == {(name, count)}

    def test_a_picture_of_unfinished_work_is_told(self, packs, form):
        ran = check(packs, form, "p = Paints\ns = Show value=p", {"s": [1]})
        (event,) = [event for event in ran.events if isinstance(event, NodePreview)]
        assert (event.node_id, event.preview.media_type) == ("p", "image/jpeg")


# What only classes have


@pytest.mark.parametrize("form", CLASSES)
class TestEachClass:
    def test_a_lazy_input_is_never_made_if_nobody_can_ask_for_it(self, packs, form):
        ran = check(packs, form, "i = Increment\nu = Unasked value=i\ns = Show value=u", {"s": ["null"]})
        assert "i" not in ran.executed

    @pytest.mark.parametrize("result", ["tuple", "list", "dict", "ui"])
    def test_a_result_may_have_several_forms(self, packs, form, result):
        ran = packs.run(form, f"r = Returns form={result}\ns = Show value=r")
        assert ran.shown == {"s": [1]} | ({"r": [9]} if result == "ui" else {})

    def test_a_complaint_is_repeated_for_each_input_that_was_shown(self, packs, form):
        errors = packs.refused(form, "c = CheckedAll factor=200\ns = Show value=c")
        named = {error.extra_info.get("input_name") for error in errors if error.type == "custom_validation_failed"}
        assert named == {"value", "factor"}

    def test_a_fingerprint_that_fails_equals_nothing(self, packs, form, tmp_path):
        (tmp_path / "watched.txt").write_text("one")
        text = f"w = Watched path={tmp_path / 'watched.txt'} mode=raise\ns = Show value=w"
        for _ in range(2):
            assert "w" in check(packs, form, text, {"s": ["one-"]}).executed


def test_a_v1_object_keeps_its_attributes_and_a_v3_class_has_none(packs):
    packs.run("V1", "k = Keeps value=1\ns = Show value=k")
    check(packs, "V1", "k = Keeps value=2\ns = Show value=k", {"s": ["[1, 2]"]})
    assert set(packs.run("V3", "k = Keeps value=1\ns = Show value=k").failed) == {"k"}


def test_a_v3_class_expands_only_if_its_schema_says_so(packs):
    ran = packs.run("V3", "u = Unexpected\ns = Show value=u")
    assert set(ran.failed) == {"u"}
    assert "enable_expand" in ran.failed["u"].message


def test_an_output_node_of_v3_knows_its_run_without_asking(packs):
    ran = packs.run("V3", "k = KnowsUnasked", extra_pnginfo={"workflow": {}})
    assert ran.shown == {"k": [["k"], {"workflow": {}}]}


# What only V3 and typed functions have: sockets that depend on values


DYNAMIC = {
    "inputs depend on a choice": (
        "c = Choose mode=scale mode.factor=3\ns = Show value=c",
        {"s": ['{"factor": 3, "mode": "scale"}']},
    ),
    "what they are not given is their default": (
        "p = Picture\nc = Choose mode=both mode.left=p\ns = Show value=c",
        {"s": ['{"left": ["picture"], "mode": "both", "right": "r"}']},
    ),
    "sockets grow": (
        "i = Increment\ng = Grow values.value0=i values.value1=5\ns = Show value=g",
        {"s": ['{"value0": 1, "value1": 5}']},
    ),
    "sockets match": ("i = Increment\nm = Match a=i b=i\ns = Show value=m", {"s": [1, 1]}),
}


@pytest.mark.parametrize("form", ["V3", "Typed"])
@cases(DYNAMIC)
def test_sockets_that_depend_on_values(packs, form, text, shown):
    check(packs, form, text, shown)


@pytest.mark.parametrize("form", ["V3", "Typed"])
@pytest.mark.parametrize(
    ("node", "kind", "name"),
    [
        ("Choose mode=scale mode.factor=9", "value_bigger_than_max", "mode.factor"),
        ("Choose mode=other", "value_not_in_list", "mode"),
        ("Choose mode=both mode.left=i", "return_type_mismatch", "mode.left"),
        ("Match a=p b=p", "return_type_mismatch", "a"),
        ("Increment value=m", "return_type_mismatch", "value"),
    ],
)
def test_sockets_that_depend_on_values_are_checked(packs, form, node, kind, name):
    text = f"i = Increment\nj = Join a=1\np = Picture\nm = Match a=j b=j\nc = {node}\ns = Show value=c"
    errors = [error for error in packs.refused(form, text) if error.node_id == "c"]
    assert (kind, name) in [(error.type, error.extra_info.get("input_name")) for error in errors]


# The three forms are one


def described(definition):
    """A definition without what is the form's own: where it comes from, and how it is worded."""
    inputs = [
        (socket.name, socket.type, socket.required, socket.lazy, socket.raw_link, plain(socket.options))
        for socket in definition.inputs
    ]
    outputs = [(socket.type, socket.is_list) for socket in definition.outputs]
    return (inputs, outputs, definition.is_output, definition.input_is_list, definition.per_id, definition.checks)


def test_the_packs_are_loaded_with_all_their_nodes(packs):
    reports = {report.name: report for report in packs.wait(packs.worker.packs()).packs}
    assert {name: report.error for name, report in reports.items()} == dict.fromkeys(
        ("toys_typed", "toys_v1", "toys_v3")
    )
    definitions = packs.wait(packs.worker.definitions())
    for report in reports.values():
        assert {definitions[name].python_module for name in report.node_types} == {f"custom_nodes.{report.name}"}
    assert definitions["V1.Items"].display_name == "Items of V1"


@pytest.mark.parametrize("name", ["Items", "Show", "Fan", "Checked", "CheckedTypes", "Made", "Twice", "Block", "Meet"])
def test_the_three_forms_define_the_same_node(packs, name):
    definitions = packs.wait(packs.worker.definitions())
    v1, v3, typed = (described(definitions[f"{form}.{name}"]) for form in FORMS)
    assert v3[1:] == v1[1:] == typed[1:]
    assert [one[:5] for one in v3[0]] == [one[:5] for one in v1[0]] == [one[:5] for one in typed[0]]


# 2.14 on_prompt


def test_packs_see_every_request_first_and_one_that_fails_costs_nothing(packs):
    assert packs.wait(packs.worker.packs()).rewrites_prompts
    rewritten = packs.wait(packs.worker.rewrite_prompt({"prompt": {}}))
    assert rewritten == {"prompt": {}, "extra_data": {"seen_by": "toys_v1", "seen_by_v3": True}}
