"""The way to a server, through Envoy's inner listener."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from extproc.adapters.service_client import ServiceClient
from extproc.hub.far_stream import pieces
from extproc.ports import Answered, Asked


@dataclass(frozen=True, slots=True)
class WaysByEnvoy:
    """Of one server."""

    services: str
    """The address of the inner listener."""
    client: ServiceClient
    """For it, too."""
    cluster: str

    def stream(self, path: str, headers: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
        """Raises `NoStream`."""
        return pieces(self.services, self.cluster, path, headers)

    async def post(self, asked: Asked, timeout_seconds: float) -> Answered:
        """Raises `ServiceUnavailable`."""
        return await self.client.ask(self.cluster, asked, timeout_seconds)
