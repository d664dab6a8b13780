"""What each construct of an editor document becomes: small documents, one construct each."""

from datetime import datetime
from random import Random

import pytest

from executor.object_info import definition_from_object_info
from executor.workflow import WorkflowError, is_api_prompt, is_workflow, to_prompt

INFO = {
    "Load": {"input": {"required": {"file": [["a", "b"], {}]}}, "output": ["MODEL", "CLIP"]},
    "Text": {"input": {"required": {"text": ["STRING", {"dynamicPrompts": True}], "clip": ["CLIP"]}}, "output": ["C"]},
    "Patch": {
        "input": {"required": {"model": ["MODEL"], "strength": ["FLOAT", {"default": 1.0}]}},
        "output": ["MODEL"],
    },
    "Sample": {
        "input": {
            "required": {
                "model": ["MODEL"],
                "seed": ["INT", {"default": 0}],
                "steps": ["INT", {"default": 20}],
                "name": [["euler", "heun"], {}],
                "denoise": ["FLOAT", {"default": 1.0}],
            }
        },
        "output": ["IMAGE"],
    },
    "Save": {
        "input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "Heddle"}]}},
        "output": [],
        "output_node": True,
    },
    "Points": {"input": {"required": {"n": ["COMBO", {"options": ["x"], "multiselect": True}]}}, "output": []},
    "Resize": {
        "input": {
            "required": {
                "kind": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
                            {"key": "to", "inputs": {"required": {"w": ["INT", {}], "h": ["INT", {}]}}},
                        ]
                    },
                ],
                "method": [["area", "nearest"], {}],
            }
        },
        "output": ["IMAGE"],
    },
    "Sum": {
        "input": {
            "required": {
                "ns": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"n": ["INT", {}]}}, "prefix": "n"}}],
                "name": ["STRING", {}],
            }
        },
        "output": ["INT"],
    },
}  # fmt: skip
DEFINITIONS = {name: definition_from_object_info(name, info) for name, info in INFO.items()}


def node(node_id, kind, values=(), inputs=(), outputs=(), **more):
    """`inputs` are (name, type, link id or None); a name with a star is a widget's."""
    return {
        "id": node_id,
        "type": kind,
        "mode": 0,
        "widgets_values": list(values) if isinstance(values, tuple | list) else values,
        "inputs": [
            {"name": name.rstrip("*"), "type": kind, "link": link}
            | ({"widget": {"name": name.rstrip("*")}} if name.endswith("*") else {})
            for name, kind, link in inputs
        ],
        "outputs": [{"name": name, "type": kind} for name, kind in outputs],
        **more,
    }


def document(nodes, links, **more):
    return {"version": 0.4, "nodes": nodes, "links": links, **more}


def check(raw, expected, warnings=()):
    """The inputs of each node of the prompt, and a piece of each warning."""
    converted = to_prompt(raw, DEFINITIONS, random=Random(0), now=datetime(2026, 3, 4, 5, 6, 7))
    assert {node_id: node["inputs"] for node_id, node in converted.prompt.items()} == expected
    assert len(converted.warnings) == len(warnings), converted.warnings
    for warning, piece in zip(converted.warnings, warnings, strict=True):
        assert piece in warning


def sample(values, **more):
    return document([node(1, "Sample", values, [("model", "MODEL", None)], **more)], [])


FULL = {"seed": 5, "steps": 30, "name": "heun", "denoise": 0.5}
DEFAULTS = {"seed": 0, "steps": 20, "name": "euler", "denoise": 1.0}

VALUES = [
    ("as saved, with the entry after the seed", (5, "fixed", 30, "heun", 0.5), FULL, ()),
    ("too few values leave the rest at its defaults", (5, "fixed"), DEFAULTS | {"seed": 5}, ()),
    ("no values at all", (), DEFAULTS, ()),
    ("by name", {"seed": 5, "steps": 30, "name": "heun", "denoise": 0.5}, FULL, ()),
    ("the entry after the seed is missing", (5, 30, "heun", 0.5), FULL, ()),
    ("an old file says true for the entry after the seed", (5, True, 30, "heun", 0.5), FULL, ()),
    ("a widget too many, in front", ("flow", 5, "fixed", 30, "heun", 0.5), FULL, ()),
    ("a widget too many, in the middle", (5, "fixed", 30, "gone", "heun", 0.5), FULL, ()),
    ("a file that is not here stays", (5, "fixed", 30, "other", 0.5), FULL | {"name": "other"}, ()),
    ("null means the default", (None, "fixed", 30, "heun", None), FULL | {"seed": 0, "denoise": 1.0}, ()),
    (
        "what fits nowhere is replaced, and said",
        (5, "fixed", [], "heun", {}),
        FULL | {"steps": 20, "denoise": 1.0},
        ("'steps'", "'denoise'"),
    ),
]


