"""`comfy_execution.validation`: whether an output's type fits an input."""

from typing import Any

from executor.link_types import types_fit


def validate_node_input(received_type: Any, input_type: Any, strict: bool = False) -> bool:
    """Whether a link may carry `received_type` into `input_type`. A union fits if one of its types does; if `strict`,
    only if all of them do."""
    if not received_type != input_type:  # noqa: SIM202 - packs make types fit all others by their `!=`
        return True
    if not isinstance(received_type, str) or not isinstance(input_type, str):
        return False
    if strict and "*" not in (received_type, input_type):
        received, accepted = ({one.strip() for one in kind.split(",")} for kind in (received_type, input_type))
        return received <= accepted
    return types_fit(received_type, input_type)
