"""Bad input (BI): whatever is posted, the answer says what is wrong with it and where, and the next job runs.

KNOWN lists what fails today, and why.
"""

import copy
import json
import threading
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.reliability.cases import Case, Table, run_case
from tests.reliability.corpus import GRAPH, MALFORMED, nested
from tests.reliability.stand import ENDED, Answer, Stand, node, patience, saving

KNOWN = {
    "BI-12 an input that nobody declared is dropped with a warning": (
        "the answer of /prompt has no place for warnings yet: Validation and server/protocol/prompts need one"
    ),
}

cases = Table(known=KNOWN)


def errors_of(answer: Answer, node_id: str) -> list[dict[str, Any]]:
    """What is said of one node of a refused prompt."""
    assert answer.status == 400, answer.text
    return answer.json()["node_errors"][node_id]["errors"]


def refused(stand: Stand, nodes: dict[str, Any], node_id: str, *words: str) -> None:
    """The prompt is refused, and what is said of the node holds all the words."""
    said = json.dumps(errors_of(stand.prompt(nodes), node_id))
    for word in words:
        assert word in said, f"{word!r} is not in {said}"


def with_input(node_id: str, **inputs: Any) -> dict[str, Any]:
    """The valid graph with some inputs replaced; `...` takes one away."""
    graph = copy.deepcopy(GRAPH)
    graph[node_id]["inputs"] |= inputs
    graph[node_id]["inputs"] = {name: value for name, value in graph[node_id]["inputs"].items() if value is not ...}
    return graph


@cases("BI-01", "every malformed body is refused with the place that is wrong")
def malformed(stand: Stand) -> None:
    assert len(MALFORMED) >= 40
    for name, body, place in MALFORMED:
        answer = stand.post("/prompt", body)
        assert answer.status == 400, (name, answer.status, answer.text[:300])
        assert place in answer.text, (name, place, answer.text[:300])


@cases("BI-02", "all unknown node types are named at once")
def unknown_types(stand: Stand) -> None:
    graph = saving(1) | {str(i): node(f"Nowhere{i}") for i in (11, 12, 13)}
    for i in (11, 12, 13):
        refused(stand, graph, str(i), f"Nowhere{i}", "pack")


@cases("BI-03", "a missing, null, wrong, out of range or unlisted value is refused with its node and field")
def bad_values(stand: Stand) -> None:
    for field, value, words in [
        ("width", "wide", ("width", "wide")),
        ("width", {"a": 1}, ("width",)),
        ("width", 0, ("width", "min")),
        ("width", 10**6, ("width", "max")),
        ("batch_size", -5, ("batch_size",)),
        ("color", 2**40, ("color",)),
    ]:
        refused(stand, with_input("1", **{field: value}), "1", *words)
    for field, value, words in [
        ("upscale_method", "magic", ("upscale_method", "magic", "bicubic")),
        ("upscale_method", 5, ("upscale_method", "5")),
        ("scale_by", "much", ("scale_by", "much")),
        ("scale_by", 1e9, ("scale_by",)),
        ("image", ..., ("image",)),
        ("image", 5, ("image",)),
    ]:
        refused(stand, with_input("3", **{field: value}), "3", *words)


@cases("BI-04", "a number that is none, not finite, too large or would be rounded is refused")
def odd_numbers(stand: Stand) -> None:
    for field, node_id in (("width", "1"), ("scale_by", "3")):
        for literal in ("NaN", "Infinity", "-Infinity", "1e400", str(10**30), "true"):
            text = json.dumps({"prompt": with_input(node_id, **{field: "HERE"})}).replace('"HERE"', literal)
            answer = stand.post("/prompt", text.encode())
            assert answer.status == 400, (field, literal, answer.text)
            assert field in answer.text, (field, literal, answer.text)
    refused(stand, with_input("1", width=16.9), "1", "width", "16.9")


@cases("BI-04", "a number in another form is taken without loss")
def lossless(stand: Stand) -> None:
    for width in ("16", 16.0, 16):
        job = stand.run(with_input("1", width=width))
        assert job["status"] == "completed", job


@cases("BI-05", "a link that leads nowhere is blamed on the node that has it")
def bad_links(stand: Stand) -> None:
    for link in (["999", 0], ["1", 7], ["1", -1], ["1", 2**31], ["1", "0"], [["1"], 0], [{"a": 1}, 0], ["1"], []):
        refused(stand, with_input("2", images=link), "2", "images")
    refused(stand, with_input("2", images=["999", 0]), "2", "999")


