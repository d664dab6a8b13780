"""Every name of these modules that two or more widely used packs import: it is there, and `nodes` has its classes."""

from pathlib import Path
from typing import Any

import pytest

from tests.nodes.packs.in_worker import evaluate

NAMES = {
    "folder_paths": "get_filename_list get_full_path folder_names_and_paths models_dir get_input_directory"
    " get_output_directory get_temp_directory get_annotated_filepath get_folder_paths add_model_folder_path"
    " get_save_image_path get_directory_by_type supported_pt_extensions __file__ base_path exists_annotated_filepath"
    " input_directory output_directory annotated_filepath folder_names_and_paths.get",
    "nodes": "MAX_RESOLUTION CLIPTextEncode VAEEncode LoraLoader PreviewImage SaveImage NODE_CLASS_MAPPINGS"
    " ConditioningCombine ConditioningConcat ControlNetApply ControlNetApplyAdvanced ImageScale"
    " InpaintModelConditioning VAEDecode VAEDecodeTiled common_ksampler CLIPSetLastLayer CheckpointLoaderSimple"
    " ConditioningAverage ConditioningSetMask ConditioningSetTimestepRange ConditioningZeroOut EmptyLatentImage"
    " ImageScaleBy LatentUpscaleBy VAEEncodeTiled KSampler KSamplerAdvanced NODE_DISPLAY_NAME_MAPPINGS"
    " EXTENSION_WEB_DIRS interrupt_processing before_node_execution load_custom_node",
    "server": "PromptServer PromptServer.instance PromptServer.instance.routes PromptServer.instance.routes.get"
    " PromptServer.instance.routes.post PromptServer.instance.send_sync BinaryEventTypes"
    " PromptServer.instance.client_id BinaryEventTypes.UNENCODED_PREVIEW_IMAGE"
    " PromptServer.instance.add_on_prompt_handler BinaryEventTypes.PREVIEW_IMAGE PromptServer.instance.app"
    " PromptServer.instance.send PromptServer.instance.last_node_id PromptServer.instance.prompt_queue"
    " PromptServer.instance.loop",
    "execution": "PromptExecutor PromptQueue validate_prompt full_type_name",
    "latent_preview": "Latent2RGBPreviewer LatentPreviewer get_previewer prepare_callback set_preview_method",
    "node_helpers": "conditioning_set_values pillow string_to_torch_dtype image_alpha_fix",
    "comfy.cli_args": "args args.disable_metadata",
    "comfy.comfy_types": "node_typing.IO IO ComfyNodeABC InputTypeDict FileLocator CheckLazyMixin",
    "comfy_execution.graph": "ExecutionBlocker DynamicPrompt ExecutionList get_input_info",
    "comfy_execution.graph_utils": "GraphBuilder is_link add_graph_prefix ExecutionBlocker",
    "comfy_execution.validation": "validate_node_input",
    "comfy_execution.utils": "get_executing_context CurrentNodeContext",
    "comfy_execution.progress": "get_progress_state",
    "comfyui_version": "__version__",
    "utils.json_util": "merge_json_recursive",
}
LINES = [f"{module}: {name}" for module, names in NAMES.items() for name in names.split()]

SETUP = """
import importlib
from nodes.builtin import builtin_nodes
from nodes.packs.node_names import add_pack_node, furnish
around.node_types.update(builtin_nodes())
furnish(around)
def there(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return True
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heddle")


@pytest.fixture(scope="module")
def values(base: Path) -> list[Any]:
    return evaluate(
        base, SETUP, [f"there({module!r}, {name!r})" for module, name in (line.split(": ") for line in LINES)]
    )


@pytest.mark.parametrize(("place", "line"), list(enumerate(LINES)), ids=LINES)
def test_a_name_is_there(place: int, line: str, values: list[Any]) -> None:
    assert values[place] is True, line


def test_nodes_are_found_as_classes_by_name(base: Path) -> None:
    setup = f"""{SETUP}
import asyncio, nodes
from dataclasses import replace
from nodes import CLIPTextEncode, NODE_CLASS_MAPPINGS
from executor.packs import PackReport

class Mine:
    FUNCTION = "go"

typed = around.node_types["EmptyImage"]
add_pack_node("Mine", typed, Mine, around)
add_pack_node("Typed", replace(typed, definition=replace(typed.definition, class_type="Typed")), None, around)
told = {{"toys": "/packs/toys/js"}}
around.host.reports.append(PackReport("toys", "/packs/toys", "custom_nodes.toys", web_directories=told))
nodes.EXTENSION_WEB_DIRS["more"] = "/packs/toys/more"
nodes.EXTENSION_WEB_DIRS["other"] = "/elsewhere"
"""
    cases = [
        ("nodes.NODE_CLASS_MAPPINGS['CLIPTextEncode'] is CLIPTextEncode", True),
        ("set(around.node_types) <= set(NODE_CLASS_MAPPINGS)", True),
        ("'LoraLoader' in NODE_CLASS_MAPPINGS or issubclass(nodes.LoraLoader, object)", True),
        ("nodes.NODE_DISPLAY_NAME_MAPPINGS['CLIPTextEncode']", "CLIP Text Encode (Prompt)"),
        ("NODE_CLASS_MAPPINGS['Mine'] is Mine", True),
        ("list(NODE_CLASS_MAPPINGS['Typed'].execute(8, 8)[0].shape)", [1, 8, 8, 3]),
        ("nodes.MAX_RESOLUTION", 16384),
        ("nodes.before_node_execution()", None),
        ("nodes.get_module_name('/packs/toys.py')", "toys"),
        ("asyncio.run(nodes.load_custom_node('/packs/new'))", False),
        (
            "dict(around.host.services().packs[0].web_directories)",
            {"toys": "/packs/toys/js", "more": "/packs/toys/more"},
        ),
    ]
    assert evaluate(base, setup, [line for line, _ in cases]) == [expected for _, expected in cases]


def test_scripts_that_run_before_torch_find_folders_and_the_server_without_it(base: Path) -> None:
    setup = "import comfy.cli_args, execution, folder_paths, server"
    assert evaluate(base, setup, ["[name for name in ('torch', 'numpy') if name in sys.modules]"]) == [[]]


def test_modules_of_the_library_are_attributes_of_it(base: Path) -> None:
    lines = [
        "comfy.cli_args.args.port",
        "comfy.model_management.__name__",
        "comfy.nonsense",
        "hasattr(comfy, '__path__')",
    ]
    expected = [8188, "comfy.model_management", "AttributeError: module 'comfy' has no attribute 'nonsense'", True]
    assert evaluate(base, "import comfy", lines) == expected
