"""Node packs: how they were loaded, and the scripts, examples, translations and subgraphs that they bring.

The routes that packs register themselves are not here; `pack_proxy` carries requests to them.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from executor.packs import PackReport
from server import pack_folders
from server.described import ANY, described
from server.errors import ApiError
from server.keys import CATALOGUE, PACK_PROXY, WORKERS
from server.static import static_file
from server.wire import json_response


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/packs", get_packs),
        web.get("/extensions", get_extensions),
        web.get("/extensions/{pack}/{path:.+}", get_script),
        web.get("/i18n", get_i18n),
        web.get("/workflow_templates", get_templates),
        web.get("/workflow_templates/{pack}/{path:.+}", get_template),
        web.get("/global_subgraphs", get_subgraphs),
        web.get("/global_subgraphs/{id}", get_subgraph),
    ]


async def get_packs(request: web.Request) -> web.Response:
    """Every node pack: its name, module, node types, seconds to load, and why it could not be loaded, if so."""
    return json_response([_described(pack) for pack in await _packs(request)])


async def get_extensions(request: web.Request) -> web.Response:
    """Addresses of the scripts that packs bring for the editor."""
    return await _read(request, pack_folders.scripts)


@described(answers={200: ANY})
async def get_script(request: web.Request) -> web.StreamResponse:
    """A file of a pack's web folder; where there is none, what the pack itself answers there."""
    folder = pack_folders.web_folders(await _packs(request)).get(request.match_info["pack"])
    file = await _file([] if folder is None else [folder], request)
    answer = file or await request.app[PACK_PROXY].answer(request)
    if answer is None:
        raise _missing(request)
    return answer


async def get_i18n(request: web.Request) -> web.Response:
    """Translations that packs bring: language -> words."""
    return await _read(request, pack_folders.translations)


async def get_templates(request: web.Request) -> web.Response:
    """Example workflows that packs bring: `{pack: [names]}`."""
    return await _read(request, pack_folders.templates)


@described(answers={200: ANY})
async def get_template(request: web.Request) -> web.StreamResponse:
    """A file of a pack's example workflows: a workflow, or its picture."""
    name = request.match_info["pack"]
    packs = [pack for pack in await _packs(request) if pack.name == name]
    file = await _file([folder for pack in packs for folder in pack_folders.example_folders(pack)], request)
    if file is None:
        raise _missing(request)
    return file


async def get_subgraphs(request: web.Request) -> web.Response:
    """Subgraphs that packs offer, by id and without their content."""
    return await _read(request, pack_folders.subgraphs)


async def get_subgraph(request: web.Request) -> web.Response:
    """One subgraph with its content as text; `null` for an unknown id."""
    wanted = request.match_info["id"]
    return await _read(request, lambda packs: pack_folders.subgraph(packs, wanted))


async def _packs(request: web.Request) -> tuple[PackReport, ...]:
    """All packs; waits until a worker has loaded them. Raises ApiError 503 if none does."""
    await request.app[CATALOGUE].definitions()
    services = request.app[WORKERS].services
    return services.packs if services is not None else ()


async def _read(request: web.Request, read: Callable[[Sequence[PackReport]], Any]) -> web.Response:
    return json_response(await asyncio.to_thread(read, await _packs(request)))


async def _file(folders: Sequence[Path], request: web.Request) -> web.StreamResponse | None:
    """The file that the request names, from the first folder that has it."""

    def find() -> web.StreamResponse | None:
        found = (static_file(folder, request.match_info["path"]) for folder in folders)
        return next((file for file in found if file is not None), None)

    return await asyncio.to_thread(find)


def _described(pack: PackReport) -> dict[str, Any]:
    return {
        "name": pack.name,
        "module": pack.module,
        "node_types": list(pack.node_types),
        "seconds": pack.seconds,
        "error": pack.error,
        "traceback": list(pack.traceback),
    }


def _missing(request: web.Request) -> ApiError:
    return ApiError(404, "not_found", f"There is nothing at '{request.path[:200]}'.")
