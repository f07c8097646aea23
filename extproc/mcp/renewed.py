"""Sessions with servers that were begun anew for a session of a client, which cannot say so: its id
was made before. The hub knows the latest of each, for all workers of the machine, and for streams.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Struct

_MOST: Final = 8192


class Renewed(Struct, frozen=True):
    """One session."""

    number: str
    """Of the client's."""
    server: str
    session: str
    """As the server calls it."""
    revision: str


class Lost(Struct, frozen=True):
    """A session that is over, in whose place another is wanted."""

    number: str
    server: str
    session: str
    """Empty: there was none."""


class RenewedSessions:
    """Of all clients, those that were begun last."""

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = _MOST) -> None:
        self._kept: OrderedDict[tuple[str, str], Renewed] = OrderedDict()
        self._most = most

    def keep(self, renewed: Renewed) -> None:
        key = (renewed.number, renewed.server)
        self._kept[key] = renewed
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def instead(self, lost: Lost) -> Renewed | None:
        """What is known to be begun since; None: nothing."""
        found = self._kept.get((lost.number, lost.server))
        return None if found is None or found.session == lost.session else found


def encode(said: Renewed | Lost) -> bytes:
    return msgspec.json.encode(said)


def decode(body: bytes) -> Renewed | None:
    """None: it says none."""
    try:
        return _renewed.decode(body)
    except msgspec.DecodeError:
        return None


def decode_lost(body: bytes) -> Lost | None:
    """None: it says none."""
    try:
        return _lost.decode(body)
    except msgspec.DecodeError:
        return None


_renewed = msgspec.json.Decoder(Renewed)
_lost = msgspec.json.Decoder(Lost)
