"""Are the addresses that we are about to listen on free? Asked before anything is started.

Envoy shares its ports (SO_REUSEPORT), so a second one would start without a word and take half of
the first one's connections.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.model import Endpoint


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address, who will listen on it, and how to choose another."""

    endpoint: Endpoint
    purpose: str
    remedy: str
    """`--admin or DRAGOMAN_ADMIN_PORT`."""


def complaints(wanted: Iterable[Wanted]) -> tuple[str, ...]:
    """What stands in the way, one line for each address that cannot be had."""
    lines = []
    for each in wanted:
        reason = _reason_against(each.endpoint)
        if reason:
            where = f"{each.endpoint.host}:{each.endpoint.port}"
            lines.append(f"{where} ({each.purpose}) {reason}; choose another: {each.remedy}")
    return tuple(lines)


def _reason_against(endpoint: Endpoint) -> str | None:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        with socket.create_server((endpoint.host, endpoint.port), family=family):
            return None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is already in use"
        return f"cannot be listened on: {(error.strerror or str(error)).lower()}"
