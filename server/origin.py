"""Who may talk to the server from a browser: the decision, without any effect.

A page on another site can make a browser send requests here, and can make its own name resolve to this machine (DNS
rebinding). So the Host must be a name of ours and the Origin must be the same place. Never looks a name up.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from server.settings import ServerSettings

_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is turned away."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """Names under which the server is reached, and foreign origins that its owner admitted."""

    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    """The server listens beyond loopback: every IP literal may be one of its addresses."""
    admitted: frozenset[str] = frozenset()
    """Foreign origins; "*" admits all."""

    @classmethod
    def of(cls, settings: ServerSettings) -> "OriginPolicy":
        """The policy that follows from where the server listens."""
        beyond = beyond_loopback(settings)
        own = {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"} if beyond else set[str]()
        admitted = {origin.strip().rstrip("/") for origin in (settings.cors_origin or "").split(",")} - {""}
        hosts = own | {host.lower() for host in settings.allowed_hosts}
        return cls(frozenset(hosts), beyond, frozenset(admitted))

    def admits(self, origin: str) -> bool:
        """True for a foreign origin that `--enable-cors-header` named."""
        return "*" in self.admitted or origin in self.admitted

    def verdict(self, method: str, headers: Mapping[str, str], hosts: list[str], *, upgrade: bool) -> Refused | None:
        """None if the request may pass. `hosts` are all its Host headers; `upgrade` marks a WebSocket handshake."""
        authority = _parse(hosts[0]) if len(hosts) == 1 else None
        if authority is None:
            return Refused(400, "The request needs exactly one well-formed Host header.")
        if not self._is_ours(authority[0]):
            return Refused(403, f"'{authority[0]}' is not a name of this server; use its address, or allow the name.")
        origin = headers.get("Origin")
        if origin is not None:
            if _same_place(origin, authority) or self.admits(origin):
                return None
            return Refused(403, f"Pages of the origin '{origin[:200]}' may not use this server.")
        site = headers.get("Sec-Fetch-Site", "none")
        navigates = method in _READING and headers.get("Sec-Fetch-Mode") == "navigate" and not upgrade
        if site in ("none", "same-origin") or navigates or "*" in self.admitted:
            return None
        return Refused(403, "Pages of other sites may not use this server.")

    def _is_ours(self, host: str) -> bool:
        if _is_loopback(host) or host in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return self.any_address and not address.is_unspecified


def beyond_loopback(settings: ServerSettings) -> bool:
    """Whether other machines can reach the server."""
    return not all(_is_loopback(address) for address in settings.listen)


def _parse(authority: str) -> tuple[str, int | None] | None:
    """`host[:port]` in lower case, or None for anything that is not exactly that."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    port = int(match[2]) if match[2] else None
    return (match[1].lower(), port) if port is None or port < 65536 else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _same_place(origin: str, authority: tuple[str, int | None]) -> bool:
    """The origin names the host and port that the request went to; all loopback names are one host."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    default = {"http": 80, "https": 443}.get(parts.scheme)
    other = _parse(parts.netloc)
    if default is None or other is None or parts.path not in ("", "/"):
        return False
    same_host = other[0] == authority[0] or (_is_loopback(other[0]) and _is_loopback(authority[0]))
    return same_host and (other[1] or default) == (authority[1] or default)
