"""Answers of services, read closely: what is missing or of another kind is not guessed."""

from __future__ import annotations

from typing import Any

import msgspec

from extproc.policies.remote.words import Unreadable
from extproc.ports import Returned

_SHOWN = 200


def document(answer: Returned) -> dict[str, Any]:
    """The JSON object that a service answered with 200. Raises `Unreadable`."""
    if answer.status != 200:
        raise Unreadable(f"status {answer.status}")
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable("its answer is no JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("its answer is no JSON object")
    return found


def member(found: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """A member that must be there. Raises `Unreadable`."""
    value = found.get(name)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise Unreadable(f"its answer has no {name}")
    return value


def objects(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects that may be missing. Raises `Unreadable`."""
    value = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unreadable(f"its answer has {name} of another kind")
    return value


def shown(text: str) -> str:
    """A text of a service's, as it may be shown to others."""
    return " ".join(text.split())[:_SHOWN]
