"""The toy nodes as typed functions: one for each semantic that node packs rely on."""

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, TypeVar

from executor.context import executing
from executor.dynamic_prompt import DynamicPrompt
from executor.progress import Preview, Progress
from executor.schema import RunInfo, Widget
from nodes.declare import (
    ApiKey,
    AuthToken,
    Autogrow,
    ExecutionBlocker,
    Expanded,
    Injected,
    Lazy,
    RawLink,
    Shown,
    Socket,
    SubGraph,
    UniqueId,
    node,
)
from nodes.types import AnyValue, Image, Mask

AtMostFour = Annotated[int, Widget("number", max=4)]
FlowControl = Annotated[str, Socket("FLOW_CONTROL")]
Linked = Annotated[int, Widget("number")]
MADE: dict[str, int] = defaultdict(int)
ARRIVED: dict[str, int] = defaultdict(int)


@node("Typed.Items", category="toys")
def items(*, count: int = 3) -> list[int]:
    return list(range(count))


@node("Typed.Show", category="toys", is_output=True)
def show(*, value: list[AnyValue]) -> Shown:
    return Shown({"values": value})


@node("Typed.Each", category="toys", is_output=True)
def each(*, value: AnyValue) -> AnyValue | Shown:
    return Shown({"values": [value]}, (value,))


@node("Typed.Join", category="toys")
def join(*, a: AnyValue, b: AnyValue | None = "-") -> str:
    return f"{a}{b}"


@node("Typed.Whole", category="toys")
def whole(*, a: list[AnyValue], b: list[int] | None = None) -> str:
    return json.dumps([a, [7] if b is None else b])


class Fanned(NamedTuple):
    all: list[int]
    one: int


@node("Typed.Fan", category="toys")
def fan(*, value: int = 1) -> Fanned:
    return Fanned(ExecutionBlocker() if value == 0 else [value] * value, value)


@node("Typed.Increment", category="toys")
def increment(*, value: int = 0) -> int:
    return value + 1


def chosen(*, which):
    return ["yes" if which else "no"]


@node("Typed.Either", category="toys", needs=chosen)
def either(*, which: AnyValue, yes: Lazy[AnyValue] | None = None, no: Lazy[AnyValue] | None = None) -> AnyValue:
    return yes if which else no


async def next_small(**known):
    for name in "abc":
        if known[name] is None:
            return [name]
        if known[name] >= 10:
            break
    return []


@node("Typed.FirstBig", category="toys", needs=next_small)
def first_big(*, a: Lazy[int], b: Lazy[int], c: Lazy[int]) -> str:
    return json.dumps([a, b, c])


def value_if_wanted(*, value, wanted):
    return ["value"] if wanted and value == [None] else []


@node("Typed.LazyWhole", category="toys", needs=value_if_wanted)
def lazy_whole(*, value: Lazy[list[AnyValue]], wanted: bool = True) -> str:
    return json.dumps(value)


def file_content(path, mode):
    return uuid.uuid4().hex if mode == "never" else Path(path).read_text()


@node("Typed.Watched", category="toys", fingerprint=file_content)
def watched(*, path: str = "", mode: str = "file", value: AnyValue | None = None) -> str:
    return Path(path).read_text() + ("-" if value is None else str(value))


def even(*, value):
    return ["value - must be even"] if value is not None and value % 2 else []


@node("Typed.Checked", category="toys", validate=even)
def checked(*, value: AtMostFour = 2, factor: AtMostFour = 2) -> int:
    return value * factor


def all_modest(**given):
    if given["value"] == 13:
        raise LookupError("it brings bad luck")
    return [f"{name} - too large" for name, value in given.items() if value >= 100]


@node("Typed.CheckedAll", category="toys", validate=all_modest)
def checked_all(*, value: AtMostFour = 2, factor: AtMostFour = 2) -> int:
    return value * factor


async def content_later(path):
    await asyncio.sleep(0)
    return Path(path).read_text()


async def existing(*, path):
    await asyncio.sleep(0)
    return [] if Path(path).exists() else ["path - there is no such file"]


@node("Typed.Later", category="toys", fingerprint=content_later, validate=existing)
async def later(*, path: str = "") -> str:
    return Path(path).read_text()


