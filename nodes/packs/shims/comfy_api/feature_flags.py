"""What the two ends of a connection say that they can do. The answers to clients are given by the server, not here."""

from collections.abc import Mapping
from typing import Any, Final

SERVER_FEATURE_FLAGS: Final[dict[str, Any]] = {"supports_preview_metadata": True}


def get_connection_feature(
    sockets_metadata: Mapping[str, Mapping[str, Any]], sid: str, feature_name: str, default: Any = False
) -> Any:
    """What a client said of a feature when it connected; `default` if it said nothing."""
    flags: Mapping[str, Any] = (sockets_metadata.get(sid) or {}).get("feature_flags") or {}
    return flags.get(feature_name, default)


def supports_feature(sockets_metadata: Mapping[str, Mapping[str, Any]], sid: str, feature_name: str) -> bool:
    """Whether a client said that it can do something."""
    return get_connection_feature(sockets_metadata, sid, feature_name, False) is True


def get_server_features() -> dict[str, Any]:
    """What the server says of itself, as far as it does not depend on its flags."""
    return dict(SERVER_FEATURE_FLAGS)
