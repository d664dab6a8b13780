"""The toy nodes as V1 classes: one for each semantic that node packs rely on."""

import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path

from comfy.utils import ProgressBar
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link
from comfy_execution.utils import get_executing_context
from PIL import Image

from server import PromptServer


class AnyType(str):
    """The wildcard of many packs: unequal to nothing."""

    def __ne__(self, other):
        return False


ANY = AnyType("*")
MADE = defaultdict(int)
ARRIVED = defaultdict(int)


class AnyName(dict):
    """Inputs under any name."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return (ANY,)


class Items:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}}

    RETURN_TYPES, OUTPUT_IS_LIST, FUNCTION, CATEGORY = ("INT",), (True,), "run", "toys"

    def run(self, count):
        return (list(range(count)),)


class Show:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, INPUT_IS_LIST, OUTPUT_NODE, FUNCTION, CATEGORY = (), True, True, "run", "toys"

    def run(self, value):
        return {"ui": {"values": value}}


class Each:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, OUTPUT_NODE, FUNCTION, CATEGORY = (ANY,), True, "run", "toys"

    def run(self, value):
        return {"ui": {"values": [value]}, "result": (value,)}


class Join:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": (ANY,)}, "optional": {"b": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, a, b="-"):
        return (f"{a}{b}",)


class Whole:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": (ANY,), "b": ("INT", {"default": 7})}}

    RETURN_TYPES, INPUT_IS_LIST, FUNCTION, CATEGORY = ("STRING",), True, "run", "toys"

    def run(self, a, b):
        return (json.dumps([a, b]),)


class Fan:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1})}}

    RETURN_TYPES, OUTPUT_IS_LIST, FUNCTION, CATEGORY = ("INT", "INT"), (True, False), "run", "toys"

    def run(self, value):
        return (ExecutionBlocker(None) if value == 0 else [value] * value, value)


class Increment:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value):
        return (value + 1,)


class Either:
    @classmethod
    def INPUT_TYPES(cls):
        lazy = (ANY, {"lazy": True})
        return {"required": {"which": (ANY,)}, "optional": {"yes": lazy, "no": lazy}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def check_lazy_status(self, which, yes=None, no=None):
        return ["yes" if which else "no"]

    def run(self, which, yes=None, no=None):
        return (yes if which else no,)


class FirstBig:
    """Asks for one input after the other, until one is big."""

    @classmethod
    def INPUT_TYPES(cls):
        lazy = ("INT", {"lazy": True})
        return {"required": {"a": lazy, "b": lazy, "c": lazy}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    async def check_lazy_status(self, **known):
        for name in "abc":
            if known[name] is None:
                return [name]
            if known[name] >= 10:
                break
        return []

    def run(self, a=None, b=None, c=None):
        return (json.dumps([a, b, c]),)


class LazyWhole:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {"lazy": True}), "wanted": ("BOOLEAN", {"default": True})}}

    RETURN_TYPES, INPUT_IS_LIST, FUNCTION, CATEGORY = ("STRING",), True, "run", "toys"

    def check_lazy_status(self, value, wanted):
        return ["value"] if wanted[0] and list(value) == [None] else []

    def run(self, value, wanted):
        return (json.dumps(value),)


class Unasked:
    """Has a lazy input and no way to ask for it."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {"lazy": True})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, value):
        return (json.dumps(value),)


class Watched:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"path": ("STRING", {"default": ""}), "mode": ("STRING", {"default": "file"})},
            "optional": {"value": (ANY,)},
        }

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    @classmethod
    def IS_CHANGED(cls, path, mode, value=None):
        if mode == "never":
            return float("nan")
        if mode == "raise":
            raise RuntimeError("it cannot be said")
        return f"{Path(path).read_text()} {value}"

    def run(self, path, mode, value="-"):
        return (Path(path).read_text() + str(value),)


