"""Resources that a client has subscribed to by another name than their server has for them, since
several servers list the URI: so that it hears of changes by the name that it knows.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Struct

_MOST: Final = 8192


class Renamed(Struct, frozen=True):
    """One resource."""

    number: str
    """Of the client's session."""
    server: str
    own: str
    """As the server calls it."""
    shown: str


class RenamedUris:
    """Of all clients, those of which something was said last."""

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = _MOST) -> None:
        self._kept: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._most = most

    def keep(self, renamed: Renamed) -> None:
        key = (renamed.number, renamed.server, renamed.own)
        self._kept[key] = renamed.shown
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def shown(self, number: str, server: str, uri: str) -> str:
        """What the client calls it."""
        return self._kept.get((number, server, uri), uri)


def encode(renamed: Renamed) -> bytes:
    return msgspec.json.encode(renamed)


def decode(body: bytes) -> Renamed | None:
    """None: it says none."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return None


_decoder = msgspec.json.Decoder(Renamed)
