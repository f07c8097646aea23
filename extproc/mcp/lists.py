"""Lists of tools, prompts, resources, templates and tasks: as a server tells them, page by page,
and as we tell them on.

https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/pagination. Entries stay
as they were written: of each we read what it is called.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from extproc.mcp.jsonrpc import INVALID_PARAMS, Fault
from extproc.mcp.naming import Target
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny


class ListKind(Enum):
    """What is listed: by which method, as which member of the result, called by which member."""

    TOOLS = ("tools/list", "tools", "name")
    PROMPTS = ("prompts/list", "prompts", "name")
    RESOURCES = ("resources/list", "resources", "uri")
    TEMPLATES = ("resources/templates/list", "resourceTemplates", "uriTemplate")
    TASKS = ("tasks/list", "tasks", "taskId")

    def __init__(self, method: str, member: str, key: str) -> None:
        self.method = method
        self.member = member
        self.key = key


BY_METHOD: Final[Mapping[str, ListKind]] = {kind.method: kind for kind in ListKind}


_NONE: Final[Mapping[str, Deny]] = MappingProxyType({})


class BrokenList(ValueError):
    """What a server said is no list."""


class Listed(Struct, frozen=True):
    """An entry of a server's list."""

    name: str
    """What the server calls it: a name, a URI, a template, an id."""
    text: bytes
    """JSON, as it was written."""


class Page(Struct, frozen=True):
    """One answer of a server; or all of them, joined."""

    entries: tuple[Listed, ...]
    next_cursor: str = ""
    """Empty: this is the last."""
    ttl_ms: int | None = None
    """How long it may be kept; None: the server does not say."""
    is_public: bool = False
    """It is the same for everybody."""
    unread: int = 0
    """Entries without a name, which were left out."""
    withheld: Mapping[str, Deny] = _NONE
    """Entries that guards have taken out, by name, and why."""


class Shown(Struct, frozen=True):
    """An entry as clients see it."""

    target: Target
    name: str
    text: bytes
    """JSON."""


class Listing(Struct, frozen=True):
    """A list of all servers of a view."""

    kind: ListKind
    entries: tuple[Shown, ...]
    ttl_ms: int = 0
    is_public: bool = False


Allowed: TypeAlias = Callable[[Target], bool]


def read_page(kind: ListKind, result: bytes) -> Page:
    """The result of a list request. Raises `BrokenList`."""
    try:
        document = json_spans.decode(result)
    except InvalidJson as error:
        raise BrokenList(f"the list is not JSON: {error}") from None
    entries = document.get(kind.member)
    if type(entries) is not list:
        raise BrokenList(f"the list has no {kind.member!r}")
    written = json_spans.items(json_spans.members(result)[kind.member])
    found = tuple(
        Listed(entry[kind.key], text)
        for entry, text in zip(entries, written, strict=True)
        if type(entry) is dict and type(entry.get(kind.key)) is str and entry[kind.key]
    )
    cursor, ttl = document.get("nextCursor"), document.get("ttlMs")
    return Page(
        found,
        cursor if type(cursor) is str else "",
        max(ttl, 0) if type(ttl) is int else None,
        document.get("cacheScope") == "public",
        len(entries) - len(found),
    )


def joined(pages: Sequence[Page]) -> Page:
    """All pages of a list as one: the shortest time, and public only where every page is."""
    times = [page.ttl_ms for page in pages if page.ttl_ms is not None]
    return Page(
        tuple(entry for page in pages for entry in page.entries),
        "",
        min(times) if len(times) == len(pages) and times else None,
        bool(pages) and all(page.is_public for page in pages),
        sum(page.unread for page in pages),
    )


def listing(kind: ListKind, entries: Iterable[Shown], lists: Iterable[Page]) -> Listing:
    """The list of several servers: as short-lived, and as private, as that of any of them."""
    pages = list(lists)
    times = [page.ttl_ms or 0 for page in pages]
    return Listing(
        kind,
        tuple(entries),
        min(times, default=0),
        bool(pages) and all(page.is_public for page in pages),
    )


def page(
    of: Listing,
    cursor: str = "",
    size: int = 0,
    is_allowed: Allowed | None = None,
    is_modern: bool = False,
) -> bytes | Fault:
    """The result of a list request, in JSON: at most `size` entries (0: all) after the cursor.

    A list that was filtered for somebody is private. `Fault`: the cursor is none of ours, or what
    it stands for is gone.
    """
    start = 0
    if cursor:
        found = _position(of, cursor)
        if found is None:
            return Fault(INVALID_PARAMS, "invalid params: the cursor is unknown, begin anew")
        start = found
    shown, end = _some(of.entries, start, size, is_allowed)
    opening, closing = b'{"%s":[' % of.kind.member.encode(), b"]"
    if end < len(of.entries):
        closing += b',"nextCursor":"%s"' % _cursor(end, shown[-1].name)
    if is_modern:
        scope = b"public" if of.is_public and is_allowed is None else b"private"
        closing += b',"resultType":"complete","ttlMs":%d,"cacheScope":"%s"' % (of.ttl_ms, scope)
    if not shown:
        return b"%s%s}" % (opening, closing)
    texts = [each.text for each in shown]  # a list is long: it is copied once
    texts[0] = opening + texts[0]
    texts[-1] += closing + b"}"
    return b",".join(texts)


def filtered(kind: ListKind, body: bytes, is_shown: Callable[[str], bool]) -> bytes:
    """An answer to a list request with those entries alone, by the names that their server gives
    them; private, since it is somebody's. What is no list stays as it is. Raises `BrokenList`."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        raise BrokenList(f"the list is not JSON: {error}") from None
    result = document.get("result")
    entries = result.get(kind.member) if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(entries, list):
        return body
    written = json_spans.items(json_spans.value_at(body, ("result", kind.member)) or b"[]")
    kept = [
        text
        for entry, text in zip(entries, written, strict=True)
        if isinstance(entry, dict)
        and isinstance(entry.get(kind.key), str)
        and is_shown(entry[kind.key])
    ]
    changes: dict[json_spans.Path, bytes] = {("result", kind.member): json_spans.array(kept)}
    if "cacheScope" in result:
        changes["result", "cacheScope"] = b'"private"'
    return json_spans.replace_at(body, changes)


def _some(
    entries: tuple[Shown, ...], start: int, size: int, is_allowed: Allowed | None
) -> tuple[Sequence[Shown], int]:
    """The entries of a page, and where the next begins: at one that is allowed, or at the end."""
    if is_allowed is None:
        end = min(start + size, len(entries)) if size else len(entries)
        return entries[start:end], end
    shown: list[Shown] = []
    for position in range(start, len(entries)):
        entry = entries[position]
        if is_allowed(entry.target):
            if size and len(shown) == size:
                return shown, position
            shown.append(entry)
    return shown, len(entries)


def _cursor(position: int, last: str) -> bytes:
    """Where the next page begins, and the name of the last entry before it."""
    return base64.urlsafe_b64encode(msgspec.json.encode((position, last)))


def _position(of: Listing, cursor: str) -> int | None:
    """Where the page of a cursor begins, also when the list has changed since; None: nowhere."""
    try:
        position, last = msgspec.json.decode(
            base64.b64decode(cursor, b"-_", validate=True), type=tuple[int, str]
        )
    except (binascii.Error, ValueError):
        return None
    if 0 < position <= len(of.entries) and of.entries[position - 1].name == last:
        return position
    after = (each + 1 for each, entry in enumerate(of.entries) if entry.name == last)
    return next(after, None)