class Checked:
    @classmethod
    def INPUT_TYPES(cls):
        number = ("INT", {"default": 2, "max": 4})
        return {"required": {"value": number, "factor": number}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    @classmethod
    def VALIDATE_INPUTS(cls, value):
        return "must be even" if value is not None and value % 2 else True

    def run(self, value, factor):
        return (value * factor,)


class CheckedAll:
    @classmethod
    def INPUT_TYPES(cls):
        number = ("INT", {"default": 2, "max": 4})
        return {"required": {"value": number, "factor": number}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    @classmethod
    def VALIDATE_INPUTS(cls, **given):
        if given["value"] == 13:
            raise LookupError("it brings bad luck")
        return given["factor"] is None or given["factor"] < 100

    def run(self, value, factor):
        return (value * factor,)


class Later:
    """Is asked everything asynchronously."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"path": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    @classmethod
    async def IS_CHANGED(cls, path):
        await asyncio.sleep(0)
        return Path(path).read_text()

    @classmethod
    async def VALIDATE_INPUTS(cls, path):
        await asyncio.sleep(0)
        return Path(path).exists() or "there is no such file"

    async def run(self, path):
        return (Path(path).read_text(),)


class CheckedTypes:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"forceInput": True})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True if input_types["value"] in ("INT", "STRING") else f"{input_types['value']} is no text"

    def run(self, value):
        return (str(value),)


class Knows:
    @classmethod
    def INPUT_TYPES(cls):
        return {"hidden": {"me": "UNIQUE_ID", "prompt": "PROMPT", "extra": "EXTRA_PNGINFO", "all": "DYNPROMPT"}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, me, prompt, extra, all):
        parent = all.get_parent_node_id(me)
        return (json.dumps([me, sorted(prompt), extra, all.get_real_node_id(me), parent]),)


class KnowsWhole:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}, "hidden": {"me": "UNIQUE_ID"}}

    RETURN_TYPES, INPUT_IS_LIST, FUNCTION, CATEGORY = ("STRING",), True, "run", "toys"

    def run(self, value, me):
        return (json.dumps([value, me]),)


class Key:
    @classmethod
    def INPUT_TYPES(cls):
        return {"hidden": {"key": "API_KEY_COMFY_ORG", "token": "AUTH_TOKEN_COMFY_ORG"}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, key=None, token=None):
        return (json.dumps([key, token]),)


class Raw:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0, "rawLink": True})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, value):
        return (json.dumps(value),)


class More:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, a, **more):
        return (json.dumps([a, more]),)


class Anything:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": AnyName()}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, **inputs):
        return (json.dumps(inputs, sort_keys=True),)


class Twice:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value):
        graph = GraphBuilder()
        once = graph.node("V1.Increment", value=value)
        twice = graph.node("V1.Increment", value=once.out(0))
        return {"result": (twice.out(0),), "expand": graph.finalize()}


class Repeat:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0}), "times": ("INT", {"default": 3, "max": 1000})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value, times):
        if times == 0:
            return (value,)
        graph = GraphBuilder()
        step = graph.node("V1.Increment", value=value)
        again = graph.node("V1.Repeat", value=step.out(0), times=times - 1)
        return {"result": (again.out(0),), "expand": graph.finalize()}


class Mixed:
    """Expands for even values only."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value):
        if value % 2:
            return (value * 10,)
        graph = GraphBuilder()
        return {"result": (graph.node("V1.Increment", value=value).out(0),), "expand": graph.finalize()}


class Reveal:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "display": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def run(self, value, display):
        graph = GraphBuilder()
        shown = graph.node("V1.Show", value=value)
        knows = graph.node("V1.Knows")
        if display:
            shown.set_override_display_id(display)
        return {"result": (knows.out(0),), "expand": graph.finalize()}


class Circle:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value):
        graph = GraphBuilder()
        first, second = graph.node("V1.Increment"), graph.node("V1.Increment")
        first.set_input("value", second.out(0))
        second.set_input("value", first.out(0))
        return {"result": (first.out(0),), "expand": graph.finalize()}


class ExpandFail:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def run(self, value):
        graph = GraphBuilder()
        failing = graph.node("V1.Fail", value=value, message="deep down")
        return {"result": (failing.out(0),), "expand": graph.finalize()}


class Carry:
    """Hands an object to the nodes that it expands into."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def run(self, value):
        graph = GraphBuilder()
        return {"result": (graph.node("V1.Join", a={value}, b=[value, 0]).out(0),), "expand": graph.finalize()}


class Below:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0}), "limit": ("INT", {"default": 3})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("BOOLEAN",), "run", "toys"

    def run(self, value, limit):
        return (value < limit,)


class LoopOpen:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("FLOW_CONTROL", ANY), "run", "toys"

    def run(self, value):
        return ("flow", value)


class LoopClose:
    """Runs the nodes between the opening and itself once more, for as long as `again` says so."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "flow": ("FLOW_CONTROL", {"rawLink": True}),
                "again": ("BOOLEAN", {"forceInput": True}),
                "value": (ANY,),
            },
            "hidden": {"me": "UNIQUE_ID", "prompt": "DYNPROMPT"},
        }

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def run(self, flow, again, value, me, prompt):
        if not again:
            return (value,)
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
        return {"result": (graph.lookup_node("Recurse").out(0),), "expand": graph.finalize()}


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


