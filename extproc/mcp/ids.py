"""Ids that name their server: what a federation tells its client instead of servers' own.

Requests of servers, and their progress tokens: `github/i:5` for the number 5, `github/s:abc` for a
text, `github/n:1.5` for another number. Events and tasks: `github/ID`. A server's name has no
slash, so the first one ends it, and nothing that another server says can begin with it.

An answer of one JSON document is not looked at on its way to the client: a server could put a
request into it with an id as if another server had sent it, and have that one's question answered.
Where a key is given, which servers do not know, ids have a tag made with it: `github/TAG:i:5`.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from extproc.mcp.messages import Id

_SLASH: Final = "/"
_SERVER: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]*", re.ASCII)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_MOST_DIGITS: Final = 4300
"""Of an integer: what is read of JSON, too."""
_TAG_BYTES: Final = 9
_LONGEST_KEY: Final = 64


def outward(server: str, identity: Id, key: bytes = b"") -> str:
    """The id, or progress token, that the client is told; with a key, it cannot be made up."""
    if type(identity) is str:
        own = f"s:{identity}"
    else:
        own = f"{'i' if type(identity) is int else 'n'}:{identity!r}"
    return f"{server}/{_tag(server, own, key)}:{own}" if key else f"{server}/{own}"


def inward(text: object, key: bytes = b"") -> tuple[str, Id] | None:
    """The server and its own id; None: it is none of ours, or was made without the key."""
    if type(text) is not str:
        return None
    server, slash, own = text.partition(_SLASH)
    if not slash or not _SERVER.fullmatch(server):
        return None
    if key:
        tag, _, own = own.partition(":")
        if not compare_digest(tag.encode(), _tag(server, own, key).encode()):
            return None
    identity = _identity(own)
    return None if identity is None else (server, identity)


def outward_name(server: str, own: str) -> str:
    """The id of an event or a task that the client is told; an empty one stays so."""
    return f"{server}/{own}" if own else own


def inward_name(text: str) -> tuple[str, str] | None:
    """The server, and its own id of an event or a task; None: it is none of ours."""
    server, slash, own = text.partition(_SLASH)
    if not slash or not own or not _SERVER.fullmatch(server):
        return None
    return server, own


def _tag(server: str, own: str, key: bytes) -> str:
    """What only who has the key can say."""
    told = f"{server}/{own}".encode("utf-8", "surrogatepass")
    digest = blake2b(told, digest_size=_TAG_BYTES, key=key[:_LONGEST_KEY]).digest()
    return urlsafe_b64encode(digest).decode()


def _identity(own: str) -> Id | None:
    """An id, as `outward` writes it."""
    kind, colon, said = own[:1], own[1:2], own[2:]
    if colon != ":":
        return None
    if kind == "s":
        return said
    if kind == "i":
        is_number = _INTEGER.fullmatch(said) and len(said) <= _MOST_DIGITS
        return int(said) if is_number else None
    return _number(said) if kind == "n" else None


def _number(said: str) -> float | None:
    """A number that is no integer, as `outward` writes it."""
    try:
        number = float(said)
    except ValueError:
        return None
    return number if math.isfinite(number) and repr(number) == said else None
