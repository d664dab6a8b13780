"""`Schema`: what a V3 node says of itself, and the same in the words of `/object_info`. Runs no node."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from comfy_api.latest._io.dynamic import MatchType
from comfy_api.latest._io.sockets import Input, Output, described


class Hidden(StrEnum):
    """What a node may know of the run around it, as `cls.hidden.<name>`; the value is its name on the wire."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"


@dataclass
class NodeInfoV1:
    """An entry of `/object_info`."""

    input: dict[str, Any]
    input_order: dict[str, list[str]]
    output: list[str]
    output_is_list: list[bool]
    output_name: list[str]
    output_tooltips: list[str | None]
    output_matchtypes: list[str | None] | None
    name: str
    display_name: str | None
    description: str
    python_module: Any
    category: str
    output_node: bool
    deprecated: bool
    experimental: bool
    api_node: bool
    search_aliases: list[str]

    def as_dict(self) -> dict[str, Any]:
        """As on the wire."""
        return asdict(self)


@dataclass
class Schema:
    """What a node is called, takes and gives."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False
    accept_all_inputs: bool = False
    has_intermediate_output: bool = False
    is_dev_only: bool = False
    essentials_category: str | None = None
    price_badge: Any = None
    """What an editor may say of an API node's price; kept, and shown by nobody here."""

    def __post_init__(self) -> None:
        self.inputs, self.outputs = list(self.inputs or ()), list(self.outputs or ())
        self.hidden, self.search_aliases = list(self.hidden or ()), list(self.search_aliases or ())

    def finalize(self) -> None:
        """Add what follows from the rest: ids of outputs, and what output and API nodes may know of their run."""
        implied: list[Hidden] = []
        if self.is_output_node:
            implied += [Hidden.prompt, Hidden.extra_pnginfo]
        if self.is_api_node:
            implied += [Hidden.auth_token_comfy_org, Hidden.api_key_comfy_org]
        self.hidden = list(dict.fromkeys([*self.hidden, *implied]))
        for index, output in enumerate(self.outputs):
            if output.id is None:
                output.id = f"_{index}_{output.get_io_type()}_"

    def validate(self) -> None:
        """Raise ValueError if the schema makes no sense."""
        if not self.node_id:
            raise ValueError("A schema has no node_id.")
        for one in self.inputs:
            one.validate()
        self._refuse_twins("inputs", (one.id for one in self.inputs))
        self._refuse_twins("outputs", (output.id for output in self.outputs if output.id is not None))

    def get_v1_info(self, cls: Any) -> NodeInfoV1:
        """The entry of `/object_info`."""
        inputs: dict[str, Any] = described(self.inputs)
        if self.hidden:
            inputs["hidden"] = {hidden.name: [hidden.value] for hidden in self.hidden}
        templates = [
            output.template.template_id if isinstance(output, MatchType.Output) else None for output in self.outputs
        ]
        return NodeInfoV1(
            input=inputs,
            input_order={group: list(named) for group, named in inputs.items()},
            output=[output.get_io_type() for output in self.outputs],
            output_is_list=[output.is_output_list for output in self.outputs],
            output_name=[name_of(output) for output in self.outputs],
            output_tooltips=[output.tooltip for output in self.outputs],
            output_matchtypes=templates if any(templates) else None,
            name=self.node_id,
            display_name=self.display_name,
            description=self.description,
            python_module=getattr(cls, "RELATIVE_PYTHON_MODULE", "nodes"),
            category=self.category,
            output_node=self.is_output_node,
            deprecated=self.is_deprecated,
            experimental=self.is_experimental,
            api_node=self.is_api_node,
            search_aliases=self.search_aliases,
        )

    def _refuse_twins(self, kind: str, ids: Iterable[str]) -> None:
        twice = [name for name, count in Counter(ids).items() if count > 1]
        if twice:
            raise ValueError(f"{self.node_id} has two {kind} called '{twice[0]}'; ids must differ.")


def name_of(output: Output) -> str:
    """What editors call an output."""
    return output.display_name or output.get_io_type()
