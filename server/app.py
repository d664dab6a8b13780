"""The web application, put together: state, routes, middlewares, and what starts and stops with it.

It makes no workers and binds no address: `main.py` hands over the former, `server.serve` does the latter.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from executor.folders import Folders
from executor.whole_files import sweep
from executor.worker import Worker
from server import keys, websocket
from server.access import Access, AccessError
from server.catalogue import Catalogue
from server.clients import Clients
from server.credentials import Credentials
from server.dispatch import Dispatcher
from server.jobs import JobStore, StoreError, now_ms
from server.log_files import LogFile
from server.log_tail import LogTail
from server.middleware import chain, header_signal
from server.notices import Notices
from server.openapi import PREFIX, describe
from server.origin import OriginPolicy, beyond_loopback
from server.pack_messages import PackMessages
from server.pack_proxy import PackProxy
from server.pool import WorkerPool
from server.routes import (
    editor,
    files,
    history,
    internals,
    jobs,
    login,
    models,
    nodes,
    packs,
    prompt,
    queue,
    settings,
    system,
    uploads,
    userdata,
)
from server.settings import ServerSettings
from server.settings_file import SettingsFile
from server.slow_clients import Newcomers


def make_app(workers: Sequence[Worker], folders: Folders, settings: ServerSettings) -> web.Application:
    """The application that serves `workers`, which it closes at its end. It starts nothing before it is run."""
    policy = OriginPolicy.of(settings)
    asked = settings.require_token or beyond_loopback(settings)
    access = Access(folders.user / "heddle.token" if asked else None)
    newcomers = Newcomers()
    app = web.Application(
        middlewares=chain(policy, access, newcomers, compress=settings.compress),
        client_max_size=settings.max_upload_size,
    )
    app[keys.NEWCOMERS] = newcomers
    database = settings.database or folders.user / "heddle.db"
    notices = Notices()
    app[keys.NOTICES] = notices
    store = JobStore(
        database,
        max_unfinished=settings.max_queue,
        max_ended=settings.max_history,
        tell=lambda sentence: notices.say("job store", sentence),
    )
    clients = Clients(now_ms() * 1000)
    credentials = Credentials()
    pool = WorkerPool(workers, settings.jobs_per_worker, lambda services: folders.adopt(services.model_folders))
    app[keys.ACCESS] = access
    app[keys.SETTINGS] = settings
    app[keys.FOLDERS] = folders
    app[keys.WORKERS] = pool
    app[keys.PACK_PROXY] = PackProxy(pool, settings.max_upload_size, settings.pack_deadline)
    app[keys.PACK_MESSAGES] = PackMessages(pool, clients)
    app[keys.STORE] = store
    app[keys.CLIENTS] = clients
    app[keys.SOCKETS] = set()
    app[keys.CATALOGUE] = Catalogue(pool, settings.worker_deadline)
    app[keys.LOG_TAIL] = LogTail(clients)
    app[keys.LOG_FILE] = LogFile(folders.user / "logs")
    app[keys.CREDENTIALS] = credentials
    app[keys.DISPATCHER] = Dispatcher(
        pool,
        store,
        clients,
        credentials,
        settings.preview_method,
        settings.state_interval,
        saves_metadata=settings.saves_metadata,
    )
    app[keys.USER_FILES] = asyncio.Lock()
    app[keys.USER_SETTINGS] = SettingsFile(folders.user / "default" / "comfy.settings.json")
    app[keys.API_DESCRIPTION] = describe(api_routes(), editor.routes(), settings.version)
    app.add_routes(all_routes())
    app.on_response_prepare.append(header_signal(policy))
    app.on_shutdown.append(websocket.close_all)
    app.on_shutdown.append(_close_packs)
    app.cleanup_ctx.append(_running)
    return app


def all_routes() -> list[web.RouteDef]:
    """Every route: the API's at `/x` and at `/api/x`, then the editor, which answers whatever is left."""
    api = api_routes()
    prefixed = [web.RouteDef(route.method, f"{PREFIX}{route.path}", route.handler, route.kwargs) for route in api]
    return [*api, *prefixed, *editor.routes()]


def api_routes() -> list[web.RouteDef]:
    """Every route of the API, without the prefix."""
    modules = (
        websocket,
        login,
        prompt,
        queue,
        history,
        jobs,
        files,
        uploads,
        models,
        nodes,
        packs,
        system,
        settings,
        userdata,
        internals,
    )
    return [route for module in modules for route in module.routes()]


async def _running(app: web.Application) -> AsyncIterator[None]:
    """Open the store, then let jobs run; at the end everything stops in the opposite order."""
    app[keys.LOG_TAIL].start(asyncio.get_running_loop())
    app[keys.LOG_FILE].start()
    try:
        await asyncio.to_thread(app[keys.ACCESS].open)
        exhausted = await app[keys.STORE].open()
    except (StoreError, AccessError):
        app[keys.LOG_TAIL].stop()
        app[keys.LOG_FILE].stop()
        await app[keys.WORKERS].close()
        await app[keys.STORE].close()
        raise
    app[keys.WORKERS].start()
    app[keys.PACK_MESSAGES].start()
    await app[keys.DISPATCHER].start(exhausted)
    sweeping = asyncio.create_task(asyncio.to_thread(_sweep, app[keys.FOLDERS]))
    yield
    await sweeping
    await app[keys.DISPATCHER].stop()
    await app[keys.PACK_MESSAGES].stop()
    await app[keys.WORKERS].close()
    await app[keys.STORE].close()
    app[keys.LOG_TAIL].stop()
    app[keys.LOG_FILE].stop()


async def _close_packs(app: web.Application) -> None:
    await app[keys.PACK_PROXY].close()


def _sweep(folders: Folders) -> None:
    for root in (folders.input, folders.output, folders.temp, folders.user):
        sweep(root)
