"""Editor documents become prompts, for clients that have no editor.

The one place of the server that knows `executor.workflow`, of which it uses the door alone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from executor.workflow import Converted, WorkflowError, is_workflow, to_prompt
from server.catalogue import Catalogue
from server.errors import ApiError


async def convert(document: object, catalogue: Catalogue) -> Converted:
    """The prompt that the editor would send of a document, with a sentence for each thing that did not fit.

    Raises ApiError 400 for what is no editor document, 503 while no worker has told the node types.
    """
    definitions = await catalogue.definitions()
    try:
        return await asyncio.to_thread(to_prompt, document, definitions)
    except WorkflowError as error:
        raise ApiError(400, "invalid_workflow", str(error)) from None


async def with_prompt(body: object, catalogue: Catalogue) -> tuple[object, tuple[str, ...]]:
    """The body of POST /prompt with a prompt where it has an editor document, alone or under `prompt`; and what did
    not fit. The document goes to where saved pictures take it from, unless the client put another there."""
    if not isinstance(body, dict):
        return body, ()
    document = body if is_workflow(body) and "prompt" not in body else body.get("prompt")
    if not is_workflow(document):
        return body, ()
    converted = await convert(document, catalogue)
    envelope = {} if document is body else body
    return {**envelope, "prompt": converted.prompt, "extra_data": _saved(envelope.get("extra_data"), document)}, (
        converted.warnings
    )


def _saved(extra_data: object, document: object) -> object:
    """`extra_data` with the document in it; as it is if it cannot hold one, which is refused later."""
    extra = {} if extra_data is None else extra_data
    pictures = extra.get("extra_pnginfo") or {} if isinstance(extra, Mapping) else None
    if not isinstance(extra, Mapping) or not isinstance(pictures, Mapping):
        return extra_data
    saved: dict[str, Any] = {"workflow": document, **pictures}
    return {**extra, "extra_pnginfo": saved}
