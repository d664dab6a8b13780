"""Finding and importing packs: real ones in a temporary folder, good and bad side by side, none with a shim."""

import asyncio
import logging
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from executor.schema import NodeDefinition, NodeType, Result
from nodes.packs import loading
from nodes.packs.attempts import Attempts
from nodes.packs.discovery import PackSource, find_packs, source_digest
from nodes.packs.loading import PackLoader, log_reports
from nodes.registration import BUILT_IN

V1 = """
class Node:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "toys"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"x": ("INT", {"default": 1})}}

    def run(self, x):
        return (x + NUMBER,)

NUMBER = 1
"""
MAPPED = V1 + '\nNODE_CLASS_MAPPINGS = {"Add": Node}\nNODE_DISPLAY_NAME_MAPPINGS = {"Add": "Add a number"}\n'
TYPED = '''
from nodes.declare import node

@node("Double", category="toys")
def double(*, x: int = 1) -> int:
    """Twice the number."""
    return 2 * x
'''


@pytest.fixture(autouse=True)
def modules():
    """What packs import does not stay in this process."""
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if "custom_nodes" in name or name == "comfyui_version":
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def root(tmp_path):
    return tmp_path / "custom_nodes"


def write(root: Path, **files: str) -> None:
    """Files by their path, in which `__` stands for a slash and `_py` for the suffix."""
    for name, text in files.items():
        path = root / (name.replace("__", "/").removesuffix("_py") + (".py" if name.endswith("_py") else ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def pack(root: Path, name: str, text: str) -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "__init__.py").write_text(textwrap.dedent(text))


def not_told(name, node_type, cls):
    """For tests that look at the outcome only."""


def loader_of(sources):
    return PackLoader(sources, Attempts(sources[0].path.parents[1] / "attempts" if sources else Path("none")))


def load(*roots: Path, known=None, **options):
    """The node types that are known afterwards, and the reports by name."""
    node_types = dict(known or {})
    loader = loader_of(find_packs(roots, **options))
    loader.run_scripts()
    return node_types, {report.name: report for report in loader.load(node_types, not_told)}


def run(node_type, **inputs):
    answer = node_type.call(**inputs)
    return answer.outputs if isinstance(answer, Result) else asyncio.run(answer).outputs


def test_files_and_folders_are_packs_and_what_is_switched_off_or_hidden_is_none(root, tmp_path):
    names = [
        "b.py",
        "a/__init__.py",
        "c.py.disabled",
        "d.disabled/__init__.py",
        "__pycache__/x.py",
        ".git/x",
        "note.txt",
    ]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.py").touch()
    roots = [root, tmp_path / "more", tmp_path / "absent", root]
    assert [one.name for one in find_packs(roots)] == ["a", "b", "a"]
    assert [one.name for one in find_packs(roots, enabled=False)] == []
    assert [one.name for one in find_packs(roots, enabled=False, exceptions=["b"])] == ["b"]


def test_a_pack_in_two_roots_is_two_modules(root, tmp_path):
    pack(root, "toys.one", V1 + "NODE_CLASS_MAPPINGS = {'A': Node}")
    pack(tmp_path / "more", "toys.one", V1 + "NUMBER = 2\nNODE_CLASS_MAPPINGS = {'B': Node}")
    loader = loader_of(find_packs([root, tmp_path / "more"]))
    node_types = {}
    reports = loader.load(node_types, not_told)
    assert [(one.name, one.module, one.node_types) for one in reports] == [
        ("toys.one", "custom_nodes.toys.one", ("A",)),
        ("toys.one", "custom_nodes.toys.one", ("B",)),
    ]
    assert (run(node_types["A"], x=1), run(node_types["B"], x=1)) == ((2,), (3,))


def test_a_pack_of_v1_classes_is_loaded(root):
    pack(root, "toys", MAPPED)
    node_types, reports = load(root)
    definition = node_types["Add"].definition
    assert (definition.display_name, definition.python_module) == ("Add a number", "custom_nodes.toys")
    assert definition.version == source_digest(PackSource(root / "toys"))
    assert run(node_types["Add"], x=4) == (5,)
    report = reports["toys"]
    assert (report.node_types, report.error, report.traceback, report.web_directories) == (("Add",), None, (), None)
    assert report.seconds > 0
    assert Path(report.path) == root / "toys"
    cls = sys.modules[PackSource(root / "toys").import_name].Node
    assert cls.RELATIVE_PYTHON_MODULE == "custom_nodes.toys"


def test_imports_inside_a_pack_are_relative_and_its_module_is_known_under_its_path(root):
    (root / "my.toys" / "sub").mkdir(parents=True)
    (root / "my.toys" / "__init__.py").write_text("from .sub.classes import Node\nNODE_CLASS_MAPPINGS = {'Add': Node}")
    (root / "my.toys" / "sub" / "__init__.py").touch()
    (root / "my.toys" / "sub" / "number.py").write_text("NUMBER = 7")
    later = V1.replace("return (x + NUMBER,)", "from .number import NUMBER; return (x + NUMBER,)")
    (root / "my.toys" / "sub" / "classes.py").write_text(later)
    node_types, reports = load(root)
    assert reports["my.toys"].error is None
    assert run(node_types["Add"], x=1) == (8,)


def test_a_pack_of_typed_functions_takes_the_way_of_our_own(root):
    pack(root, "toys", "from .blur import double\n")
    (root / "toys" / "blur.py").write_text(TYPED)
    (root / "lone.py").write_text(TYPED.replace("Double", "Twice"))
    node_types, reports = load(root)
    definition = node_types["Double"].definition
    assert (definition.python_module, definition.description) == ("custom_nodes.toys", "Twice the number.")
    assert definition.version == f"{source_digest(PackSource(root / 'toys'))} 1"
    assert run(node_types["Double"], x=4) == run(node_types["Twice"], x=4) == (8,)
    assert reports["lone"].node_types == ("Twice",)


def test_one_pack_may_mix_classes_and_typed_functions(root):
    pack(root, "toys", MAPPED + TYPED)
    assert set(load(root)[0]) == {"Add", "Double"}


V3 = """
import sys
{define} comfy_entrypoint():
    return Extension()

class Extension:
    async def on_load(self):
        sys.loaded_toys = True

    async def get_node_list(self):
        return [First, Second]

class First: pass
class Second: pass
"""


@pytest.mark.parametrize("define", ["def", "async def"])
def test_a_v3_extension_is_asked_for_its_classes(root, define, monkeypatch):
    def node_type(cls, module, version):
        assert module == cls.RELATIVE_PYTHON_MODULE
        name = f"Toy{cls.__name__}"
        definition = NodeDefinition(name, (), (), "", "", python_module=module, version=version)
        return NodeType(definition, Result)

    v3 = type(sys)("nodes.packs.v3")
    v3.node_type = node_type
    monkeypatch.setitem(sys.modules, "nodes.packs.v3", v3)
    monkeypatch.delattr(sys, "loaded_toys", raising=False)
    pack(root, "toys", V3.format(define=define))

    async def in_a_loop():
        return load(root)

    node_types, reports = asyncio.run(in_a_loop())
    assert reports["toys"].error is None
    assert {name: one.definition.python_module for name, one in node_types.items()} == {
        "ToyFirst": "custom_nodes.toys",
        "ToySecond": "custom_nodes.toys",
    }
    assert sys.loaded_toys


STUBBED = """
from types import SimpleNamespace

class Extension:
    async def get_node_list(self):
        Node.GET_SCHEMA = lambda: SimpleNamespace(node_id="Add", display_name="Add a number")
        return [Node]

async def comfy_entrypoint():
    return Extension()
"""


def test_an_extension_may_give_v1_classes_that_say_their_names(root):
    pack(root, "toys", V1 + STUBBED)
    node_types, reports = load(root)
    assert (reports["toys"].node_types, reports["toys"].error) == (("Add",), None)
    assert node_types["Add"].definition.display_name == "Add a number"
    assert run(node_types["Add"], x=4) == (5,)


def test_classes_that_a_pack_puts_among_the_known_ones_are_its_nodes(root, monkeypatch):
    package = sys.modules["nodes"]
    monkeypatch.setattr(package, "NODE_CLASS_MAPPINGS", {"Known": object, "Other": object}, raising=False)
    monkeypatch.setattr(package, "NODE_DISPLAY_NAME_MAPPINGS", {}, raising=False)
    text = """
import nodes
nodes.NODE_CLASS_MAPPINGS |= {"Add": Node, "Known": Node}
nodes.NODE_DISPLAY_NAME_MAPPINGS["Add"] = "Add a number"
"""
    pack(root, "toys", V1 + text)
    pack(root, "with_its_own", V1 + text.replace("Add", "Own") + "NODE_CLASS_MAPPINGS = {'Own': Node}\n")
    known = NodeType(NodeDefinition("Known", (), (), "", "", python_module=BUILT_IN), Result)
    node_types, reports = load(root, known={"Known": known})
    assert reports["toys"].node_types == ("Add",)
    assert "Known was left out" in reports["toys"].error, "a built-in node stays what it is"
    assert node_types["Add"].definition.display_name == "Add a number"
    assert reports["with_its_own"].node_types == ("Own",)
    assert run(node_types["Own"], x=4) == (5,)


def test_a_folder_for_the_editor_that_a_pack_names_in_nodes_may_lie_elsewhere(root, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["nodes"], "EXTENSION_WEB_DIRS", {"old": str(tmp_path)}, raising=False)
    (tmp_path / "library").mkdir()
    folders = {"shown": str(tmp_path / "library"), "absent": str(tmp_path / "absent")}
    pack(root, "toys", f"import nodes\nnodes.EXTENSION_WEB_DIRS |= {folders!r}")
    report = load(root)[1]["toys"]
    assert (report.error, report.web_directories) == (None, {"shown": str(tmp_path / "library")})


FAILURES = [
    # what the pack says, then words of the one sentence about it
    ("import absent_module_of_toys", ["absent_module_of_toys", "not installed", "pip"]),
    ("from .absent import x", ["its own module 'absent'", "not complete"]),
    ("import comfyui_version.absent", ["comfyui_version.absent", "ComfyUI", "does not have"]),
    ("from comfyui_version import absent", ["comfyui_version", "absent", "does not have"]),
    ("from nodes import AbsentNode", ["'nodes'", "AbsentNode", "does not have"]),
    ("import comfy_api_nodes.absent", ["comfy_api_nodes", "part of ComfyUI"]),
    ("def broken(:", ["not valid Python", "__init__.py, line 1"]),
    ("import sys; sys.exit(3)", ["ended the program", "sys.exit(3)"]),
    ("raise GeneratorExit", ["GeneratorExit"]),
    ("1 / 0", ["ZeroDivisionError", "division by zero"]),
    ("class E(Exception):\n  def __str__(self): raise self\nraise E", ["raised E", "no reason given"]),
    ("raise ValueError('very ' * 1000)", ["ValueError", "very very", "..."]),
    ("raise ValueError('two\\nlines')", ["two lines"]),
    ("x = 1", ["no nodes", "NODE_CLASS_MAPPINGS", "comfy_entrypoint", "@node"]),
    ("NODE_CLASS_MAPPINGS = [1]", ["NODE_CLASS_MAPPINGS", "list"]),
    ("def comfy_entrypoint(): return 5", ["comfy_entrypoint", "int", "ComfyExtension"]),
    ("def comfy_entrypoint(): raise OSError('no such device')", ["OSError", "no such device"]),
    ("from nodes.declare import node\n@node('X', category='')\ndef x(y: int) -> int: return y", ["X", "keyword-only"]),
]


@pytest.mark.parametrize(("text", "words"), FAILURES, ids=[one[0].partition("\n")[0][:40] for one in FAILURES])
def test_a_pack_that_fails_is_reported_and_costs_nobody_else(root, text, words, caplog, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "nodes" / "packs" / "shims"))
    pack(root, "a_bad", text)
    pack(root, "good", MAPPED)
    node_types, reports = load(root)
    assert set(node_types) == {"Add"}
    report = reports["a_bad"]
    sentence = (report.error or "").lower()
    assert [word for word in words if word.lower() not in sentence] == []
    assert "\n" not in sentence
    assert len(sentence) < 500
    assert report.node_types == ()
    assert reports["good"].error is None
    with caplog.at_level("INFO"):
        log_reports(reports.values())
    assert report.error in caplog.text
    assert [one.levelname for one in caplog.records if "Node pack" in one.message] == ["WARNING", "INFO"]
    assert "Node pack good: 1 nodes in" in caplog.text