@pytest.mark.parametrize(
    ("values", "expected", "warnings"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES]
)
def test_saved_values_get_their_names(values, expected, warnings):
    check(sample(values), {"1": expected}, warnings)


def test_named_values_win_over_positions():
    named = {"seed": 5, "steps": 30, "name": "heun", "denoise": 0.5}
    check(sample(("flow", 1, 2, 3), widgets_values_named=named), {"1": FULL})


def test_a_dynamic_combo_brings_the_inputs_of_its_choice():
    check(document([node(1, "Resize", ("to", 3, 4, "nearest"))], []),
          {"1": {"kind": "to", "kind.w": 3, "kind.h": 4, "method": "nearest"}})  # fmt: skip
    check(document([node(1, "Resize", ("by", 1.5, "area"))], []),
          {"1": {"kind": "by", "kind.factor": 1.5, "method": "area"}})  # fmt: skip
    check(document([node(1, "Resize", ())], []),
          {"1": {"kind": "by", "kind.factor": 2.0, "method": "area"}})  # fmt: skip
    check(document([node(1, "Resize", {"kind": "to", "kind.w": 3, "kind.h": 4})], []),
          {"1": {"kind": "to", "kind.w": 3, "kind.h": 4, "method": "area"}})  # fmt: skip


def test_inputs_that_have_grown_keep_their_values():
    grown = [("ns.n1*", "INT", None), ("ns.n0*", "INT", None), ("name*", "STRING", None)]
    expected = {"1": {"ns.n0": 3, "ns.n1": 4, "name": "x"}}
    check(document([node(1, "Sum", (3, 4, "x"), grown)], []), expected)
    check(document([node(1, "Sum", {"ns.n0": 3, "ns.n1": 4, "name": "x"}, grown)], []), expected)


def test_lists_go_wrapped_so_that_nobody_takes_them_for_links():
    check(document([node(1, "Points", (["x"],))], []), {"1": {"n": {"__value__": ["x"]}}})


LOAD = node(1, "Load", ("b",), outputs=[("MODEL", "MODEL"), ("CLIP", "CLIP")])
PATCH = node(2, "Patch", (0.5,), [("model", "MODEL", 10)], [("MODEL", "MODEL")])
SAMPLE = node(3, "Sample", (5, "fixed", 30, "heun", 0.5), [("model", "MODEL", 11)], [("IMAGE", "IMAGE")])
LINKS = [[10, 1, 0, 2, 0, "MODEL"], [11, 2, 0, 3, 0, "MODEL"]]

ALL_RUN = {"1": {"file": "b"}, "2": {"strength": 0.5, "model": ["1", 0]}, "3": FULL | {"model": ["2", 0]}}
MODES = [
    ("everything runs", 0, ALL_RUN),
    ("muted: nothing comes through", 2, {"1": {"file": "b"}, "3": FULL}),
    ("bypassed: its input of that type comes through", 4, {"1": {"file": "b"}, "3": FULL | {"model": ["1", 0]}}),
    ("an old mode runs", 3, ALL_RUN),
]


@pytest.mark.parametrize(("mode", "expected"), [case[1:] for case in MODES], ids=[case[0] for case in MODES])
def test_modes(mode, expected):
    check(document([LOAD, PATCH | {"mode": mode}, SAMPLE], LINKS), expected)


def test_a_bypassed_node_without_a_fitting_input_passes_nothing():
    text = node(2, "Text", ("t",), [("clip", "CLIP", 10)], [("MODEL", "MODEL")], mode=4)
    check(document([LOAD, text, SAMPLE], [[10, 1, 1, 2, 0, "CLIP"], LINKS[1]]), {"1": {"file": "b"}, "3": FULL})


def test_reroutes_and_notes_are_the_editors_own():
    reroute = node(2, "Reroute", (), [("", "*", 10)], [("", "MODEL")])
    raw = document([LOAD, reroute, SAMPLE, node(9, "Note", ("read me",)), node(8, "MarkdownNote", ("#",))], LINKS)
    check(raw, {"1": {"file": "b"}, "3": FULL | {"model": ["1", 0]}})


