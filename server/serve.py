"""From an application to a listening server, and to its orderly end. Knows sockets and signals, no route."""

import asyncio
import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable

from aiohttp import web

from server.access import AccessError
from server.jobs import StoreError
from server.keys import ACCESS, NEWCOMERS
from server.origin import beyond_loopback
from server.settings import ServerSettings
from server.slow_clients import Connection

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start. The text is one sentence for the user."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(app: web.Application, settings: ServerSettings, announce: Callable[[str], None] = _say) -> None:
    """Serve until SIGINT or SIGTERM, then stop: running work is interrupted and goes back to the queue.

    `announce` gets one line with the addresses once they answer, with a link to log in by if a token is asked for.
    Raises StartError if that cannot come about.
    """
    tls = _tls(settings)
    if tls is None and not settings.plain_http and beyond_loopback(settings):
        message = "Without TLS everyone on the network can read the access token and all pictures: "
        remedy = "give --tls-certfile and --tls-keyfile, or --allow-plain-http if TLS ends elsewhere or nobody listens."
        raise StartError(message + remedy)
    # First of all, so that a port that is taken is found before a worker is started in vain.
    sockets = await _listening(settings)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
    stop = asyncio.Event()
    with_signals = _listen_for_signals(stop)
    try:
        try:
            await runner.setup()
        except (StoreError, AccessError) as error:
            raise StartError(str(error)) from error
        for each in sockets:
            await web.SockSite(runner, each, ssl_context=tls).start()
        once = app[ACCESS].once
        link = f"/login?token={once}" if once is not None else ""
        announce(f"Heddle is at {', '.join(f'{url}{link}' for url in _urls(runner, tls is not None))}")
        watch = asyncio.create_task(app[NEWCOMERS].watch(lambda: _connections(runner)), name="watch new connections")
        await stop.wait()
        watch.cancel()
        log.info("Stopping; a running job goes back to the queue.")
    finally:
        await runner.cleanup()
        for each in sockets:
            each.close()
        for number in with_signals:
            asyncio.get_running_loop().remove_signal_handler(number)


async def _listening(settings: ServerSettings) -> list[socket.socket]:
    """A socket for each address; who connects before the server is ready waits. Raises StartError."""
    sockets: list[socket.socket] = []
    try:
        for address in settings.listen:
            sockets += await _sockets(address, settings.port)
    except StartError:
        for each in sockets:
            each.close()
        raise
    return sockets


async def _sockets(address: str, port: int) -> list[socket.socket]:
    """Those of one address; a name may stand for several."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        places = {(family, place[0]): place[:2] for family, _, _, _, place in found}
        return [socket.create_server(place, family=family) for (family, _), place in places.items()]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} on {address} is in use by another program; stop it, or choose another with --port."
            raise StartError(message) from None
        raise StartError(f"The server cannot listen on {address}, port {port}: {error.strerror or error}.") from None


def _connections(runner: web.AppRunner) -> list[Connection]:
    return list(runner.server.connections) if runner.server is not None else []


def _urls(runner: web.AppRunner, secure: bool) -> list[str]:
    scheme = "https" if secure else "http"
    hosts = ((f"[{address[0]}]" if ":" in address[0] else address[0], address[1]) for address in runner.addresses)
    return [f"{scheme}://{host}:{port}" for host, port in hosts]


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise StartError("TLS needs both a certificate and its key: give --tls-certfile and --tls-keyfile.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        message = f"The TLS certificate '{settings.tls_cert}' and key '{settings.tls_key}' cannot be used: {error}."
        raise StartError(message) from None
    return context


def _listen_for_signals(stop: asyncio.Event) -> list[int]:
    """Have SIGINT and SIGTERM set `stop`; returns the signals that the loop handles. For the main thread only."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    if sys.platform == "win32":  # its loop has no signal handlers
        for number in numbers:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        return []
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    return list(numbers)
