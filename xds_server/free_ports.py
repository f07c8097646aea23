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

from gateway.config.document import read
from gateway.config.environment import substitute
from gateway.config.files import Disk
from gateway.config.gathering import Gathering
from gateway.config.merging import Part
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
    """How a configuration, of one file or of several, writes the ports of its gateways."""

    file: Path
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, file: Path) -> PortsOfFile:
        return cls(file, Gathering(Disk(), lambda text: read(text, {})).gather(file).parts)

    def uses(self, variable: str) -> bool:
        """Whether anything in the files depends on this environment variable."""
        return any(
            _depends(text, variable)
            for part in self.parts
            for text in part.document.written.values()
        )

    def is_port_of(self, variable: str, gateway: str) -> bool:
        """Whether the port of this gateway does."""
        written = (part.document.written.get(_port(gateway), "") for part in self.parts)
        return any(_depends(text, variable) for text in written)

    def place(self, gateway: str) -> str:
        """Where the port of this gateway is to be changed."""
        for part in self.parts:
            line = part.document.lines.get(_port(gateway))
            if line is not None:
                return f"gateways.{gateway}.port in {part.file}, line {line}"
        return f"gateways.{gateway}.port in {self.file}"


def _port(gateway: str) -> tuple[str, str, str]:
    return ("gateways", gateway, "port")


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
