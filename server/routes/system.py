"""`/system_stats`, `/features`, `/users`, `/health` and `/openapi.json`: what runs here, on what."""

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from executor.worker import Device, WorkerReport
from server.errors import ApiError
from server.keys import API_DESCRIPTION, CATALOGUE, DISPATCHER, NOTICES, SETTINGS, STORE, WORKERS
from server.pool import Station
from server.protocol.frames import features
from server.settings import ServerSettings
from server.wire import json_response, threaded

PROTOCOL_VERSION: Final = "0.8.0"
"""The version of ComfyUI whose protocol is spoken; clients compare it."""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/system_stats", get_system_stats),
        web.get("/features", threaded(get_features)),
        web.get("/users", threaded(get_users)),
        web.post("/users", threaded(post_users)),
        web.get("/health", get_health),
        web.get("/openapi.json", threaded(get_description)),
    ]


async def get_system_stats(request: web.Request) -> web.Response:
    """The system's and the devices' memory, and versions; `devices` is empty if no worker can start."""
    report = await _report(request)
    devices = [_device(device) for device in report.devices]
    return json_response({"system": _system(request.app[SETTINGS], report), "devices": devices})


def get_features(request: web.Request) -> web.Response:
    """The feature flags that a socket is told as well."""
    return json_response(features(request.app[SETTINGS].max_upload_size))


def get_users(_request: web.Request) -> web.Response:
    """There is one user, and its data lies on the server."""
    return json_response({"storage": "server", "migrated": True})


def post_users(_request: web.Request) -> web.Response:
    """Refused with 400: there is one user, and no other can be made."""
    return json_response({"error": "This server has one user; no other can be made."}, status=400)


async def get_health(request: web.Request) -> web.Response:
    """`{"status": "ok", "worker": "ready" | "starting" | why not, "queue_remaining": n}`, and each worker's jobs.

    `silent_seconds` of a worker: since its process was last heard of, which it is every second while it is well.
    `notices`: what the user should know, such as a damaged file that was moved aside.
    """
    remaining = await request.app[STORE].count()
    stations = request.app[WORKERS].stations
    return json_response(
        {
            "status": "ok",
            "worker": request.app[CATALOGUE].state,
            "workers": [_station(station) for station in stations],
            "running": request.app[DISPATCHER].running,
            "queue_remaining": remaining,
            "notices": request.app[NOTICES].sentences,
        }
    )


def get_description(request: web.Request) -> web.Response:
    """Every route of the API as an OpenAPI 3.1 document."""
    return json_response(request.app[API_DESCRIPTION])


async def _report(request: web.Request) -> WorkerReport:
    try:
        await request.app[CATALOGUE].definitions()
    except ApiError:
        return WorkerReport((), {})
    return await request.app[WORKERS].report()


def _station(station: Station) -> dict[str, Any]:
    silent = station.worker.silent()
    return {
        "state": station.state,
        "running": station.running,
        "silent_seconds": None if silent is None else round(silent, 3),
    }


def _system(settings: ServerSettings, report: WorkerReport) -> dict[str, Any]:
    total, free = _memory(report.devices)
    return {
        "os": sys.platform,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": PROTOCOL_VERSION,
        "heddle_version": settings.version,
        "required_frontend_version": settings.version,
        "python_version": f"{platform.python_version()} ({platform.python_implementation()})",
        "pytorch_version": report.versions.get("torch", ""),
        "package_versions": dict(report.versions),
        "embedded_python": False,
        "argv": list(settings.argv),
    }


def _memory(devices: Sequence[Device]) -> tuple[int, int]:
    """Total and free main memory in bytes: from the system where it says so, else from the worker's CPU device."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    except (AttributeError, ValueError, OSError):
        return next(((device.memory_total, device.memory_free) for device in devices if device.type == "cpu"), (0, 0))


def _device(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "type": device.type,
        "index": device.index,
        "vram_total": device.memory_total,
        "vram_free": device.memory_free,
        "torch_vram_total": device.memory_total,
        "torch_vram_free": device.memory_free,
    }