@cases("BI-06", "a circle is refused with its nodes in order")
def circles(stand: Stand) -> None:
    for length in (1, 2, 3, 1000):
        graph: dict[str, Any] = {
            f"n{i}": node("ImageScaleBy", image=[f"n{(i + 1) % length}", 0], upscale_method="bicubic", scale_by=1.0)
            for i in range(length)
        }
        graph["out"] = node("SaveImage", images=["n0", 0], filename_prefix="circle")
        answer = stand.prompt(graph)
        told = [
            error["extra_info"]["cycle_nodes"]
            for entry in answer.json()["node_errors"].values()
            for error in entry["errors"]
            if error["type"] == "dependency_cycle"
        ]
        assert answer.status == 400, answer.text[:500]
        assert len(told) == 1, told
        assert sorted(told[0]) == sorted(f"n{i}" for i in range(length))
        steps = [int(name[1:]) for name in told[0]]
        assert all((b - a) % length in (1 % length, -1 % length) for a, b in pairwise(steps))
        assert min(stand.prompt(graph).seconds for _ in range(5)) <= 0.05 * patience()


@cases("BI-06", "a circle in an island that nothing needs stops nobody")
def circle_island(stand: Stand) -> None:
    island = {
        "x": node("ImageScaleBy", image=["y", 0], upscale_method="bicubic", scale_by=1.0),
        "y": node("ImageScaleBy", image=["x", 0], upscale_method="bicubic", scale_by=1.0),
    }
    assert stand.run(saving(2) | island)["status"] == "completed"


@cases("BI-07", "a link between unlike sockets names both nodes and both types")
def type_mismatch(stand: Stand) -> None:
    graph = {
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "2": node("SaveImage", images=["4", 0], filename_prefix="x"),
    }
    refused(stand, graph, "2", "images", "LATENT", "IMAGE", '"4"')


@cases("BI-08", "a malformed node that nothing needs harms nobody")
def unused_malformed(stand: Stand) -> None:
    for entry in ({"class_type": "EmptyImage"}, node("EmptyImage", width=["999", 0]), node("EmptyImage", junk={})):
        assert stand.run(saving(3) | {"unused": entry})["status"] == "completed", entry
    for junk in (None, 5, "x", [], {}, {"inputs": {}}, {"class_type": 5}, node("EmptyImage") | {"inputs": "x"}):
        answer = stand.prompt(saving(3) | {"unused": junk})
        assert answer.status == 400, (junk, answer.text)
        assert "unused" in answer.text, (junk, answer.text)


@cases("BI-09", "what is nested too deeply is refused at once, wherever it stands")
def deep(stand: Stand) -> None:
    for depth in (500, 10_000):
        for name in ("prompt", "client_id", "extra_data", "partial_execution_targets", "number"):
            answer = stand.post("/prompt", b'{"prompt": {}, "%s": %s}' % (name.encode(), nested(depth)))
            assert answer.status == 400, (name, depth, answer.text[:200])
            assert answer.seconds <= 0.02 * patience() + 0.03, (name, depth, answer.seconds)
        for holder in (b'{"extra_pnginfo": {"workflow": %s}}', b'{"x": %s}'):
            body = b'{"prompt": %s, "extra_data": %s}' % (json.dumps(saving(4)).encode(), holder % nested(depth))
            answer = stand.post("/prompt", body)
            assert answer.status == 400, (depth, answer.text[:200])
            assert "deep" in answer.text
        unused = json.dumps(saving(4) | {"u": node("EmptyImage", junk="HERE")}).encode()
        answer = stand.post("/prompt", b'{"prompt": %s}' % unused.replace(b'"HERE"', nested(depth)))
        assert answer.status == 400, (depth, answer.text[:200])


@cases("BI-10", "envelope fields of every type are refused or kept as they are")
def envelope(stand: Stand) -> None:
    odd: list[Any] = [None, True, 0, -1, 1.5, "", "x", "../../x", "x" * 100_000, "\0", [], ["a"], {}, {"a": 1}]
    for name in ("client_id", "prompt_id", "number", "extra_data", "partial_execution_targets", "front"):
        for value in odd:
            answer = stand.prompt(saving(5), **{name: value})
            if answer.status == 409:
                assert name == "prompt_id"
                continue
            assert answer.status in (200, 400), (name, str(value)[:40], answer.text[:300])
            if answer.status == 200:
                job = answer.json()["prompt_id"]
                assert len(job) <= 64
                assert "/" not in job
                if name == "prompt_id" and value is not None:
                    assert job == value
                stand.until(job, *ENDED)


