"""What a link may carry: which types fit, and what type an output has whose type is that of what feeds its node.

Knows no error; `prompt_input` makes errors of what does not fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.graph import Link, NodeId
from executor.schema import InputSocket, NodeDefinition, PackType

MATCH_TYPE = "COMFY_MATCHTYPE_V3"
"""An input with `template` = {"template_id", "allowed_types"}; outputs that match the template have its links' type."""


@dataclass(frozen=True, slots=True)
class RawNode:
    """A node of a wire prompt, read no further than this."""

    definition: NodeDefinition | None
    """None: the node is malformed or of an unknown type, which has been reported."""
    class_type: str
    inputs: Mapping[str, Any]


def as_link(value: Any) -> Link | None:
    """The link that a wire value is, or None. Some clients send a whole number as id, or 0.0 as output."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    source, output = value
    if type(source) is not str or type(output) is not int:
        if type(source) not in (str, int) or type(output) not in (int, float) or output != output // 1:
            return None
        source, output = str(source), int(output)
    return Link(NodeId(source), output) if 0 <= output < 2**31 else None


def types_fit(offered: str, wanted: str) -> bool:
    """Whether a link may carry `offered` to `wanted`: equal names, a wildcard, unions (`A,B`) that overlap, or types of
    packs that deny being different."""
    if offered == wanted:
        return True
    if (isinstance(offered, PackType) or isinstance(wanted, PackType)) and _deny_difference(offered, wanted):
        return True
    ours, theirs = _parts(offered), _parts(wanted)
    return "*" in ours or "*" in theirs or not ours.isdisjoint(theirs)


def wanted_type(socket: InputSocket) -> str:
    """The type that a link to the socket must have; that of a template is its allowed types."""
    if socket.type != MATCH_TYPE:
        return socket.type
    template = socket.options.get("template")
    allowed = template.get("allowed_types") if isinstance(template, Mapping) else None
    if isinstance(allowed, list | tuple):
        return ",".join(str(kind) for kind in allowed) or "*"
    return str(allowed or "*")


def _deny_difference(offered: str, wanted: str) -> bool:
    received, expected = (getattr(kind, "original", kind) for kind in (offered, wanted))
    try:
        return not (received != expected)  # noqa: SIM202 - it is `__ne__` that packs define
    except Exception:  # noqa: BLE001 - a pack's own comparison; one that fails has not said that they fit
        return False


def _parts(kind: str) -> frozenset[str]:
    return frozenset(part.strip() or "*" for part in kind.upper().split(","))


_Template = tuple[NodeId, str]
"""A node and the template_id of some of its inputs."""


class LinkTypes:
    """The types of the outputs of one prompt's nodes."""

    def __init__(self, nodes: Mapping[NodeId, RawNode], sockets_of: Callable[[NodeId], Sequence[InputSocket]]) -> None:
        """`sockets_of` gives the unfolded inputs of a node whose type is known."""
        self._nodes = nodes
        self._sockets_of = sockets_of
        self._known: dict[_Template, tuple[str, ...]] = {}

    def offered(self, link: Link) -> tuple[str, ...]:
        """The types that an existing output may have: its own, or all that are linked to the inputs that it matches
        (those that are allowed there; where nothing is linked, whatever is allowed)."""
        template = self._template(link)
        if isinstance(template, str):
            return (template,)
        if template not in self._known:
            self._resolve(template)
        return self._known[template]

    def _template(self, link: Link) -> _Template | str:
        """What decides the type of an output; or that type, if it is fixed."""
        definition = self._nodes[link.source].definition
        if definition is None:
            return "*"
        output = definition.output(link.output)
        assert output is not None
        if output.matches is None:
            return "*" if output.type == MATCH_TYPE else output.type
        return link.source, output.matches

    def _resolve(self, start: _Template) -> None:
        """Fill in `_known` for `start` and the templates it depends on; one that depends on itself adds nothing."""
        linked: dict[_Template, list[_Template | str]] = {}
        waiting = [start]
        while waiting:
            template = waiting[-1]
            if template not in linked and template not in self._known:
                linked[template] = [self._template(link) for link in self._links(template)]
                waiting += [
                    source
                    for source in linked[template]
                    if not isinstance(source, str) and source not in linked and source not in self._known
                ]
                continue
            waiting.pop()
            if template not in self._known:
                self._known[template] = self._union(template, linked[template])

    def _union(self, template: _Template, linked: Sequence[_Template | str]) -> tuple[str, ...]:
        allowed = next((wanted_type(socket) for socket in self._inputs(template)), "*")
        types: dict[str, None] = {}
        for source in linked:
            for kind in (source,) if isinstance(source, str) else self._known.get(source, ()):
                if types_fit(kind, allowed):
                    types[kind] = None
        return tuple(types) or (allowed,)

    def _links(self, template: _Template) -> Iterator[Link]:
        node = self._nodes[template[0]]
        for socket in self._inputs(template):
            link = as_link(node.inputs.get(socket.name))
            if link is None or link.source not in self._nodes:
                continue
            source = self._nodes[link.source].definition
            if source is None or source.output(link.output) is not None:
                yield link

    def _inputs(self, template: _Template) -> Iterator[InputSocket]:
        node_id, template_id = template
        for socket in self._sockets_of(node_id):
            of = socket.options.get("template") if socket.type == MATCH_TYPE else None
            if isinstance(of, Mapping) and of.get("template_id") == template_id:
                yield socket
