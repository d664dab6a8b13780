"""The typed state of the application: what `make_app` puts in and every route takes out."""

from typing import Final

from aiohttp import web

from executor.folders import Folders
from executor.worker import Worker
from server.catalogue import Catalogue
from server.clients import Clients
from server.dispatch import Dispatcher
from server.jobs import JobStore
from server.settings import ServerSettings
from server.settings_file import SettingsFile

SETTINGS: Final = web.AppKey("settings", ServerSettings)
FOLDERS: Final = web.AppKey("folders", Folders)
WORKER: Final[web.AppKey[Worker]] = web.AppKey("worker")
CATALOGUE: Final = web.AppKey("catalogue", Catalogue)
STORE: Final = web.AppKey("store", JobStore)
CLIENTS: Final = web.AppKey("clients", Clients)
DISPATCHER: Final = web.AppKey("dispatcher", Dispatcher)
SOCKETS: Final[web.AppKey[set[web.WebSocketResponse]]] = web.AppKey("sockets")
USER_SETTINGS: Final = web.AppKey("user_settings", SettingsFile)
