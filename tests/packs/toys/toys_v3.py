"""The toy nodes as V3 classes: one for each semantic that node packs rely on."""

import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path

from comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension, io
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link
from comfy_execution.utils import get_executing_context
from PIL import Image

from server import PromptServer

MADE = defaultdict(int)
ARRIVED = defaultdict(int)


def schema(name, inputs, *outputs, **more):
    """The schema of a toy."""
    return io.Schema(node_id=f"V3.{name}", category="toys", inputs=inputs, outputs=list(outputs), **more)


class Items(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Items", [io.Int.Input("count", default=3)], io.Int.Output(is_output_list=True))

    @classmethod
    def execute(cls, count):
        return io.NodeOutput(list(range(count)))


class Show(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Show", [io.AnyType.Input("value")], is_input_list=True, is_output_node=True)

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(ui={"values": value})


class Each(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Each", [io.AnyType.Input("value")], io.AnyType.Output(), is_output_node=True)

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(value, ui={"values": [value]})


class Join(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Join", [io.AnyType.Input("a"), io.AnyType.Input("b", optional=True)], io.String.Output())

    @classmethod
    def execute(cls, a, b="-"):
        return io.NodeOutput(f"{a}{b}")


class Whole(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.AnyType.Input("a"), io.Int.Input("b", default=7)]
        return schema("Whole", inputs, io.String.Output(), is_input_list=True)

    @classmethod
    def execute(cls, a, b):
        return (json.dumps([a, b]),)


class Fan(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        outputs = io.Int.Output(is_output_list=True), io.Int.Output()
        return schema("Fan", [io.Int.Input("value", default=1)], *outputs)

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(ExecutionBlocker(None) if value == 0 else [value] * value, value)


class Increment(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Increment", [io.Int.Input("value", default=0)], io.Int.Output())

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(value + 1)


class Either(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        lazy = [io.AnyType.Input(name, lazy=True, optional=True) for name in ("yes", "no")]
        return schema("Either", [io.AnyType.Input("which"), *lazy], io.AnyType.Output())

    @classmethod
    def check_lazy_status(cls, which, yes=None, no=None):
        return ["yes" if which else "no"]

    @classmethod
    def execute(cls, which, yes=None, no=None):
        return io.NodeOutput(yes if which else no)


class FirstBig(io.ComfyNode):
    """Asks for one input after the other, until one is big."""

    @classmethod
    def define_schema(cls):
        return schema("FirstBig", [io.Int.Input(name, lazy=True) for name in "abc"], io.String.Output())

    @classmethod
    async def check_lazy_status(cls, **known):
        for name in "abc":
            if known[name] is None:
                return [name]
            if known[name] >= 10:
                break
        return []

    @classmethod
    def execute(cls, a=None, b=None, c=None):
        return io.NodeOutput(json.dumps([a, b, c]))


class LazyWhole(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.AnyType.Input("value", lazy=True), io.Boolean.Input("wanted", default=True)]
        return schema("LazyWhole", inputs, io.String.Output(), is_input_list=True)

    @classmethod
    def check_lazy_status(cls, value, wanted):
        return ["value"] if wanted[0] and list(value) == [None] else []

    @classmethod
    def execute(cls, value, wanted):
        return io.NodeOutput(json.dumps(value))


class Unasked(io.ComfyNode):
    """Has a lazy input and no way to ask for it."""

    @classmethod
    def define_schema(cls):
        return schema("Unasked", [io.AnyType.Input("value", lazy=True)], io.String.Output())

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(json.dumps(value))


class Watched(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        texts = [io.String.Input("path", default=""), io.String.Input("mode", default="file")]
        return schema("Watched", [*texts, io.AnyType.Input("value", optional=True)], io.String.Output())

    @classmethod
    def fingerprint_inputs(cls, path, mode, value=None):
        if mode == "never":
            return float("nan")
        if mode == "raise":
            raise RuntimeError("it cannot be said")
        return f"{Path(path).read_text()} {value}"

    @classmethod
    def execute(cls, path, mode, value="-"):
        return io.NodeOutput(Path(path).read_text() + str(value))


class Checked(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input(name, default=2, max=4) for name in ("value", "factor")]
        return schema("Checked", inputs, io.Int.Output())

    @classmethod
    def validate_inputs(cls, value):
        return "must be even" if value is not None and value % 2 else True

    @classmethod
    def execute(cls, value, factor):
        return io.NodeOutput(value * factor)


class CheckedAll(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input(name, default=2, max=4) for name in ("value", "factor")]
        return schema("CheckedAll", inputs, io.Int.Output())

    @classmethod
    def validate_inputs(cls, **given):
        if given["value"] == 13:
            raise LookupError("it brings bad luck")
        return given["factor"] is None or given["factor"] < 100

    @classmethod
    def execute(cls, value, factor):
        return io.NodeOutput(value * factor)


class Later(io.ComfyNode):
    """Is asked everything asynchronously."""

    @classmethod
    def define_schema(cls):
        return schema("Later", [io.String.Input("path", default="")], io.String.Output())

    @classmethod
    async def fingerprint_inputs(cls, path):
        await asyncio.sleep(0)
        return Path(path).read_text()

    @classmethod
    async def validate_inputs(cls, path):
        await asyncio.sleep(0)
        return Path(path).exists() or "there is no such file"

    @classmethod
    async def execute(cls, path):
        return io.NodeOutput(Path(path).read_text())


class CheckedTypes(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("CheckedTypes", [io.Int.Input("value", force_input=True)], io.String.Output())

    @classmethod
    def validate_inputs(cls, input_types):
        return True if input_types["value"] in ("INT", "STRING") else f"{input_types['value']} is no text"

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(str(value))


class Knows(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        hidden = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.dynprompt]
        return schema("Knows", [], io.String.Output(), hidden=hidden)

    @classmethod
    def execute(cls):
        me, every = cls.hidden.unique_id, cls.hidden.dynprompt
        told = [me, sorted(cls.hidden.prompt), cls.hidden.extra_pnginfo]
        return io.NodeOutput(json.dumps([*told, every.get_real_node_id(me), every.get_parent_node_id(me)]))


class KnowsWhole(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs, hidden = [io.AnyType.Input("value")], [io.Hidden.unique_id]
        return schema("KnowsWhole", inputs, io.String.Output(), hidden=hidden, is_input_list=True)

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(json.dumps([value, cls.hidden.unique_id]))


class Key(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        hidden = [io.Hidden.api_key_comfy_org, io.Hidden.auth_token_comfy_org]
        return schema("Key", [], io.String.Output(), hidden=hidden)

    @classmethod
    def execute(cls):
        return io.NodeOutput(json.dumps([cls.hidden.api_key_comfy_org, cls.hidden.auth_token_comfy_org]))


class Raw(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Raw", [io.Int.Input("value", default=0, raw_link=True)], io.String.Output())

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(json.dumps(value))


class More(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("More", [io.AnyType.Input("a")], io.String.Output())

    @classmethod
    def execute(cls, a, **more):
        return io.NodeOutput(json.dumps([a, more]))


class Anything(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Anything", [], io.String.Output(), accept_all_inputs=True)

    @classmethod
    def execute(cls, **inputs):
        return io.NodeOutput(json.dumps(inputs, sort_keys=True))


class Twice(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Twice", [io.Int.Input("value", default=0)], io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        graph = GraphBuilder()
        once = graph.node("V3.Increment", value=value)
        return io.NodeOutput(graph.node("V3.Increment", value=once.out(0)).out(0), expand=graph.finalize())


class Repeat(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input("value", default=0), io.Int.Input("times", default=3, max=1000)]
        return schema("Repeat", inputs, io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value, times):
        if times == 0:
            return io.NodeOutput(value)
        graph = GraphBuilder()
        step = graph.node("V3.Increment", value=value)
        again = graph.node("V3.Repeat", value=step.out(0), times=times - 1)
        return io.NodeOutput(again.out(0), expand=graph.finalize())


class Mixed(io.ComfyNode):
    """Expands for even values only."""

    @classmethod
    def define_schema(cls):
        return schema("Mixed", [io.Int.Input("value", default=0)], io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        if value % 2:
            return io.NodeOutput(value * 10)
        graph = GraphBuilder()
        return io.NodeOutput(graph.node("V3.Increment", value=value).out(0), expand=graph.finalize())


class Reveal(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.AnyType.Input("value"), io.String.Input("display", default="")]
        return schema("Reveal", inputs, io.AnyType.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value, display):
        graph = GraphBuilder()
        shown = graph.node("V3.Show", value=value)
        knows = graph.node("V3.Knows")
        if display:
            shown.set_override_display_id(display)
        return io.NodeOutput(knows.out(0), expand=graph.finalize())


class Circle(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Circle", [io.AnyType.Input("value")], io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        graph = GraphBuilder()
        first, second = graph.node("V3.Increment"), graph.node("V3.Increment")
        first.set_input("value", second.out(0))
        second.set_input("value", first.out(0))
        return io.NodeOutput(first.out(0), expand=graph.finalize())


class ExpandFail(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("ExpandFail", [io.AnyType.Input("value")], io.AnyType.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        graph = GraphBuilder()
        failing = graph.node("V3.Fail", value=value, message="deep down")
        return io.NodeOutput(failing.out(0), expand=graph.finalize())


class Carry(io.ComfyNode):
    """Hands an object to the nodes that it expands into."""

    @classmethod
    def define_schema(cls):
        return schema("Carry", [io.AnyType.Input("value")], io.AnyType.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        graph = GraphBuilder()
        joined = graph.node("V3.Join", a={value}, b=[value, 0])
        return io.NodeOutput(joined.out(0), expand=graph.finalize())


class Unexpected(io.ComfyNode):
    """Expands without having said so."""

    @classmethod
    def define_schema(cls):
        return schema("Unexpected", [], io.Int.Output())

    @classmethod
    def execute(cls):
        graph = GraphBuilder()
        return io.NodeOutput(graph.node("V3.Increment", value=1).out(0), expand=graph.finalize())


class Below(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input("value", default=0), io.Int.Input("limit", default=3)]
        return schema("Below", inputs, io.Boolean.Output())

    @classmethod
    def execute(cls, value, limit):
        return io.NodeOutput(value < limit)


class LoopOpen(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("LoopOpen", [io.AnyType.Input("value")], io.FlowControl.Output(), io.AnyType.Output())

    @classmethod
    def execute(cls, value):
        return io.NodeOutput("flow", value)


class LoopClose(io.ComfyNode):
    """Runs the nodes between the opening and itself once more, for as long as `again` says so."""

    @classmethod
    def define_schema(cls):
        flow = io.FlowControl.Input("flow", raw_link=True)
        inputs = [flow, io.Boolean.Input("again", force_input=True), io.AnyType.Input("value")]
        hidden = [io.Hidden.unique_id, io.Hidden.dynprompt]
        return schema("LoopClose", inputs, io.AnyType.Output(), hidden=hidden, enable_expand=True)

    @classmethod
    def execute(cls, flow, again, value):
        if not again:
            return io.NodeOutput(value)
        me, prompt = cls.hidden.unique_id, cls.hidden.dynprompt
        inside = between(prompt, flow[0], me)
        graph = GraphBuilder()
        for node_id in inside:
            original = prompt.get_node(node_id)
            copy = graph.node(original["class_type"], "Recurse" if node_id == me else node_id)
            copy.set_override_display_id(node_id)
        for node_id in inside:
            copy = graph.lookup_node("Recurse" if node_id == me else node_id)
            for name, given in prompt.get_node(node_id)["inputs"].items():
                linked = is_link(given) and given[0] in inside
                copy.set_input(name, graph.lookup_node(given[0]).out(given[1]) if linked else given)
        graph.lookup_node(flow[0]).set_input("value", value)
        return io.NodeOutput(graph.lookup_node("Recurse").out(0), expand=graph.finalize())


def between(prompt, first, last):
    """The nodes on a way from one node to another, both included."""
    inside, waiting, upstream = {first}, [last], {}
    while waiting:
        node_id = waiting.pop()
        if node_id not in upstream:
            given = prompt.get_node(node_id)["inputs"].values()
            upstream[node_id] = [] if node_id == first else [link[0] for link in given if is_link(link)]
            waiting += upstream[node_id]
    while found := [one for one, sources in upstream.items() if one not in inside and inside & set(sources)]:
        inside.update(found)
    return inside


class Many(io.ComfyNode):
    """Its results are a whole list that another node makes, and a value."""

    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input("count", default=3)]
        return schema("Many", inputs, io.Int.Output(), io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, count):
        graph = GraphBuilder()
        return io.NodeOutput(graph.node("V3.Items", count=count).out(0), count, expand=graph.finalize())


class Defer(io.ComfyNode):
    """Hands the link that it was given to the node that it expands into."""

    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input("value", default=0, raw_link=True)]
        return schema("Defer", inputs, io.Int.Output(), enable_expand=True)

    @classmethod
    def execute(cls, value):
        graph = GraphBuilder()
        return io.NodeOutput(graph.node("V3.Increment", value=value).out(0), expand=graph.finalize())


class Block(io.ComfyNode):
    """Blocks odd values."""

    @classmethod
    def define_schema(cls):
        inputs = [io.Int.Input("value", default=1), io.String.Input("message", default="")]
        return schema("Block", inputs, io.Int.Output())

    @classmethod
    def execute(cls, value, message):
        if value % 2 == 0:
            return io.NodeOutput(value)
        return io.NodeOutput(block_execution=message) if message else io.NodeOutput(ExecutionBlocker(None))


class BlockBoth(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("BlockBoth", [], io.Int.Output(), io.Int.Output())

    @classmethod
    def execute(cls):
        return ExecutionBlocker(None)


class Meet(io.ComfyNode):
    """Waits until as many calls as `count` are waiting under the same key."""

    @classmethod
    def define_schema(cls):
        inputs = [io.AnyType.Input("value"), io.String.Input("key", default=""), io.Int.Input("count", default=2)]
        return schema("Meet", inputs, io.AnyType.Output())

    @classmethod
    async def execute(cls, value, key, count):
        ARRIVED[key] += 1
        while ARRIVED[key] < count:
            await asyncio.sleep(0.001)
        return io.NodeOutput(value)


class Where(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Where", [io.AnyType.Input("value")], io.String.Output())

    @classmethod
    async def execute(cls, value):
        await asyncio.sleep(0)
        context = get_executing_context()
        return io.NodeOutput(json.dumps([context.node_id, context.list_index]))


class Fail(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        inputs = [io.AnyType.Input("value"), io.String.Input("message", default="")]
        return schema("Fail", inputs, io.AnyType.Output())

    @classmethod
    def execute(cls, value, message):
        raise ArithmeticError(message)


class Steps(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Steps", [io.Int.Input("count", default=3)], io.Int.Output())

    @classmethod
    async def execute(cls, count):
        for step in range(count):
            await ComfyAPI().execution.set_progress(step + 1, count)
        return io.NodeOutput(count)


class Paints(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Paints", [], io.Int.Output())

    @classmethod
    def execute(cls):
        ComfyAPISync().execution.set_progress(1, 2, preview_image=Image.new("RGB", (8, 4)))
        return io.NodeOutput(1)


class Returns(io.ComfyNode):
    """Gives its result in one of several forms."""

    @classmethod
    def define_schema(cls):
        return schema("Returns", [io.String.Input("form", default="")], io.Int.Output())

    @classmethod
    def execute(cls, form):
        shown = io.NodeOutput(1, ui={"values": [9]})
        return {"tuple": (1,), "list": io.NodeOutput(1), "dict": {"result": (1,)}, "ui": shown}[form]


class KnowsUnasked(io.ComfyNode):
    """An output node, which knows its run without asking."""

    @classmethod
    def define_schema(cls):
        return schema("KnowsUnasked", [], is_output_node=True)

    @classmethod
    def execute(cls):
        return io.NodeOutput(ui={"values": [sorted(cls.hidden.prompt), cls.hidden.extra_pnginfo]})


class Endless(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Endless", [], io.Int.Output())

    @classmethod
    def execute(cls):
        while True:
            ComfyAPISync().execution.set_progress(1, 10)
            time.sleep(0.001)


class Made(io.ComfyNode):
    """How often nodes of this name were made: a twin that is not reused shows."""

    @classmethod
    def define_schema(cls):
        return schema("Made", [io.String.Input("name", default="")], io.Int.Output(), not_idempotent=True)

    @classmethod
    def execute(cls, name):
        MADE[name] += 1
        return io.NodeOutput(MADE[name])


class Keeps(io.ComfyNode):
    """Wants to keep something in its class, which V3 forbids."""

    @classmethod
    def define_schema(cls):
        return schema("Keeps", [io.AnyType.Input("value")], io.String.Output())

    @classmethod
    def execute(cls, value):
        cls.kept = value
        return io.NodeOutput("kept")


class Choose(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        scale = io.DynamicCombo.Option("scale", [io.Int.Input("factor", default=2, max=4)])
        left = io.MultiType.Input("left", types=[io.Image, io.Mask])
        both = io.DynamicCombo.Option("both", [left, io.String.Input("right", default="r")])
        return schema("Choose", [io.DynamicCombo.Input("mode", options=[scale, both])], io.String.Output())

    @classmethod
    def execute(cls, mode):
        return io.NodeOutput(json.dumps(mode, sort_keys=True))


class Grow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        template = io.Autogrow.TemplatePrefix(io.Int.Input("value"), prefix="value", min=1, max=3)
        return schema("Grow", [io.Autogrow.Input("values", template=template)], io.String.Output())

    @classmethod
    def execute(cls, values):
        return io.NodeOutput(json.dumps(values))


class Match(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        same = io.MatchType.Template("same", [io.Int, io.String])
        inputs = [io.MatchType.Input(name, template=same) for name in "ab"]
        return schema("Match", inputs, io.MatchType.Output(template=same, is_output_list=True))

    @classmethod
    def execute(cls, a, b):
        return io.NodeOutput([b, a])


class Picture(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema("Picture", [], io.Image.Output())

    @classmethod
    def execute(cls):
        return io.NodeOutput(["picture"])


class ToyExtension(ComfyExtension):
    async def get_node_list(self):
        return [
            Items, Show, Each, Join, Whole, Fan, Increment, Either, FirstBig, LazyWhole, Unasked, Watched, Checked,
            CheckedAll, CheckedTypes, Later, Knows, KnowsWhole, KnowsUnasked, Key, Raw, More, Anything, Twice, Repeat,
            Mixed, Reveal, Circle, ExpandFail, Carry, Many, Defer, Unexpected, Below, LoopOpen, LoopClose, Block,
            BlockBoth, Meet, Where, Fail, Steps, Paints, Returns, Endless, Made, Keeps, Choose, Grow, Match, Picture,
        ]  # fmt: skip


def note_request(request):
    """Leaves a trace in every request to run a prompt."""
    request.setdefault("extra_data", {})["seen_by_v3"] = True
    return request


PromptServer.instance.add_on_prompt_handler(note_request)


async def comfy_entrypoint():
    """The pack."""
    return ToyExtension()
