"""`comfy_execution`, `comfy.comfy_types`, `comfy.cli_args`, `node_helpers`: each case is a line of a pack."""

from pathlib import Path
from typing import Any

import pytest

from tests.nodes.packs.in_worker import evaluate

SETUP = """
import asyncio, torch, node_helpers
from comfy.cli_args import LatentPreviewMethod, args
from comfy.comfy_types import IO, CheckLazyMixin, ComfyNodeABC, FileLocator, InputTypeDict
from comfy_execution.graph import DynamicPrompt, ExecutionBlocker, ExecutionList, get_input_info
from comfy_execution.graph_utils import GraphBuilder, add_graph_prefix, is_link
from comfy_execution.progress import get_progress_state
from comfy_execution.utils import CurrentNodeContext, get_executing_context
from comfy_execution.validation import validate_node_input
from executor.context import ExecutingContext, executing
import executor.dynamic_prompt, executor.schema
from PIL import Image, ImageFile

class Any_(str):
    def __ne__(self, other):
        return False

class Watched:
    def __init__(self):
        self.said = []
    def step(self, value, total, preview=None):
        self.said.append([value, total, preview and preview().media_type])
    def check(self):
        pass

watched = Watched()
def inside(node, ask, list_index=0):
    token = executing.set(ExecutingContext("job", node, list_index, watched, []))
    try:
        return ask()
    finally:
        executing.reset(token)

def graph(build):
    builder = GraphBuilder(prefix="p.")
    build(builder)
    return builder.finalize()

def two(builder):
    first = builder.node("Load", name="a")
    builder.node("Use", "use", image=first.out(0), other=first.out(1), value=3)
    return builder

def changed(change):
    return graph(lambda builder: change(two(builder)))["p.use"]["inputs"]

class Half:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"min": 1}), "b": (["x"],)}, "hidden": {"id": "UNIQUE_ID"}}

class Lazy(CheckLazyMixin):
    pass

class Node(ComfyNodeABC):
    @classmethod
    def INPUT_TYPES(cls) -> InputTypeDict:
        return {"required": {"a": (IO.ANY, {})}}

tries = []
def torn(path):
    tries.append(ImageFile.LOAD_TRUNCATED_IMAGES)
    if not tries[-1]:
        raise OSError("image file is truncated")
    return f"opened {path}"
"""

