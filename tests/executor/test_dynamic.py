"""Which inputs a node has, given what it was given; and the nested arguments that its code gets."""

import pytest

from executor.dynamic import is_dynamic, nest, unfold
from executor.object_info import definition_from_object_info
from executor.schema import MISSING

NUMBER = ["INT", {"min": 0, "max": 9}]
MODE = [
    "COMFY_DYNAMICCOMBO_V3",
    {
        "options": [
            {"key": "plain", "inputs": {}},
            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
            {"key": "to", "inputs": {"required": {"width": NUMBER}, "optional": {"height": NUMBER}}},
            {
                "key": "deep",
                "inputs": {
                    "required": {
                        "sub": [
                            "COMFY_DYNAMICCOMBO_V3",
                            {"options": [{"key": "a"}, {"key": "b", "inputs": {"required": {"x": NUMBER}}}]},
                        ],
                        "many": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"n": NUMBER}}, "min": 0}}],
                    }
                },
            },
        ]
    },
]


def grow(least=0, most=None, names=None, prefix="image", inputs=None):
    template = {"input": {"required": inputs or {"image": ["IMAGE", {}]}}, "min": least}
    template |= {"names": names} if names else {"prefix": prefix, "max": most}
    return ["COMFY_AUTOGROW_V3", {"template": template}]


SLOT = ["COMFY_DYNAMICSLOT_V3", {"slotType": "MODEL", "inputs": {"required": {"strength": NUMBER}}, "tooltip": "t"}]
ROWS = grow(inputs={"row": MODE}, prefix="row")
PAIRS = grow(inputs={"image": ["IMAGE", {}], "mask": ["MASK", {}]}, most=2)


def define(required=None, optional=None, **more):
    return definition_from_object_info("D", {"input": {"required": required or {}, "optional": optional or {}}, **more})


UNFOLDED = [
    ("nothing dynamic", {"a": NUMBER}, {"a": 1, "b.c": 2}, "a"),
    ("an option without inputs", {"mode": MODE, "a": NUMBER}, {"mode": "plain"}, "mode a"),
    ("an option's inputs stand behind", {"mode": MODE, "a": NUMBER}, {"mode": "to"}, "mode mode.width mode.height a"),
    ("a wrapped option", {"mode": MODE}, {"mode": {"__value__": "by"}}, "mode mode.factor"),
    ("no option, and nothing for one", {"mode": MODE}, {}, "mode"),
    ("an unknown option leaves open what was meant", {"mode": MODE}, {"mode": "x", "mode.y": 1}, "mode | open mode"),
    ("an option that is a list", {"mode": MODE}, {"mode": ["1", 0]}, "| invalid mode | open mode"),
    ("an option's input without an option", {"mode": MODE}, {"mode.width": 3}, "| invalid mode | open mode"),
    ("options in options", {"mode": MODE}, {"mode": "deep", "mode.sub": "b"}, "mode mode.sub mode.sub.x"),
    (
        "growing in options",
        {"mode": MODE},
        {"mode": "deep", "mode.sub": "a", "mode.many.n1": 1, "mode.many.n0": 2},
        "mode mode.sub mode.many.n0 mode.many.n1",
    ),
    ("grown inputs go by number", {"i": grow()}, {"i.image10": 1, "i.image9": 1}, "i.image9 i.image10"),
    ("what the template does not grow", {"i": grow()}, {"i.imagex": 1, "i.image": 1, "i.other0": 1, "i": 1}, ""),
    ("no number is that long", {"i": grow()}, {"i.image" + "9" * 5000: 1, "i.image²": 1}, ""),
    ("as many as may be", {"i": grow(most=2)}, {"i.image0": 1, "i.image7": 1}, "i.image0 i.image7"),
    ("too many", {"i": grow(most=1)}, {"i.image0": 1, "i.image1": 1}, "i.image0 i.image1 | invalid i"),
    ("fewer than the least are enough", {"i": grow(least=2)}, {"i.image4": 1}, "i.image4"),
    ("none where one is needed", {"i": grow(least=1)}, {}, "| missing i"),
    ("none where none is needed", {"i": grow(least=0)}, {}, ""),
    ("named ones, in the order of the names", {"i": grow(names=["b", "a"])}, {"i.a": 1, "i.b": 1, "i.c": 1}, "i.b i.a"),
    (
        "several in a row",
        {"i": PAIRS},
        {"i.mask0": 1, "i.image1": 1, "i.image0": 1},
        "i.image0 i.mask0 i.image1",
    ),
    (
        "rows are counted, not inputs",
        {"i": PAIRS},
        {"i.mask0": 1, "i.image1": 1, "i.image0": 1, "i.mask1": 1},
        "i.image0 i.mask0 i.image1 i.mask1",
    ),
    (
        "options in rows",
        {"rows": ROWS},
        {"rows.row1": "to", "rows.row1.width": 1, "rows.row0": "plain"},
        "rows.row0 rows.row1 rows.row1.width rows.row1.height",
    ),
    ("a row without its option", {"rows": ROWS}, {"rows.row0.width": 1}, "| invalid rows.row0 | open rows.row0"),
    ("a slot with nothing linked", {"slot": SLOT}, {"slot.strength": 1}, "slot"),
    ("a slot with a link", {"slot": SLOT}, {"slot": ["1", 0]}, "slot slot.strength"),
]  # fmt: skip