def test_reroutes_in_a_circle_lead_nowhere():
    one = node(1, "Reroute", (), [("", "*", 11)], [("", "*")])
    two = node(2, "Reroute", (), [("", "*", 10)], [("", "*")])
    three = SAMPLE | {"inputs": [{"name": "model", "type": "MODEL", "link": 12}]}
    check(
        document([one, two, three], [[10, 1, 0, 2, 0, "*"], [11, 2, 0, 1, 0, "*"], [12, 2, 0, 3, 0, "*"]]), {"3": FULL}
    )


def test_a_primitive_gives_its_value():
    primitive = node(1, "PrimitiveNode", (77, "fixed"), outputs=[("INT", "INT")])
    seeded = node(3, "Sample", (5, "fixed", 30, "heun", 0.5), [("model", "MODEL", None), ("seed*", "INT", 10)])
    check(document([primitive, seeded], [[10, 1, 0, 3, 1, "INT"]]), {"3": FULL | {"seed": 77}})


def test_a_link_wins_over_the_widget_and_stale_positions_do_not_matter():
    count = node(1, "Sample", (), outputs=[("INT", "INT")])
    seeded = node(3, "Sample", (5, "fixed", 30, "heun", 0.5), [("model", "MODEL", None), ("steps*", "INT", 10)])
    check(document([count, seeded], [[10, 1, 0, 3, 7, "INT"]]), {"1": DEFAULTS, "3": FULL | {"steps": ["1", 0]}})


def test_links_to_nothing_are_dropped():
    check(document([PATCH, SAMPLE], LINKS), {"2": {"strength": 0.5}, "3": FULL | {"model": ["2", 0]}})


def inner_graph(**more):
    """A definition: model and seed go in (the seed to a widget), an image comes out."""
    return {
        "id": "inner",
        "nodes": [
            node(5, "Patch", (0.25,), [("model", "MODEL", 1), ("strength*", "FLOAT", None)], [("MODEL", "MODEL")]),
            node(6, "Sample", FULL, [("model", "MODEL", 2), ("seed*", "INT", 3)], [("IMAGE", "IMAGE")]),
        ],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 5, "target_slot": 0, "type": "MODEL"},
            {"id": 2, "origin_id": 5, "origin_slot": 0, "target_id": 6, "target_slot": 0, "type": "MODEL"},
            {"id": 3, "origin_id": -10, "origin_slot": 1, "target_id": 6, "target_slot": 1, "type": "INT"},
            {"id": 4, "origin_id": 6, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "IMAGE"},
        ],
        "inputs": [{"name": "model", "type": "MODEL"}, {"name": "seed", "type": "INT"}],
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        **more,
    }  # fmt: skip


def with_instance(values=(), mode=0, seed_link=None, **more):
    instance = node(
        7,
        "inner",
        values,
        [("model", "MODEL", 10), ("seed*", "INT", seed_link)],
        [("IMAGE", "IMAGE")],
        mode=mode,
        **more,
    )
    save = node(8, "Save", ("x",), [("images", "IMAGE", 12)])
    links = [[10, 1, 0, 7, 0, "MODEL"], [12, 7, 0, 8, 0, "IMAGE"]]
    return document([LOAD, instance, save], links, definitions={"subgraphs": [inner_graph()]})