class Many:
    """Its results are a whole list that another node makes, and a value."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT", "INT"), "run", "toys"

    def run(self, count):
        graph = GraphBuilder()
        return {"result": (graph.node("V1.Items", count=count).out(0), count), "expand": graph.finalize()}


class Defer:
    """Hands the link that it was given to the node that it expands into."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0, "rawLink": True})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value):
        graph = GraphBuilder()
        return {"result": (graph.node("V1.Increment", value=value).out(0),), "expand": graph.finalize()}


class Block:
    """Blocks odd values."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1}), "message": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, value, message):
        return (ExecutionBlocker(message or None) if value % 2 else value,)


class BlockBoth:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT", "INT"), "run", "toys"

    def run(self):
        return ExecutionBlocker(None)


class Meet:
    """Waits until as many calls as `count` are waiting under the same key."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "key": ("STRING", {"default": ""}), "count": ("INT", {"default": 2})}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    async def run(self, value, key, count):
        ARRIVED[key] += 1
        while ARRIVED[key] < count:
            await asyncio.sleep(0.001)
        return (value,)


class Where:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    async def run(self, value):
        await asyncio.sleep(0)
        context = get_executing_context()
        return (json.dumps([context.node_id, context.list_index]),)


class Fail:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "message": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = (ANY,), "run", "toys"

    def run(self, value, message):
        raise ArithmeticError(message)


class Steps:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, count):
        bar = ProgressBar(count)
        for _ in range(count):
            bar.update(1)
        return (count,)


class Paints:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self):
        ProgressBar(2).update_absolute(1, 2, ("JPEG", Image.new("RGB", (8, 4)), None))
        return (1,)


class Returns:
    """Gives its result in one of several forms."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"form": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, form):
        return {"tuple": (1,), "list": [1], "dict": {"result": (1,)}, "ui": {"result": [1], "ui": {"values": [9]}}}[
            form
        ]


class Endless:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self):
        bar = ProgressBar(10)
        while True:
            bar.update_absolute(1)
            time.sleep(0.001)


class Made:
    """How often nodes of this name were made: a twin that is not reused shows."""

    NOT_IDEMPOTENT = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING", {"default": ""})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "toys"

    def run(self, name):
        MADE[name] += 1
        return (MADE[name],)


class Keeps:
    """Keeps what it was given, from one run to the next."""

    def __init__(self):
        self.kept = []

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "run", "toys"

    def run(self, value):
        self.kept.append(value)
        return (json.dumps(self.kept),)


class Picture:
    @classmethod
    def INPUT_TYPES(cls):
        return {}

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "run", "toys"

    def run(self):
        return (["picture"],)


CLASSES = (
    Items, Show, Each, Join, Whole, Fan, Increment, Either, FirstBig, LazyWhole, Unasked, Watched, Checked, CheckedAll,
    CheckedTypes, Later, Knows, KnowsWhole, Key, Raw, More, Anything, Twice, Repeat, Mixed, Reveal, Circle, ExpandFail,
    Carry, Many, Defer, Below, LoopOpen, LoopClose, Block, BlockBoth, Meet, Where, Fail, Steps, Paints, Returns,
    Endless, Made, Keeps, Picture,
)  # fmt: skip
NODE_CLASS_MAPPINGS = {f"V1.{cls.__name__}": cls for cls in CLASSES}
NODE_DISPLAY_NAME_MAPPINGS = {"V1.Items": "Items of V1"}


def note_request(request):
    """Leaves a trace in every request to run a prompt."""
    request.setdefault("extra_data", {})["seen_by"] = "toys_v1"
    return request


def broken_handler(request):
    """Costs nobody anything."""
    raise RuntimeError("a handler of a pack fails")


PromptServer.instance.add_on_prompt_handler(broken_handler)
PromptServer.instance.add_on_prompt_handler(note_request)