def numbers_and_texts(*, input_types):
    kind = input_types["value"]
    return [] if kind in ("INT", "STRING") else [f"value - {kind} is no text"]


@node("Typed.CheckedTypes", category="toys", validate=numbers_and_texts)
def checked_types(*, value: Linked) -> str:
    return str(value)


@node("Typed.Knows", category="toys")
def knows(*, me: Injected[UniqueId], run: Injected[RunInfo], all: Injected[DynamicPrompt]) -> str:
    parent = all.get_parent_node_id(me)
    return json.dumps([me, sorted(run.prompt), run.extra_pnginfo, all.get_real_node_id(me), parent])


@node("Typed.KnowsWhole", category="toys")
def knows_whole(*, value: list[AnyValue], me: Injected[UniqueId]) -> str:
    return json.dumps([value, me])


@node("Typed.Key", category="toys")
def key(*, key: Injected[ApiKey], token: Injected[AuthToken]) -> str:
    return json.dumps([key, token])


@node("Typed.Raw", category="toys")
def raw(*, value: RawLink[int] = 0) -> str:
    return json.dumps(value)


@node("Typed.More", category="toys")
def more(*, a: AnyValue, **further: Image) -> str:
    return json.dumps([a, further])


@node("Typed.Anything", category="toys")
def anything(**inputs: AnyValue) -> str:
    return json.dumps(inputs, sort_keys=True)


@node("Typed.Twice", category="toys")
def twice(*, value: int = 0) -> int | Expanded:
    graph = SubGraph()
    once = graph.add(increment, value=value)
    return Expanded(graph, (graph.add(increment, value=once.out()).out(),))


@node("Typed.Repeat", category="toys")
def repeat(*, value: int = 0, times: Annotated[int, Widget("number", max=1000)] = 3) -> int | Expanded:
    if times == 0:
        return value
    graph = SubGraph()
    step = graph.add(increment, value=value)
    return Expanded(graph, (graph.add("Typed.Repeat", value=step.out(), times=times - 1).out(),))


@node("Typed.Mixed", category="toys")
def mixed(*, value: int = 0) -> int | Expanded:
    if value % 2:
        return value * 10
    graph = SubGraph()
    return Expanded(graph, (graph.add(increment, value=value).out(),))


@node("Typed.Reveal", category="toys")
def reveal(*, value: AnyValue, display: str = "") -> AnyValue | Expanded:
    graph = SubGraph()
    graph.add(show, value=value).display_id = display or None
    return Expanded(graph, (graph.add(knows).out(),))


@node("Typed.Circle", category="toys")
def circle(*, value: AnyValue) -> int | Expanded:
    graph = SubGraph()
    first, second = graph.add(increment), graph.add(increment)
    first.inputs["value"], second.inputs["value"] = second.out(), first.out()
    return Expanded(graph, (first.out(),))


@node("Typed.ExpandFail", category="toys")
def expand_fail(*, value: AnyValue) -> AnyValue | Expanded:
    graph = SubGraph()
    return Expanded(graph, (graph.add("Typed.Fail", value=value, message="deep down").out(),))


@node("Typed.Carry", category="toys")
def carry(*, value: AnyValue) -> AnyValue | Expanded:
    graph = SubGraph()
    return Expanded(graph, (graph.add(join, a={value}, b=[value, 0]).out(),))


class Several(NamedTuple):
    all: int
    count: int


@node("Typed.Many", category="toys")
def many(*, count: int = 3) -> Several | Expanded:
    graph = SubGraph()
    return Expanded(graph, (graph.add(items, count=count).out(), count))


@node("Typed.Defer", category="toys")
def defer(*, value: RawLink[int] = 0) -> int | Expanded:
    graph = SubGraph()
    return Expanded(graph, (graph.add(increment, value=value).out(),))


@node("Typed.Below", category="toys")
def below(*, value: int = 0, limit: int = 3) -> bool:
    return value < limit


class Opened(NamedTuple):
    flow: FlowControl
    value: AnyValue


@node("Typed.LoopOpen", category="toys")
def loop_open(*, value: AnyValue) -> Opened:
    return Opened("flow", value)