def test_a_folder_that_is_no_package_is_reported(root):
    (root / "cloned" / "pack").mkdir(parents=True)
    assert "no __init__.py" in load(root)[1]["cloned"].error


def test_the_requirements_of_a_pack_are_named(root):
    pack(root, "toys", "import absent_module_of_toys")
    (root / "toys" / "requirements.txt").write_text("absent_module_of_toys")
    assert f"pip install -r {root / 'toys' / 'requirements.txt'}" in load(root)[1]["toys"].error


def test_a_traceback_begins_in_the_pack(root):
    pack(root, "toys", "from . import inner\n")
    (root / "toys" / "inner.py").write_text(
        "try:\n    import absent_one\nexcept ImportError:\n    raise ValueError('no')"
    )
    text = "\n".join(load(root)[1]["toys"].traceback)
    assert "inner.py" in text
    assert "absent_one" in text
    assert text.rstrip().endswith("ValueError: no")
    assert "loading.py" not in text
    assert "importlib" not in text.partition("inner.py")[0]


def test_ctrl_c_while_packs_are_loaded_is_the_users(root):
    pack(root, "toys", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(root)


BAD_CLASSES = [
    ("class Bad(Node):\n    @classmethod\n    def INPUT_TYPES(cls): raise OSError('no models')", ["Bad", "no models"]),
    ("class Bad(Node):\n    @classmethod\n    def INPUT_TYPES(cls): return []", ["Bad", "list"]),
    ("class Bad(Node):\n    FUNCTION = 'absent'", ["Bad", "absent"]),
    ("Bad = 5", ["Bad", "int"]),
    ("class Bad(Node):\n    @classmethod\n    def INPUT_TYPES(cls): import sys; sys.exit()", ["Bad", "SystemExit"]),
]


@pytest.mark.parametrize(("text", "words"), BAD_CLASSES, ids=[str(number) for number in range(len(BAD_CLASSES))])
def test_a_bad_class_costs_itself_only(root, text, words):
    pack(root, "toys", f"{V1}\n{text}\nNODE_CLASS_MAPPINGS = {{'Bad': Bad, 'Good': Node}}")
    node_types, reports = load(root)
    assert set(node_types) == {"Good"}
    assert reports["toys"].node_types == ("Good",)
    assert [word for word in words if word not in reports["toys"].error] == []
    assert reports["toys"].traceback


def test_nobody_replaces_a_built_in_node_and_a_later_pack_replaces_an_earlier_one(root):
    built_in = NodeType(NodeDefinition("KSampler", (), (), "", "", python_module=BUILT_IN), Result)
    mappings = "\nNODE_CLASS_MAPPINGS = {'KSampler': Node, 'Both': Node, 'OWN': Node}\n"
    pack(root, "a", V1 + mappings.replace("OWN", "A"))
    pack(root, "b", V1 + "NUMBER = 2\n" + mappings.replace("OWN", "B"))
    pack(root, "c", TYPED.replace("Double", "KSampler"))
    node_types, reports = load(root, known={"KSampler": built_in})
    assert node_types["KSampler"] is built_in
    assert run(node_types["Both"], x=1) == (3,)
    assert {name: report.node_types for name, report in reports.items()} == {"a": ("A",), "b": ("Both", "B"), "c": ()}
    for report in reports.values():
        assert "KSampler" in report.error
        assert "built-in" in report.error


GONE, HERE = "999999991@5.0", f"{psutil.Process().pid}@{psutil.Process().create_time()}"
DEATHS = [
    # (version of the pack, process, its parent) of each note; then whether to give up
    ("no notes", [], False),
    ("one death", [("now", GONE, HERE)], False),
    ("two deaths", [("now", GONE, HERE), ("now", GONE, HERE)], True),
    ("a death of another version", [("old", GONE, HERE), ("now", GONE, HERE)], False),
    ("a living process", [("now", HERE, HERE), ("now", GONE, HERE)], False),
    ("a stop of everything", [("now", GONE, GONE), ("now", GONE, HERE)], False),
    ("a number that another process has now", [("now", f"{HERE}1", HERE), ("now", GONE, HERE)], True),
    ("no note that can be read", [("now", "many", HERE), ("now", "", "")], False),
]


@pytest.mark.parametrize(("notes", "given_up"), [one[1:] for one in DEATHS], ids=[one[0] for one in DEATHS])
def test_a_pack_that_ended_two_processes_is_left_out_until_it_changes(root, notes, given_up):
    pack(root, "toys", MAPPED)
    source = PackSource(root / "toys")
    attempts = Attempts(root.parent / "attempts")
    with attempts.trying(source, "digest"):
        name = next(attempts.folder.iterdir()).stem
    assert list(attempts.folder.iterdir()) == []
    for number, (version, process, parent) in enumerate(notes):
        digest = source_digest(source) if version == "now" else version
        (attempts.folder / f"{name}.{number}").write_text(f"{digest} {process} {parent}")
    assert (load(root)[1]["toys"].error is not None) is given_up
    if given_up:
        for number in range(len(notes)):
            (attempts.folder / f"{name}.{number}").unlink()
        assert str(attempts.folder) in load(root)[1]["toys"].error, "for good, not while the notes last"
        (root / "toys" / "new.py").touch()
        assert load(root)[1]["toys"].error is None
    assert list(attempts.folder.iterdir()) == []


def test_a_pack_that_takes_long_is_named_while_it_does(root, monkeypatch):
    heard = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record):
            if "Node pack slow is still being imported" in record.getMessage():
                heard.set()

    listener = Listener()
    monkeypatch.setattr(loading, "SLOW", 0.01)
    monkeypatch.setattr(sys, "heard_of_toys", heard, raising=False)
    pack(root, "slow", "import sys\nassert sys.heard_of_toys.wait(60)\nNODE_CLASS_MAPPINGS = {}")
    loading.log.addHandler(listener)
    try:
        assert load(root)[1]["slow"].error is None
    finally:
        loading.log.removeHandler(listener)


