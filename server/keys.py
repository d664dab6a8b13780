"""The typed state of the application: what `make_app` puts in and every route takes out."""

import asyncio
from typing import Any, Final

from aiohttp import web

from executor.folders import Folders
from server.access import Access
from server.catalogue import Catalogue
from server.clients import Clients
from server.credentials import Credentials
from server.dispatch import Dispatcher
from server.jobs import JobStore
from server.log_files import LogFile
from server.log_tail import LogTail
from server.notices import Notices
from server.pack_messages import PackMessages
from server.pack_proxy import PackProxy
from server.pool import WorkerPool
from server.settings import ServerSettings
from server.settings_file import SettingsFile
from server.slow_clients import Newcomers

API_DESCRIPTION: Final[web.AppKey[dict[str, Any]]] = web.AppKey("api_description")
NOTICES: Final = web.AppKey("notices", Notices)
NEWCOMERS: Final = web.AppKey("newcomers", Newcomers)
ACCESS: Final = web.AppKey("access", Access)
SETTINGS: Final = web.AppKey("settings", ServerSettings)
FOLDERS: Final = web.AppKey("folders", Folders)
PACK_MESSAGES: Final = web.AppKey("pack_messages", PackMessages)
PACK_PROXY: Final = web.AppKey("pack_proxy", PackProxy)
WORKERS: Final = web.AppKey("workers", WorkerPool)
CATALOGUE: Final = web.AppKey("catalogue", Catalogue)
STORE: Final = web.AppKey("store", JobStore)
CLIENTS: Final = web.AppKey("clients", Clients)
LOG_FILE: Final = web.AppKey("log_file", LogFile)
LOG_TAIL: Final = web.AppKey("log_tail", LogTail)
CREDENTIALS: Final = web.AppKey("credentials", Credentials)
DISPATCHER: Final = web.AppKey("dispatcher", Dispatcher)
SOCKETS: Final[web.AppKey[set[web.WebSocketResponse]]] = web.AppKey("sockets")
USER_SETTINGS: Final = web.AppKey("user_settings", SettingsFile)
USER_FILES: Final = web.AppKey("user_files", asyncio.Lock)
"""Held while a user's file is replaced."""