@node("Typed.LoopClose", category="toys")
def loop_close(
    *,
    flow: RawLink[FlowControl],
    again: bool,
    value: AnyValue,
    me: Injected[UniqueId],
    prompt: Injected[DynamicPrompt],
) -> AnyValue | Expanded:
    """Runs the nodes between the opening and itself once more, for as long as `again` says so."""
    if not again:
        return value
    inside = between(prompt, flow[0], me)
    graph = SubGraph()
    copies = {node_id: graph.add(prompt.get_node(node_id)["class_type"]) for node_id in inside}
    for node_id, copy in copies.items():
        copy.display_id = node_id
        for name, given in prompt.get_node(node_id)["inputs"].items():
            linked = isinstance(given, list) and given[0] in copies
            copy.inputs[name] = copies[given[0]].out(given[1]) if linked else given
    copies[flow[0]].inputs["value"] = value
    return Expanded(graph, (copies[me].out(),))


def between(prompt: DynamicPrompt, first: str, last: str) -> set[str]:
    """The nodes on a way from one node to another, both included."""
    inside, waiting, upstream = {first}, [last], {}
    while waiting:
        node_id = waiting.pop()
        if node_id not in upstream:
            given = prompt.get_node(node_id)["inputs"].values()
            upstream[node_id] = [] if node_id == first else [one[0] for one in given if isinstance(one, list)]
            waiting += upstream[node_id]
    while found := [one for one, sources in upstream.items() if one not in inside and inside & set(sources)]:
        inside.update(found)
    return inside


@node("Typed.Block", category="toys")
def block(*, value: int = 1, message: str = "") -> int | ExecutionBlocker:
    return ExecutionBlocker(message or None) if value % 2 else value


class Pair(NamedTuple):
    one: int
    two: int


@node("Typed.BlockBoth", category="toys")
def block_both() -> Pair | ExecutionBlocker:
    return ExecutionBlocker()


@node("Typed.Meet", category="toys")
async def meet(*, value: AnyValue, key: str = "", count: int = 2) -> AnyValue:
    ARRIVED[key] += 1
    while ARRIVED[key] < count:
        await asyncio.sleep(0.001)
    return value


@node("Typed.Where", category="toys")
async def where(*, value: AnyValue) -> str:
    await asyncio.sleep(0)
    context = executing.get()
    return json.dumps([context.node_id, context.list_index])


@node("Typed.Fail", category="toys")
def fail(*, value: AnyValue, message: str = "") -> AnyValue:
    raise ArithmeticError(message)


@node("Typed.Steps", category="toys")
def steps(*, count: int = 3, progress: Injected[Progress]) -> int:
    for step in range(count):
        progress.step(step + 1, count)
    return count


@node("Typed.Paints", category="toys")
def paints(*, progress: Injected[Progress]) -> int:
    progress.step(1, 2, lambda: Preview(b"picture", "image/jpeg"))
    return 1


@node("Typed.Endless", category="toys")
def endless(*, progress: Injected[Progress]) -> int:
    while True:
        progress.step(1, 10)
        time.sleep(0.001)


@node("Typed.Made", category="toys", per_id=True)
def made(*, name: str = "") -> int:
    MADE[name] += 1
    return MADE[name]


@dataclass(frozen=True)
class Scale:
    key: ClassVar[str] = "scale"
    factor: AtMostFour = 2


@dataclass(frozen=True)
class Both:
    key: ClassVar[str] = "both"
    left: Image | Mask
    right: str = "r"


@node("Typed.Choose", category="toys")
def choose(*, mode: Scale | Both) -> str:
    told = {"factor": mode.factor} if isinstance(mode, Scale) else {"left": mode.left, "right": mode.right}
    return json.dumps({"mode": mode.key, **told}, sort_keys=True)


@node("Typed.Grow", category="toys")
def grow(*, values: Annotated[Mapping[str, int], Autogrow("value", min=1, max=3)]) -> str:
    return json.dumps(values)


Same = TypeVar("Same", int, str)


@node("Typed.Match", category="toys")
def match(*, a: Same, b: Same) -> list[Same]:
    return [b, a]


@node("Typed.Picture", category="toys")
def picture() -> Image:
    return ["picture"]
