"""What a way to a token says: what it needs next, and what it comes to. Values alone."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlencode

from gateway.secret_texts import redact

_SHORTEST_SECONDS = 60.0
"""What a token is taken to live for when its server says less, or nothing."""
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to somebody who gives tokens."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """The content of a file, as it is now."""

    path: str


@dataclass(frozen=True, slots=True)
class Token:
    """What a provider is shown."""

    value: str = field(repr=False)
    lifetime_seconds: float
    """From when it was asked for."""


class NoToken(Exception):
    """Nobody gave one; says why, without secrets."""


Way: TypeAlias = Generator[Ask | Read, bytes, Token]
"""Says what it needs, is sent the body of the answer or the file, and returns the token."""


def form(url: str, fields: Mapping[str, str], headers: tuple[tuple[str, str], ...] = ()) -> Ask:
    """A form, as OAuth's token endpoints take it."""
    kind = ("content-type", "application/x-www-form-urlencoded")
    return Ask("POST", url, (kind, *headers), urlencode(fields).encode())


def document(body: bytes) -> dict[str, Any]:
    """An object of JSON."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NoToken("what was answered is no object of JSON")
    return found


def text_of(found: Mapping[str, Any], name: str) -> str:
    """A member that has to be a text."""
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise NoToken(f"'{name}' is missing")
    return value


def token(found: Mapping[str, Any]) -> Token:
    """What token endpoints answer (RFC 6749 §5.1)."""
    return Token(text_of(found, "access_token"), lifetime(found.get("expires_in")))


def lifetime(said: object) -> float:
    """In seconds; some write numbers as texts."""
    try:
        seconds = float(said) if isinstance(said, int | float | str) else 0.0
    except ValueError:
        seconds = 0.0
    return max(seconds, _SHORTEST_SECONDS)


def refusal(status: int, body: bytes) -> NoToken:
    """An answer that is not 2xx (RFC 6749 §5.2), or Google's own form of it."""
    try:
        found = document(body)
    except NoToken:
        return NoToken(f"answered {status}")
    error = found.get("error")
    if isinstance(error, dict):
        error = error.get("status")
    said = f": {redact(error)[:_SHOWN_CHARACTERS]}" if isinstance(error, str) and error else ""
    return NoToken(f"answered {status}{said}")
