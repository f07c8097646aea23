"""The way to a server, through Envoy's inner listener."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from extproc.adapters.service_client import ServiceClient
from extproc.hub.driver import WayOut
from extproc.hub.far_stream import pieces, question
from extproc.ports import Answered, Asked


@dataclass(frozen=True, slots=True)
class WaysByEnvoy:
    """Of one server."""

    way: WayOut
    client: ServiceClient
    """To the inner listener, too."""
    cluster: str

    def stream(self, path: str, headers: tuple[tuple[str, str], ...]) -> AsyncIterator[bytes]:
        """Raises `NoStream`."""
        return pieces(self.way, question(self.cluster, path, headers))

    async def post(self, asked: Asked, timeout_seconds: float) -> Answered:
        """Raises `ServiceUnavailable`."""
        return await self.client.ask(self.cluster, asked, timeout_seconds)
