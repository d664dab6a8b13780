"""Inputs that other inputs bring into being: the one recipe for sockets that a static definition cannot list.

The option chosen in a DynamicCombo, the number of inputs given to an Autogrow, and the link at a DynamicSlot decide
which further inputs a node has; on the wire these have dotted names (`mode.width`, `images.image0`), and they nest.
Knows neither links nor errors of the protocol, and checks no value: `prompt_input` and `workflow` do that with the
plain sockets that come out of here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from executor.literal import choose, unwrap
from executor.object_info import input_from_info
from executor.schema import MISSING, InputSocket, NodeDefinition, Widget

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
"""`options` = [{"key", "inputs"}]: the inputs of the chosen key."""
AUTOGROW = "COMFY_AUTOGROW_V3"
"""`template` = {"input", "prefix", "min", "max"} or {"input", "names", "min"}: as many inputs as are given."""
DYNAMIC_SLOT = "COMFY_DYNAMICSLOT_V3"
"""`slotType`, `inputs`: the inputs that there are while something is linked to the slot."""
DYNAMIC = frozenset({DYNAMIC_COMBO, AUTOGROW, DYNAMIC_SLOT})


@dataclass(frozen=True, slots=True)
class Fault:
    """A dynamic input of which nobody can say what inputs it brings, or which brings too many or none."""

    kind: Literal["missing", "invalid"]
    name: str
    sentence: str
    """What is wrong and what to do, without the name."""


@dataclass(slots=True)
class Unfolded:
    """The plain inputs that a node has, given what it was given."""

    sockets: list[InputSocket] = field(default_factory=list[InputSocket])
    """In the order of the definition; those that another one brings come right behind it."""
    groups: list[str] = field(default_factory=list[str])
    """The dotted names of dynamic inputs, each of which is one nested argument of the node; outer ones first."""
    faults: list[Fault] = field(default_factory=list[Fault])
    unsettled: list[str] = field(default_factory=list[str])
    """Dynamic inputs below which anything may have been meant, because what decides about it is missing or wrong."""


def is_dynamic(definition: NodeDefinition) -> bool:
    """Whether any input of the node depends on the values of others."""
    return any(socket.type in DYNAMIC for socket in definition.inputs)


def unfold(inputs: Sequence[InputSocket], given: Mapping[str, Any]) -> Unfolded:
    """The plain sockets for what is `given` on the wire: input name -> literal or link, without those that are null.

    Autogrow: inputs are taken in the order of their numbers, gaps and all; each is optional, since the peer does not
    enforce `min` either. Only a required one that must grow and to which nothing at all is given is called missing.
    """
    unfolded = Unfolded()
    below = _by_head(name for name in given if isinstance(name, str) and "." in name)
    waiting = [(socket, below.get(socket.name, [])) for socket in reversed(inputs)]
    while waiting:
        socket, tails = waiting.pop()
        if socket.type == DYNAMIC_COMBO:
            brought = _unfold_combo(unfolded, socket, given, tails)
        elif socket.type == AUTOGROW:
            brought = _unfold_autogrow(unfolded, socket, given, tails)
        elif socket.type == DYNAMIC_SLOT:
            brought = _unfold_slot(unfolded, socket, given)
        else:
            unfolded.sockets.append(socket)
            continue
        below = _by_head(tail for tail in tails if "." in tail)
        start = len(socket.name) + 1
        waiting += [(child, below.get(child.name[start:], [])) for child in reversed(brought)]
    return unfolded


def nest(definition: NodeDefinition, flat: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of a node's code, with those of dynamic inputs nested; the same mapping if it has none.

    `mode` and `mode.width` become mode={"mode": "b", "width": 5}; `images.image0` becomes images={"image0": ...}. A
    required Autogrow to which nothing is given is {}. With `input_is_list` every value, also a key, is in a list.
    """
    if not is_dynamic(definition):
        return flat
    single = {name: _first(value) for name, value in flat.items()} if definition.input_is_list else flat
    unfolded = unfold(definition.inputs, single)
    nested: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for path in unfolded.groups:
        parent, _, name = path.rpartition(".")
        groups[path] = groups.get(parent, nested)[name] = {}
    for name in dict.fromkeys((*(socket.name for socket in unfolded.sockets if socket.name in flat), *flat)):
        if name in groups:
            groups[name][name.rpartition(".")[2]] = flat[name]
            continue
        parent = name.rpartition(".")[0]
        while parent and parent not in groups:
            parent = parent.rpartition(".")[0]
        rest = name[len(parent) + 1 :] if parent else name
        groups.get(parent, nested)[rest] = flat[name]
    return nested


def key_socket(socket: InputSocket) -> InputSocket:
    """The combo with which a DynamicCombo's option is chosen."""
    rest = {name: value for name, value in socket.options.items() if name != "options"}
    return replace(socket, type="COMBO", widget=Widget("combo", choices=tuple(_by_key(socket))), options=rest)


def option_sockets(socket: InputSocket, key: Any) -> list[InputSocket] | None:
    """The inputs that an option of a DynamicCombo brings, named `parent.child`; None if it has no such option."""
    options = _by_key(socket)
    chosen = choose(key, tuple(options))
    return None if chosen is None else _children(socket.name, options[str(chosen)])