CASES: list[tuple[str, Any]] = [
    # graphs
    ("is_link(['4', 0])", True),
    ("[is_link(one) for one in (['4'], [4, 0], ('4', 0), ['4', True], ['4', 'a'], None)]", [False] * 6),
    ("inside('2', lambda: [GraphBuilder().prefix, GraphBuilder().prefix], 1)", ["2.1.0.", "2.1.1."]),
    ("inside('2', lambda: GraphBuilder().node('A').id)", "2.0.0.1"),
    ("GraphBuilder().prefix", ""),
    (
        "graph(two)",
        {
            "p.1": {"class_type": "Load", "inputs": {"name": "a"}},
            "p.use": {"class_type": "Use", "inputs": {"image": ["p.1", 0], "other": ["p.1", 1], "value": 3}},
        },
    ),
    ("changed(lambda g: g.replace_node_output('1', 0, ['9', 2]))",
     {"image": ["9", 2], "other": ["p.1", 1], "value": 3}),
    ("changed(lambda g: g.replace_node_output('1', 1, None))", {"image": ["p.1", 0], "value": 3}),
    ("changed(lambda g: g.lookup_node('use').set_input('value', 4))['value']", 4),
    ("changed(lambda g: g.lookup_node('use').set_input('value', None))", {"image": ["p.1", 0], "other": ["p.1", 1]}),
    ("list(graph(lambda g: two(g).remove_node('1')))", ["p.use"]),
    ("GraphBuilder('').lookup_node('none')", None),
    ("two(GraphBuilder('')).lookup_node('use').get_input('value')", 3),
    (
        "graph(lambda g: g.node('A', 'a').set_override_display_id('7'))",
        {"p.a": {"class_type": "A", "inputs": {}, "override_display_id": "7"}},
    ),
    (
        "add_graph_prefix({'1': {'class_type': 'A', 'inputs': {'x': ['2', 0], 'y': 1}}}, (['1', 0], 5), 'q.')",
        [{"q.1": {"class_type": "A", "inputs": {"x": ["q.2", 0], "y": 1}}}, [["q.1", 0], 5]],
    ),
    ("ExecutionBlocker is executor.schema.ExecutionBlocker", True),
    ("ExecutionBlocker('why').message", "why"),
    ("DynamicPrompt is executor.dynamic_prompt.DynamicPrompt", True),
    ("ExecutionList(1)", "RuntimeError: Heddle's executor decides what runs next, and lets no node pack do it."),
    ("list(get_input_info(Half, 'a'))", ["INT", "required", {"min": 1}]),
    ("list(get_input_info(Half, 'b'))", [["x"], "required", {}]),
    ("list(get_input_info(Half, 'id'))", ["UNIQUE_ID", "hidden", {}]),
    ("list(get_input_info(Half, 'none'))", [None, None, None]),
    # types
    ("validate_node_input('IMAGE', 'IMAGE')", True),
    ("validate_node_input('IMAGE', 'MASK')", False),
    ("validate_node_input('IMAGE', '*')", True),
    ("validate_node_input('IMAGE,MASK', 'MASK,LATENT')", True),
    ("validate_node_input('IMAGE,MASK', 'MASK', strict=True)", False),
    ("validate_node_input('MASK', 'IMAGE,MASK', strict=True)", True),
    ("validate_node_input(Any_('X'), 'MASK')", True),
    ("validate_node_input(['a'], 'COMBO')", False),
    ("[IO.ANY != 'IMAGE', IO.IMAGE != 'MASK', IO.NUMBER != 'INT', IO.INT != 'INT']", [False, True, False, False]),
    ("[str(IO.ANY), f'{IO.IMAGE}', IO.MASK == 'MASK', {IO.INT: 1}['INT']]", ["*", "IMAGE", True, 1]),
    ("Lazy().check_lazy_status(a=None, b=1, c=None)", ["a", "c"]),
    ("[hasattr(Node, 'RETURN_TYPES'), Node.INPUT_TYPES()]", [False, {"required": {"a": ["*", {}]}}]),
    # the call around the asking code
    ("get_executing_context()", None),
    ("list(inside('5', get_executing_context, 2))", ["job", "5", 2]),
    ("inside('5', lambda: get_progress_state().update_progress('5', 1.0, 4.0)) or watched.said[-1]", [1, 4, None]),
    (
        "inside('5', lambda: get_progress_state().update_progress('5', 2, 4, ('PNG', Image.new('RGB', (2, 2)), 64)))"
        " or watched.said[-1]",
        [2, 4, "image/png"],
    ),
    ("inside('5', lambda: get_progress_state().update_progress('6', 3, 4)) or watched.said[-1][0]", 2),
    ("get_progress_state().update_progress('6', 3, 4)", None),
    ("CurrentNodeContext('j', 'n', 1).__enter__() and list(get_executing_context())", ["j", "n", 1]),
    # options
    ("[args.disable_metadata, args.cpu, args.cuda_device, args.port]", [False, True, None, 8188]),
    ("args.preview_method is LatentPreviewMethod.Latent2RGB", True),
    # small functions
    (
        "node_helpers.conditioning_set_values([[1, {'a': 1}]], {'a': 2, 'b': 3})",
        [[1, {"a": 2, "b": 3}]],
    ),
    (
        "node_helpers.conditioning_set_values([[1, {'a': [1]}]], {'a': [2], 'b': [3]}, append=True)",
        [[1, {"a": [1, 2], "b": [3]}]],
    ),
    ("[node_helpers.pillow(torn, 'x.png'), tries, ImageFile.LOAD_TRUNCATED_IMAGES]",
     ["opened x.png", [False, True], False]),
    ("[str(node_helpers.string_to_torch_dtype(word)) for word in ('fp16', 'bf16', 'int8')]",
     ["torch.float16", "torch.bfloat16", "None"]),
    ("node_helpers.hasher()(b'').hexdigest()[:8]", "e3b0c442"),
    ("[list(one.shape) for one in node_helpers.image_alpha_fix(torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 4))]",
     [[1, 2, 2, 3]] * 2),
    ("node_helpers.image_alpha_fix(torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 1, 3))[1].tolist()",
     [[[[0, 0, 0, 1]]]]),
]  # fmt: skip


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    base: Path = tmp_path_factory.mktemp("heddle")
    options = {"cpu": True, "preview_method": "latent2rgb"}
    return evaluate(base, SETUP, [line for line, _ in CASES], options=options)


@pytest.mark.parametrize(("place", "line"), list(enumerate(line for line, _ in CASES)), ids=[one for one, _ in CASES])
def test_a_pack_asks(place: int, line: str, values: list[Any]) -> None:
    assert values[place] == CASES[place][1], line