def test_an_instance_is_replaced_by_what_is_inside():
    check(with_instance(), {
        "1": {"file": "b"},
        "8": {"filename_prefix": "x", "images": ["7:6", 0]},
        "7:5": {"strength": 0.25, "model": ["1", 0]},
        "7:6": FULL | {"model": ["7:5", 0]},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("instance", "seed", "strength"),
    [
        ({"values": (99,)}, 99, 0.25),
        ({"values": {"seed": 98}}, 98, 0.25),
        ({"values": (1,), "widgets_values_named": {"seed": 97}}, 97, 0.25),
        ({"values": (), "properties": {"proxyWidgets": [["6", "seed"]]}}, 5, 0.25),
        ({"values": (96,), "properties": {"proxyWidgets": [["6", "seed"]]}}, 96, 0.25),
        ({"values": (0.75, 95), "properties": {"proxyWidgets": [["5", "strength"], ["-1", "seed"]]}}, 95, 0.75),
    ],
)
def test_values_on_an_instance_replace_those_inside(instance, seed, strength):
    converted = to_prompt(with_instance(**instance), DEFINITIONS)
    assert converted.prompt["7:6"]["inputs"]["seed"] == seed
    assert converted.prompt["7:5"]["inputs"]["strength"] == strength


def test_a_value_on_an_instance_that_cannot_be_meant_is_left_with_a_warning():
    converted = to_prompt(with_instance(("heun",)), DEFINITIONS)
    assert converted.prompt["7:6"]["inputs"]["seed"] == 5
    assert "'seed' was given 'heun'" in converted.warnings[0]


@pytest.mark.parametrize("mode", [2, 4])
def test_nothing_runs_inside_an_instance_that_does_not_at_any_depth(mode):
    outer = {
        "id": "outer",
        "nodes": [node(7, "inner", (), [], [("IMAGE", "IMAGE")], mode=mode)],
        "links": [{"id": 1, "origin_id": 7, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "IMAGE"}],
        "inputs": [],
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        "definitions": {"subgraphs": [inner_graph()]},
    }
    nodes = [node(2, "outer", (), [], [("IMAGE", "IMAGE")]), node(8, "Save", ("x",), [("images", "IMAGE", 12)])]
    check(
        document(nodes, [[12, 2, 0, 8, 0, "IMAGE"]], definitions={"subgraphs": [outer]}),
        {"8": {"filename_prefix": "x"}},
    )


def test_a_subgraph_that_contains_itself_is_refused():
    endless = inner_graph(nodes=[node(5, "inner")])
    with pytest.raises(WorkflowError, match="node 7:5 contains itself"):
        to_prompt(document([node(7, "inner")], [], definitions={"subgraphs": [endless]}), DEFINITIONS)


def test_an_unknown_type_is_written_with_its_links_and_a_warning():
    strange = node(2, "Strange", (1, 2), [("model", "MODEL", 10)], [("MODEL", "MODEL")])
    raw = document([LOAD, strange, SAMPLE], LINKS)
    expected = {"1": {"file": "b"}, "2": {"model": ["1", 0]}, "3": FULL | {"model": ["2", 0]}}
    check(raw, expected, ("'Strange' is not known",))


def test_alternatives_in_texts_are_chosen_and_escapes_kept():
    raw = document([node(1, "Text", (r"a {red|blue} \{cube\} {on {top|side}}",))], [])
    texts = {to_prompt(raw, DEFINITIONS, random=Random(i)).prompt["1"]["inputs"]["text"] for i in range(40)}
    assert texts == {f"a {colour} {{cube}} on {place}" for colour in ("red", "blue") for place in ("top", "side")}


def test_names_of_saved_files_quote_dates_and_other_nodes():
    save = node(8, "Save", ("%date:yyyy-MM-dd hh_mm%/%Sample.seed%_%My title.name%_%width%",))
    titled = SAMPLE | {"title": "My title"}
    raw = document([titled, save], [])
    prefix = to_prompt(raw, DEFINITIONS, now=datetime(2026, 3, 4, 5, 6)).prompt["8"]["inputs"]["filename_prefix"]
    assert prefix == "2026-03-04 05_06/5_heun_%width%"


def test_the_title_and_the_pack_go_with_the_node():
    raw = document([LOAD | {"title": "Mine", "properties": {"cnr_id": "core", "ver": "1.0", "other": 1}}], [])
    converted = to_prompt(raw, DEFINITIONS)
    assert converted.prompt["1"]["_meta"] == {"title": "Mine", "cnr_id": "core", "ver": "1.0"}
    assert converted.prompt["1"]["class_type"] == "Load"


@pytest.mark.parametrize("raw", [None, [], "x", {}, {"nodes": {}}, {"1": {"class_type": "Load", "inputs": {}}}])
def test_what_is_no_document_is_refused(raw):
    assert not is_workflow(raw)
    with pytest.raises(WorkflowError):
        to_prompt(raw, DEFINITIONS)


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"1": {"class_type": 3}}, {"1": {"class_type": "A", "inputs": []}}, {"nodes": []}]
)
def test_what_is_no_prompt_is_told_apart(raw):
    assert not is_api_prompt(raw)


def test_torn_documents_do_not_raise():
    raw = document(
        [3, {"id": 1}, {"type": "Load"}, {"id": 2, "type": "Load", "inputs": None, "outputs": 3, "properties": []}],
        [None, [1], {"id": 1}, [1, 2, "x", 3, 4, "T"]],
        definitions=[],
    )
    check(raw, {"2": {"file": "a"}})