@cases("BI-11", "of several jobs with one id exactly one is accepted")
def same_id(stand: Stand) -> None:
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(stand.prompt(saving(6), prompt_id="one-of-three", number=0)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    stand.until("one-of-three", *ENDED)
    assert stand.prompt(saving(6), prompt_id="one-of-three").status == 409


@cases("BI-12", "a misspelt required input names the one that was meant")
def misspelt(stand: Stand) -> None:
    refused(stand, with_input("1", width=..., wdith=16), "1", "wdith", "width")
    refused(stand, with_input("3", scale_by=..., scaleby=2.0), "3", "scaleby", "scale_by")


@cases("BI-12", "an input that nobody declared is dropped with a warning")
def undeclared(stand: Stand) -> None:
    answer = stand.prompt(with_input("1", wdith=16))
    assert answer.status == 200
    assert answer.json()["node_errors"] == {}
    assert "wdith" in answer.text


@cases("BI-13", "of two outputs the valid one runs, and the other is named")
def half(stand: Stand) -> None:
    graph = saving(7) | {"9": node("SaveImage", images=["nowhere", 0], filename_prefix="x")}
    answer = stand.prompt(graph)
    assert answer.status == 200
    assert list(answer.json()["node_errors"]) == ["9"]
    assert list(stand.until(answer.json()["prompt_id"], "completed")["outputs"]) == ["2"]


@cases("BI-14", "ten thousand nodes in a chain run in time, and unused ones cost nothing", nightly=True)
def many(stand: Stand) -> None:
    seconds = {}
    for count in (1000, 10_000):
        graph: dict[str, Any] = {"n0": node("PrimitiveInt", value=count)}
        for i in range(1, count):
            graph[f"n{i}"] = node("PrimitiveInt", value=[f"n{i - 1}", 0])
        graph["out"] = node("PreviewAny", source=[f"n{count - 1}", 0])
        answer = stand.prompt(graph)
        assert answer.status == 200, answer.text[:300]
        job = stand.until(answer.json()["prompt_id"], *ENDED)
        assert job["status"] == "completed"
        seconds[count] = (job["execution_end_time"] - job["create_time"]) / 1000
    assert seconds[10_000] <= 15 * patience(), seconds
    wide = saving(8) | {f"u{i}": node("EmptyImage") for i in range(10_000)}
    answer = stand.prompt(wide)
    assert answer.status == 200
    assert answer.seconds <= 0.5 * patience() + 0.5, answer.seconds


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _fuzz(stand: Stand, examples: int) -> None:
    fields = [(node_id, name) for node_id, entry in GRAPH.items() for name in entry["inputs"]]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.tuples(st.sampled_from(fields), JUNK), min_size=1, max_size=3), st.booleans())
    def mutate(changes: list[tuple[tuple[str, str], Any]], whole_node: bool) -> None:
        graph = copy.deepcopy(GRAPH)
        for (node_id, name), value in changes:
            if whole_node and name == "image":
                graph[node_id] = value
            elif isinstance(graph[node_id], dict) and "inputs" in graph[node_id]:
                graph[node_id]["inputs"][name] = value
        answer = stand.prompt(graph)
        assert answer.status in (200, 400), answer.text[:500]

    began = len(stand.accepted)
    mutate()
    for job_id in stand.accepted[began:]:
        stand.until(job_id, *ENDED, seconds=120)


@cases("BI-15", "of 200 mutated graphs none stops anything, and each that is accepted ends")
def fuzz(stand: Stand) -> None:
    _fuzz(stand, 200)


@cases("BI-15", "of 20,000 mutated graphs none stops anything, and each that is accepted ends", nightly=True)
def fuzz_nightly(stand: Stand) -> None:
    _fuzz(stand, 20_000)


@cases("BI-16", "odd letters come back as they were sent, or are refused")
def letters(stand: Stand) -> None:
    for text in ("\ud800", "\u202eabc", "\U0001f98a", "a\0b", "x" * 10_240, "é" * 3000, "nul\u0000l"):
        for graph in (saving(9) | {text: node("EmptyImage")}, with_input("2", filename_prefix=text)):
            answer = stand.prompt(graph, extra_data={"extra_pnginfo": {"title": text}})
            assert answer.status in (200, 400), answer.text[:200]
            if answer.status == 200:
                job = stand.until(answer.json()["prompt_id"], *ENDED)
                assert job["workflow"]["prompt"] == graph


@pytest.mark.parametrize("case", cases.params())
def test_bad_input(case: Case, stand: Stand) -> None:
    run_case(case, stand)