def grown_sockets(socket: InputSocket, names: Iterable[str]) -> list[InputSocket]:
    """The inputs of an Autogrow that are among the dotted `names` of a node's inputs, by their numbers."""
    prefix = f"{socket.name}."
    heads = dict.fromkeys(name[len(prefix) :].partition(".")[0] for name in names if name.startswith(prefix))
    return [child for _, child in _grown(socket.name, _mapping(socket.options.get("template")), heads)]


def _unfold_combo(
    unfolded: Unfolded, socket: InputSocket, given: Mapping[str, Any], tails: Sequence[str]
) -> list[InputSocket]:
    choices = ", ".join(f"'{key}'" for key in _by_key(socket))
    key = unwrap(given.get(socket.name, socket.default if socket.required else MISSING))
    if isinstance(key, list):
        reason = f"which inputs there are cannot depend on a link, so choose one of {choices}."
        unfolded.faults.append(Fault("invalid", socket.name, reason))
        unfolded.unsettled.append(socket.name)
        return []
    if key is MISSING and tails:
        reason = f"'{socket.name}.{tails[0]}' is given but no option is chosen; choose one of {choices}."
        unfolded.faults.append(Fault("invalid", socket.name, reason))
        unfolded.unsettled.append(socket.name)
        return []
    unfolded.sockets.append(key_socket(socket))
    if key is MISSING:
        return []
    unfolded.groups.append(socket.name)
    brought = option_sockets(socket, key)
    if brought is None:
        unfolded.unsettled.append(socket.name)  # that the key is none of the choices is said of the key's socket
    return brought or []


def _unfold_slot(unfolded: Unfolded, socket: InputSocket, given: Mapping[str, Any]) -> list[InputSocket]:
    rest = {name: value for name, value in socket.options.items() if name not in ("slotType", "inputs")}
    unfolded.sockets.append(replace(socket, type=str(socket.options.get("slotType") or "*"), options=rest))
    if socket.name not in given:
        return []
    unfolded.groups.append(socket.name)
    return _children(socket.name, socket.options.get("inputs"))


def _unfold_autogrow(
    unfolded: Unfolded, socket: InputSocket, given: Mapping[str, Any], tails: Sequence[str]
) -> list[InputSocket]:
    template = _mapping(socket.options.get("template"))
    grown = _grown(socket.name, template, dict.fromkeys(tail.partition(".")[0] for tail in tails))
    rows = {row for row, _ in grown}
    most, least = template.get("max"), template.get("min")
    if isinstance(given.get(socket.name), list):
        reason = f"it takes no link itself; connect to the inputs that it grows ('{socket.name}.', then a name)."
        unfolded.faults.append(Fault("invalid", socket.name, reason))
        unfolded.unsettled.append(socket.name)
    elif isinstance(most, int) and len(rows) > most:
        reason = f"it takes at most {most} inputs but {len(rows)} are given; remove {len(rows) - most} of them."
        unfolded.faults.append(Fault("invalid", socket.name, reason))
    elif socket.required and not grown and isinstance(least, int) and least >= 1:
        unfolded.faults.append(Fault("missing", socket.name, "connect at least one input."))
    if socket.required or grown:
        unfolded.groups.append(socket.name)
    return [child for _, child in grown]


def _grown(parent: str, template: Mapping[str, Any], heads: Iterable[str]) -> list[tuple[int, InputSocket]]:
    """The row and the socket of each given name that the template can grow, by row."""
    entries = dict(_entries(template.get("input")))
    if not entries:
        return []
    first = next(iter(entries.values()))
    names = template.get("names")
    found: list[tuple[int, int, str, Any]] = []
    if isinstance(names, list | tuple):
        rows = {str(name): row for row, name in enumerate(names)}
        found = [(rows[head], 0, head, first[0]) for head in heads if head in rows]
    else:
        alone = template.get("prefix") if len(entries) == 1 else None
        stems = {str(alone): first[0]} if alone else {name: info for name, (info, _) in entries.items()}
        place = {stem: i for i, stem in enumerate(stems)}
        for head in heads:
            stem = next((stem for stem in stems if head.startswith(stem) and _is_number(head[len(stem) :])), None)
            if stem is not None:
                found.append((int(head[len(stem) :]), place[stem], head, stems[stem]))
    found.sort(key=lambda one: one[:3])
    return [(row, input_from_info(f"{parent}.{head}", info, required=False)) for row, _, head, info in found]


def _is_number(text: str) -> bool:
    """Digits, but not so many that nobody can have counted that far."""
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _by_head(names: Iterable[str]) -> dict[str, list[str]]:
    """For dotted names, by their first part, what follows it."""
    found: dict[str, list[str]] = {}
    for name in names:
        head, _, tail = name.partition(".")
        found.setdefault(head, []).append(tail)
    return found


def _children(parent: str, groups: Any) -> list[InputSocket]:
    return [input_from_info(f"{parent}.{name}", info, required=needed) for name, (info, needed) in _entries(groups)]


def _entries(groups: Any) -> Iterator[tuple[str, tuple[Any, bool]]]:
    """Name, description and whether it is required, of inputs as `/object_info` lists them."""
    for group in ("required", "optional"):
        for name, info in _mapping(_mapping(groups).get(group)).items():
            yield str(name), (info, group == "required")


def _by_key(socket: InputSocket) -> dict[str, Any]:
    """The options of a DynamicCombo: key -> the inputs it brings."""
    options = socket.options.get("options")
    found = options if isinstance(options, list | tuple) else ()
    return {str(option.get("key")): option.get("inputs") for option in found if isinstance(option, Mapping)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