@pytest.mark.parametrize(("required", "given", "expected"), [c[1:] for c in UNFOLDED], ids=[c[0] for c in UNFOLDED])
def test_dynamic_inputs_unfold(required, given, expected):
    unfolded = unfold(define(required).inputs, given)
    told = " ".join(socket.name for socket in unfolded.sockets)
    told += "".join(f" | {fault.kind} {fault.name}" for fault in unfolded.faults)
    told += "".join(f" | open {name}" for name in unfolded.unsettled)
    assert told.strip() == expected


def test_unfolded_inputs_are_what_their_descriptions_say():
    inputs = define({"mode": MODE, "slot": SLOT, "images": grow()}).inputs
    given = {"mode": "to", "slot": ["1", 0], "images.image0": ["2", 0]}
    mode, width, height, slot, strength, image = unfold(inputs, given).sockets
    assert (mode.type, mode.required, mode.widget.choices) == ("COMBO", True, ("plain", "by", "to", "deep"))
    assert (width.type, width.required, width.widget.max) == ("INT", True, 9)
    assert not height.required
    assert (slot.type, slot.tooltip, dict(slot.options)) == ("MODEL", "t", {})
    assert (strength.type, strength.required) == ("INT", True)
    assert (image.type, image.required, image.widget, image.default) == ("IMAGE", False, None, MISSING)


def test_faults_say_what_to_do():
    inputs = define({"mode": MODE, "images": grow(most=1)}).inputs
    combo, grown = unfold(inputs, {"mode.width": 1, "images.image0": 1, "images.image1": 1}).faults
    expected = "'mode.width' is given but no option is chosen; choose one of 'plain', 'by', 'to', 'deep'."
    assert combo.sentence == expected
    assert grown.sentence == "it takes at most 1 inputs but 2 are given; remove 1 of them."


NESTED = [
    ("an option without inputs", {"mode": "plain"}, {"mode": {"mode": "plain"}}),
    ("an option's inputs", {"mode": "to", "mode.width": 5}, {"mode": {"mode": "to", "width": 5}}),
    (
        "options in options",
        {"mode": "deep", "mode.sub": "b", "mode.sub.x": 1, "mode.many.n1": 3, "mode.many.n0": 2},
        {"mode": {"mode": "deep", "sub": {"sub": "b", "x": 1}, "many": {"n0": 2, "n1": 3}}},
    ),
    (
        "a required list to which nothing is given is empty",
        {"mode": "deep", "mode.sub": "a"},
        {"mode": {"mode": "deep", "sub": {"sub": "a"}, "many": {}}},
    ),
    ("a value that is not known yet", {"mode": "to", "mode.width": None}, {"mode": {"mode": "to", "width": None}}),
    ("others stay as they are", {"mode": "by", "a.b": 1, "c": 2}, {"mode": {"mode": "by"}, "a.b": 1, "c": 2}),
    ("names that nobody declared nest too", {"mode": "by", "mode.x.y": 1}, {"mode": {"mode": "by", "x.y": 1}}),
]


@pytest.mark.parametrize(("flat", "expected"), [case[1:] for case in NESTED], ids=[case[0] for case in NESTED])
def test_arguments_nest(flat, expected):
    check_nested(define({"mode": MODE}), flat, expected)
    check_nested(define({"mode": MODE}), dict(reversed(flat.items())), expected)


def check_nested(definition, flat, expected):
    nested = nest(definition, flat)
    assert nested == expected
    for name, value in expected.items():
        if isinstance(value, dict):
            assert [k for k in nested[name] if k != name] == [k for k in value if k != name]  # also in this order


def test_grown_lists_and_slots_nest_under_their_names():
    definition = define({"images": grow(), "slot": SLOT}, {"more": grow(), "other": SLOT})
    check_nested(definition, {"slot": "m"}, {"images": {}, "slot": {"slot": "m"}})
    flat = {"images.image1": "b", "images.image0": "a", "slot": "m", "slot.strength": 3, "more.image0": "c"}
    expected = {"images": {"image0": "a", "image1": "b"}, "slot": {"slot": "m", "strength": 3}, "more": {"image0": "c"}}
    check_nested(definition, flat, expected)


def test_a_node_that_takes_whole_lists_gets_them_inside_the_nesting():
    definition = define({"mode": MODE, "images": grow()}, is_input_list=True)
    flat = {"mode": ["to"], "mode.width": [1, 2], "images.image0": ["a"]}
    check_nested(definition, flat, {"mode": {"mode": ["to"], "width": [1, 2]}, "images": {"image0": ["a"]}})


def test_nodes_without_dynamic_inputs_get_the_very_arguments():
    definition = define({"a": NUMBER, "b.c": NUMBER})
    flat = {"a": 1, "b.c": 2}
    assert not is_dynamic(definition)
    assert nest(definition, flat) is flat


def test_inputs_nested_a_thousand_deep_are_no_problem():
    entry = NUMBER
    for depth in range(1000):
        inputs = {"required": {"ba"[depth % 2]: entry}}
        entry = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "k", "inputs": inputs}]}]
    names = [".".join(("ba" * 501)[:depth]) for depth in range(1, 1002)]
    flat = dict.fromkeys(names, "k")
    definition = define({"b": entry})
    assert [socket.name for socket in unfold(definition.inputs, flat).sockets] == names
    inner = nest(definition, flat)
    for depth in range(1000):
        inner = inner["ba"[depth % 2]]
    assert inner == {"a": "k", "b": "k"}