def test_scripts_run_before_any_pack_and_a_failing_one_costs_nothing(root):
    pack(root, "a", MAPPED)
    pack(root, "b", V1 + "NODE_CLASS_MAPPINGS = {'B': Node}")
    (root / "a" / "prestartup_script.py").write_text("import sys; sys.path.append('seen by a')")
    (root / "b" / "prestartup_script.py").write_text("import sys; assert 'seen by a' in sys.path; 1 / 0")
    (root / "a" / "__init__.py").write_text(f"import sys\nassert 'seen by a' in sys.path\n{MAPPED}")
    node_types, reports = load(root)
    assert set(node_types) == {"Add", "B"}
    assert reports["a"].error is None
    assert "prestartup_script.py raised ZeroDivisionError" in reports["b"].error


def test_each_node_is_told_with_its_class_before_the_next_pack_is_imported(root, monkeypatch):
    pack(root, "a", MAPPED + TYPED)
    pack(root, "b", "import sys\nassert sys.told_toys == ['Add', 'Double']\nNODE_CLASS_MAPPINGS = {}")
    loader, told = loader_of(find_packs([root])), {}
    monkeypatch.setattr(sys, "told_toys", [], raising=False)

    def tell(name, node_type, cls):
        told[name] = (node_type, cls)
        sys.told_toys.append(name)

    node_types = {}
    assert [report.error for report in loader.load(node_types, tell)] == [None, None]
    assert told["Add"] == (node_types["Add"], sys.modules[PackSource(root / "a").import_name].Node)
    assert told["Double"] == (node_types["Double"], None)


