"""Addresses of hosts, as this machine finds them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from extproc.ports import Unresolved

MOST_AT_ONCE = 32
"""Names that are looked up at a time; whoever is one too many waits, within the same time."""


class Resolver:
    """Asks the system's resolver, in threads of the event loop's."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Raises `Unresolved`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds), self._places:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise Unresolved(f"no address within {self._timeout_seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            raise Unresolved(str(error)) from None
        return tuple(dict.fromkeys(str(each[4][0]) for each in found))
