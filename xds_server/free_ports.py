"""Are the addresses that we are about to listen on free? Asked before anything is started.

Envoy shares its ports (SO_REUSEPORT), so a second one would start without a word and take half of
the first one's connections.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.config.document import Document, read
from gateway.config.environment import substitute
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


@dataclass(frozen=True, slots=True)
class PortsOfFile:
    """How a configuration file writes the ports of its gateways."""

    file: Path
    document: Document

    @classmethod
    def of(cls, file: Path) -> PortsOfFile:
        return cls(file, read(file.read_text(encoding="utf-8-sig"), {}))

    def uses(self, variable: str) -> bool:
        """Whether anything in the file depends on this environment variable."""
        return any(_depends(text, variable) for text in self.document.written.values())

    def is_port_of(self, variable: str, gateway: str) -> bool:
        """Whether the port of this gateway does."""
        return _depends(self.document.written.get(("gateways", gateway, "port"), ""), variable)

    def place(self, gateway: str) -> str:
        """Where the port of this gateway is to be changed."""
        line = self.document.lines.get(("gateways", gateway, "port"))
        return f"gateways.{gateway}.port in {self.file}" + (f", line {line}" if line else "")


def _depends(text: str, variable: str) -> bool:
    one, other = (substitute(text, {variable: value}).text for value in "12")
    return one != other


def _reason_against(endpoint: Endpoint) -> str | None:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        with socket.create_server((endpoint.host, endpoint.port), family=family):
            return None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is already in use"
        return f"cannot be listened on: {(error.strerror or str(error)).lower()}"
