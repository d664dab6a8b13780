"""What clients post to `/prompt`, parsed; and why a prompt is refused, in the words that clients parse.

The graph inside is not judged here: that is the worker's `validate`.
"""

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from executor.worker import PreviewMethod, PromptError, Validation
from server.errors import ApiError

_PROMPT_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRETS: Final = {"auth_token_comfy_org": "AUTH_TOKEN_COMFY_ORG", "api_key_comfy_org": "API_KEY_COMFY_ORG"}
"""Key of `extra_data` -> hidden input of the nodes that ask for it."""
MAX_CLIENT_ID: Final = 256


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """The envelope of a wire prompt."""

    prompt: Mapping[str, Any]
    prompt_id: str
    client_id: str | None
    number: float | None
    front: bool
    extra_data: Mapping[str, Any]
    targets: tuple[str, ...] | None
    """The output nodes that the client wants; None means all."""
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Hidden input -> secret; no part of `extra_data`."""


def parse_prompt_request(body: object, now: int, *, uuid_only: bool = False) -> PromptRequest:
    """Read the body of POST /prompt at `now` (ms); `uuid_only`: a chosen `prompt_id` must be a UUID.

    Raises ApiError 400 that names the field."""
    if not isinstance(body, dict):
        raise _invalid("The body must be a JSON object with the key 'prompt'.")
    prompt = body.get("prompt")
    if prompt is None:
        hint = "Put the graph under the key 'prompt'." if _is_api_prompt(body) else "The body has no key 'prompt'."
        raise ApiError(400, "no_prompt", "No prompt provided", hint)
    if not isinstance(prompt, dict):
        raise _invalid("'prompt' must be an object: node id -> {class_type, inputs}.")
    client_id = _client_id(body.get("client_id"))
    return PromptRequest(
        prompt=prompt,
        prompt_id=_prompt_id(body.get("prompt_id"), uuid_only=uuid_only),
        client_id=client_id,
        number=_number(body.get("number")),
        front=bool(body.get("front")),
        extra_data=_extra_data(body.get("extra_data"), client_id, now),
        targets=_targets(body.get("partial_execution_targets")),
        credentials=_credentials(body.get("extra_data")),
    )


def is_prompt_id(value: object) -> bool:
    """Whether a job may have this id."""
    return isinstance(value, str) and _PROMPT_ID.fullmatch(value) is not None


def preview_method_of(extra_data: Mapping[str, Any], default: PreviewMethod) -> PreviewMethod:
    """What the job asks for, or `default` if it asks for nothing we know."""
    wanted = extra_data.get("preview_method")
    known: tuple[PreviewMethod, ...] = get_args(PreviewMethod)
    return next((method for method in known if method == wanted), default)


def accepted(prompt_id: str, number: float, validation: Validation) -> dict[str, Any]:
    """The 200 body: at least one output runs; the errors of the others are told."""
    return {"prompt_id": prompt_id, "number": number_on_wire(number), "node_errors": _node_errors(validation.errors)}


def refused(validation: Validation) -> dict[str, Any]:
    """The 400 body of a prompt of which nothing can run."""
    return {"error": _top_error(validation.errors), "node_errors": _node_errors(validation.errors)}


def number_on_wire(number: float) -> int | float:
    """A whole priority is written without a fraction, as clients know it."""
    return int(number) if number.is_integer() else number


def _top_error(errors: Sequence[PromptError]) -> dict[str, Any]:
    """The verdict on the prompt as a whole, or the first on a node if a worker gave none."""
    verdicts = sorted(errors, key=lambda error: error.node_id is not None)
    return _error(verdicts[0] if verdicts else PromptError("prompt_no_outputs", "Prompt has no outputs", ""))


def _error(error: PromptError) -> dict[str, Any]:
    return {
        "type": error.type,
        "message": error.message,
        "details": error.details,
        "extra_info": dict(error.extra_info),
    }


def _node_errors(errors: Sequence[PromptError]) -> dict[str, Any]:
    by_node: dict[str, Any] = {}
    for error in errors:
        if error.node_id is None:
            continue
        entry = by_node.setdefault(
            error.node_id, {"errors": [], "dependent_outputs": [], "class_type": error.class_type}
        )
        entry["errors"].append(_error(error))
        entry["dependent_outputs"] = list(dict.fromkeys((*entry["dependent_outputs"], *error.dependent_outputs)))
    return by_node


def _is_api_prompt(body: Mapping[str, Any]) -> bool:
    return bool(body) and all(isinstance(node, dict) and "class_type" in node for node in body.values())


def _prompt_id(value: object, *, uuid_only: bool) -> str:
    if value is None:
        return str(uuid.uuid4())
    if uuid_only and not (isinstance(value, str) and _UUID.fullmatch(value)):
        message = "'prompt_id' must be a UUID in lower case, as this server was told; leave it out to get one."
        raise ApiError(400, "invalid_prompt_id", message)
    if isinstance(value, str) and is_prompt_id(value):
        return value
    raise ApiError(
        400, "invalid_prompt_id", "'prompt_id' must be 1 to 64 letters, digits, '-' or '_'; leave it out to get one."
    )


def _client_id(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= MAX_CLIENT_ID):
        return value or None
    raise _invalid(f"'client_id' must be text of at most {MAX_CLIENT_ID} characters.")


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e15 and math.isfinite(value):
        return float(value)
    raise _invalid("'number' must be a number; smaller ones run first.")


def _extra_data(value: object, client_id: str | None, now: int) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise _invalid("'extra_data' must be an object.")
    kept = {key: item for key, item in (value or {}).items() if key not in _SECRETS}
    if not isinstance(kept.get("extra_pnginfo", {}), (dict, type(None))):
        raise _invalid("'extra_data.extra_pnginfo' must be an object; each key becomes a text chunk of saved pictures.")
    return kept | {"create_time": now} | ({"client_id": client_id} if client_id is not None else {})


def _credentials(extra_data: object) -> dict[str, str]:
    given = extra_data if isinstance(extra_data, dict) else {}
    return {hidden: given[key] for key, hidden in _SECRETS.items() if isinstance(given.get(key), str) and given[key]}


def _targets(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(target, str) for target in value):
        return tuple(value)
    raise _invalid("'partial_execution_targets' must be a list of output node ids.")


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_prompt", message)
