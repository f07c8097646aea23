"""Sealed reasoning that a client of another dialect carries back: whose it is stays with it.

A provider refuses reasoning that it did not seal. So a foreign seal is marked before a client sees
it, and known again when it comes back.
"""

from __future__ import annotations

import base64
import binascii

from extproc.llm.request import Signature
from gateway.model import Dialect

_MARK = "dragoman:"
_ORIGINS = frozenset(each.value for each in Dialect)


def shown(signature: Signature, dialect: Dialect) -> str:
    """The seal as a client of this dialect is shown it."""
    if signature.origin is dialect:
        return signature.value
    marked = f"{_MARK}{signature.origin}:{signature.value}"
    if dialect is Dialect.GEMINI:  # whose clients take bytes, in base64
        return base64.b64encode(marked.encode()).decode()
    return marked


def played_back(text: str, dialect: Dialect) -> Signature:
    """The seal that a client of this dialect plays back."""
    marked = _decoded(text) if dialect is Dialect.GEMINI else text
    if marked.startswith(_MARK):
        origin, colon, value = marked.removeprefix(_MARK).partition(":")
        if colon and origin in _ORIGINS:
            return Signature(value, Dialect(origin))
    return Signature(text, dialect)


def mark(dialect: Dialect) -> bytes:
    """What is in every body of this dialect that plays back another's seal.

    Some say before it what is sealed: `dragoman-text:dragoman:gemini:…`.
    """
    marked = f'"{_MARK[:-1]}'
    if dialect is Dialect.GEMINI:
        marked = f'"{base64.b64encode(_MARK.encode()).decode()}'
    return marked.encode()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
