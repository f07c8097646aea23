"""What several servers say of themselves, as one: `initialize`, and `server/discover`.

https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle and, from 2026-07-28,
`/server/discover`. A revision is agreed upon with each client and with each server on its own: we
speak all of them, so that an old server keeps no new client from what the others can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

LEGACY_REVISIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""With sessions and `initialize`; the last is the latest."""
MODERN_REVISIONS: Final = ("2026-07-28",)
"""Without."""

_CHANGING: Final = ("tools", "prompts", "resources")
"""Capabilities with lists that change."""
_LEGACY_ONLY: Final = frozenset({"tasks"})
"""Later it is an extension, which is another protocol."""
_SERVER_INFO: Final = b"io.modelcontextprotocol/serverInfo"


class BrokenHello(ValueError):
    """What a server said of itself cannot be read."""


class Hello(Struct, frozen=True):
    """What a server says of itself."""

    revision: str
    """That we agreed upon; of `server/discover`, the latest that it and we know; empty: none."""
    capabilities: Mapping[str, object]
    instructions: str = ""
    ttl_ms: int = 0
    """How long it may be kept."""
    is_public: bool = False
    """It is the same for everybody."""

    def has(self, capability: str) -> bool:
        return capability in self.capabilities


def agreed(requested: str) -> str:
    """The revision of a session with a client that asks for this one."""
    return requested if requested in LEGACY_REVISIONS else LEGACY_REVISIONS[-1]


def read_initialize(result: bytes) -> Hello:
    """The result of `initialize`. Raises `BrokenHello`, also for a revision that we do not know."""
    document = _document(result)
    revision = document.get("protocolVersion")
    if revision not in LEGACY_REVISIONS:
        raise BrokenHello(f"the server speaks revision {str(revision)[:32]!r}")
    return Hello(str(revision), _capabilities(document), _instructions(document))


def read_discover(result: bytes) -> Hello:
    """The result of `server/discover`. Raises `BrokenHello`."""
    document = _document(result)
    versions = document.get("supportedVersions")
    if type(versions) is not list:
        raise BrokenHello("the server says no 'supportedVersions'")
    known = [each for each in (*LEGACY_REVISIONS, *MODERN_REVISIONS) if each in versions]
    ttl = document.get("ttlMs")
    return Hello(
        known[-1] if known else "",
        _capabilities(document),
        _instructions(document),
        max(ttl, 0) if type(ttl) is int else 0,
        document.get("cacheScope") == "public",
    )


def initialize(
    requested: str, hellos: Mapping[str, Hello], server_info: bytes, is_changing: bool = False
) -> bytes:
    """The result of `initialize` for a client, in JSON.

    `hellos` are by server, in the order of the view; `server_info` is JSON, and ours.
    `is_changing`: lists can change though no server says so, since servers come and go.
    """
    said = [
        b'"protocolVersion":%s' % msgspec.json.encode(agreed(requested)),
        b'"capabilities":%s' % msgspec.json.encode(capabilities(hellos, is_changing)),
        b'"serverInfo":%s' % server_info,
        *_said_instructions(hellos),
    ]
    return b"{%s}" % b",".join(said)


def discover(
    versions: Sequence[str],
    hellos: Mapping[str, Hello],
    server_info: bytes,
    is_changing: bool = False,
) -> bytes:
    """The result of `server/discover` for a client, in JSON: as short-lived as any server's.

    `versions` are those that clients may speak to us.
    """
    offered = {
        name: value
        for name, value in capabilities(hellos, is_changing).items()
        if name not in _LEGACY_ONLY
    }
    is_public = bool(hellos) and all(each.is_public for each in hellos.values())
    said = [
        b'"resultType":"complete"',
        b'"supportedVersions":%s' % msgspec.json.encode(versions),
        b'"capabilities":%s' % msgspec.json.encode(offered),
        *_said_instructions(hellos),
        b'"ttlMs":%d' % min((each.ttl_ms for each in hellos.values()), default=0),
        b'"cacheScope":"%s"' % (b"public" if is_public else b"private"),
        b'"_meta":{"%s":%s}' % (_SERVER_INFO, server_info),
    ]
    return b"{%s}" % b",".join(said)


def capabilities(hellos: Mapping[str, Hello], is_changing: bool = False) -> dict[str, object]:
    """What at least one of the servers can."""
    merged: dict[str, object] = {}
    for hello in hellos.values():
        merged = _union(merged, hello.capabilities)
    if is_changing:
        for name in _CHANGING:
            of = merged.get(name)
            if isinstance(of, dict):
                merged[name] = {**of, "listChanged": True}
    return merged


def instructions(hellos: Mapping[str, Hello]) -> str:
    """Those of all servers, each under its name; empty: no server has any."""
    said = {server: hello.instructions.strip() for server, hello in hellos.items()}
    return "\n\n".join(f"# {server}\n\n{text}" for server, text in said.items() if text)


def _said_instructions(hellos: Mapping[str, Hello]) -> list[bytes]:
    text = instructions(hellos)
    return [b'"instructions":%s' % msgspec.json.encode(text)] if text else []


def _union(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Both; of what both have, what is more. Of two values that exclude each other, the first."""
    merged = dict(one)
    for name, value in other.items():
        known = merged.get(name)
        if name not in merged or known is False or known is None:
            merged[name] = value
        elif isinstance(known, dict) and isinstance(value, dict):
            merged[name] = _union(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            merged[name] = [*known, *(each for each in value if each not in known)]
    return merged


def _document(result: bytes) -> dict[str, object]:
    try:
        return json_spans.decode(result)
    except InvalidJson as error:
        raise BrokenHello(f"the answer is not JSON: {error}") from None


def _capabilities(document: Mapping[str, object]) -> Mapping[str, object]:
    said = document.get("capabilities")
    if not isinstance(said, dict):
        raise BrokenHello("the server says no 'capabilities'")
    return said


def _instructions(document: Mapping[str, object]) -> str:
    said = document.get("instructions")
    return said if isinstance(said, str) else ""
