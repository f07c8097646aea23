"""A way to a server, one message at a time in both directions, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from extproc.hub.envelope import Message


class CannotConnect(Exception):
    """There is no way to the server now; the text says why, and is for callers as well."""


class Congested(Exception):
    """The server does not take what it is sent."""


class Link(Protocol):
    """An open way to a server."""

    def send(self, text: bytes) -> None:
        """Send one message, of one line. Raises `Congested`."""

    async def close(self) -> None:
        """Nothing is sent or heard any more, when this returns."""


class Ears(Protocol):
    """Who hears what a server says."""

    def heard(self, message: Message, text: bytes) -> None:
        """One message, of one line."""

    def ended(self, reason: str) -> None:
        """The server is gone by itself. It comes once, and last."""

    async def room(self) -> None:
        """Returns when there is room for another message."""


class Connect(Protocol):
    """Opens ways to one server."""

    async def __call__(self, headers: Mapping[str, str], ears: Ears) -> Link:
        """With what the client's request brought. Raises `CannotConnect`."""