def test_folders_with_javascript_are_named(root):
    pack(root, "toys", "WEB_DIRECTORY = './web'\nNODE_CLASS_MAPPINGS = {}")
    pack(root, "absent", "WEB_DIRECTORY = './web'\nNODE_CLASS_MAPPINGS = {}")
    pack(root, "project", "NODE_CLASS_MAPPINGS = {}")
    for folder in ("toys/web", "project/js"):
        (root / folder).mkdir()
    (root / "project" / "pyproject.toml").write_text("[project]\nname = 'great-toys'\n[tool.comfy]\nweb = 'js'")
    (root / "absent" / "pyproject.toml").write_text("no TOML at all")
    reports = load(root)[1]
    assert {name: report.web_directories for name, report in reports.items()} == {
        "toys": {"toys": str(root / "toys" / "web")},
        "absent": None,
        "project": {"great-toys": str(root / "project" / "js")},
    }
    assert [report.error for report in reports.values()] == [None] * 3


EDITS = [
    ("a.py", "x = 2", True),
    ("sub/b.py", "x = 2", True),
    ("new.py", "", True),
    ("notes.txt", "changed", False),
    ("__pycache__/a.cpython.py", "changed", False),
    (".git/hook.py", "changed", False),
]


@pytest.mark.parametrize(("name", "text", "differs"), EDITS)
def test_a_pack_is_another_one_when_its_python_files_change(root, name, text, differs):
    pack(root, "toys", "x = 1")
    for file in ("a.py", "sub/b.py"):
        (root / "toys" / file).parent.mkdir(exist_ok=True)
        (root / "toys" / file).write_text("x = 1")
    source = PackSource(root / "toys")
    before = source_digest(source)
    assert source_digest(source) == before
    path = root / "toys" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert (source_digest(source) != before) is differs
