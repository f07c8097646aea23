"""Paths of HTTP+JSON, behind the agent's: read, and written in one way alone.

What servers read differently is refused: dots, empty segments, and slashes in a segment, however
they are encoded. A verb may be encoded (`%3Acancel`), since servers decode before they look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

from extproc.a2a.operations import (
    HTTP_SHAPES,
    OPERATIONS,
    PUSH_CONFIGS,
    TASKS,
    V0_3_PREFIX,
    Operation,
    Shape,
)
from gateway.a2a import Revision

_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSAFE: Final = re.compile(r"[/\\\x00-\x1f\x7f]")
_FIXED: Final[Mapping[tuple[str, ...], Shape]] = {
    ("message:send",): Shape.SEND,
    ("message:stream",): Shape.STREAM,
    ("tasks",): Shape.TASKS,
    ("extendedAgentCard",): Shape.EXTENDED_CARD,
    ("card",): Shape.CARD,
}
_VERBS: Final = {"cancel": Shape.CANCEL, "subscribe": Shape.SUBSCRIBE}


class Found(Struct, frozen=True):
    """What a path says."""

    operation: Operation
    revision: Revision
    tenant: str
    """Of 1.0; empty: none."""
    task_id: str
    push_id: str


def read(method: str, path: str) -> Found | None:
    """What is asked; None: there is no such thing."""
    segments = _segments(path)
    if segments is None:
        return None
    if segments[0] == V0_3_PREFIX:
        return _found(method, segments[1:], Revision.V0_3, "")
    found = _found(method, segments, Revision.V1_0, "")
    if found is None and len(segments) > 1:
        found = _found(method, segments[1:], Revision.V1_0, segments[0])
    return found


def written(
    operation: Operation,
    revision: Revision,
    tenant: str = "",
    task_id: str = "",
    push_id: str = "",
) -> str:
    """The path of a request; `KeyError`: the revision does not have it, `ValueError`: servers would
    not all read an id as it is said."""
    path: str = OPERATIONS[operation].names[revision].shape
    for place, said in (("{id}", task_id), ("{push_id}", push_id)):
        if place in path:
            path = path.replace(place, _quoted(said))
    if revision is Revision.V0_3:
        return f"/{V0_3_PREFIX}{path}"
    return f"/{_quoted(tenant)}{path}" if tenant else path


def _found(method: str, segments: tuple[str, ...], revision: Revision, tenant: str) -> Found | None:
    shape, task_id, push_id = _FIXED.get(segments), "", ""
    if shape is None:
        match segments:
            case (first, rest) if first == TASKS:
                task_id, colon, verb = rest.rpartition(":")
                shape = _VERBS.get(verb) if colon and task_id else None
                if shape is None or (revision, method, shape) not in HTTP_SHAPES:
                    shape, task_id = Shape.TASK, rest
            case (first, task_id, second) if (first, second) == (TASKS, PUSH_CONFIGS):
                shape = Shape.PUSHES
            case (first, task_id, second, push_id) if (first, second) == (TASKS, PUSH_CONFIGS):
                shape = Shape.PUSH
            case _:
                return None
    operation = HTTP_SHAPES.get((revision, method, shape))
    if operation is None:
        return None
    return Found(operation, revision, tenant, task_id, push_id)


def _segments(path: str) -> tuple[str, ...] | None:
    """Decoded; None: something in it is read differently by different servers."""
    if not path.startswith("/") or _ESCAPE.search(path):
        return None
    found: list[str] = []
    for segment in path[1:].split("/"):
        try:
            decoded = unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            return None
        if not _is_segment(decoded):
            return None
        found.append(decoded)
    return tuple(found)


def _is_segment(text: str) -> bool:
    """Whether every server reads it, encoded, as one segment of a path."""
    return bool(text.strip(".")) and _UNSAFE.search(text) is None


def _quoted(text: str) -> str:
    if not _is_segment(text):
        raise ValueError(f"{text[:64]!r} cannot stand in a path, where the agent reads it")
    return quote(text, safe="")
