"""Who connects to the control plane, and which of them are told the same.

A client says who it is (`Node`), its connection shows who it is (`Principal`); together they give
its `Audience`, and each audience has one snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from xds_server.snapshot import Snapshot


class Kind(StrEnum):
    """Whom a snapshot is for."""

    ENVOY = "envoy"
    """Envoys, and whoever else speaks xDS: gRPC clients."""
    WORKER = "extproc"
    HUB = "hub"
    """The hub of the MCP gateway, which is told what workers are."""


class Level(StrEnum):
    """What an Envoy can do; each level has all of those before it."""

    V1_37 = "1.37"
    """The oldest that is served, and what is assumed of clients that do not say."""
    V1_40 = "1.40"


_ENVOYS = ("envoy", "dragoman-cli")
"""Whose version is that of an Envoy; `dragoman xds get` speaks for one."""


@dataclass(frozen=True, slots=True)
class Node:
    """What a client says of itself, once for each stream."""

    id: str
    cluster: str = ""
    user_agent: str = ""
    """The name alone: `envoy`, `gRPC Python`, `dragoman-extproc`."""
    version: tuple[int, int, int] | None = None
    """What `user_agent_build_version` says."""
    version_text: str = ""
    """For people: `1.40.0`, or what `user_agent_version` says."""
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

    def level(self) -> Level:
        """What it can do, by its version."""
        is_recent = self.version is not None and self.version >= (1, 40, 0)
        return Level.V1_40 if is_recent and self.user_agent in _ENVOYS else Level.V1_37


@dataclass(frozen=True, slots=True)
class Principal:
    """What the connection proves. Nothing of it comes from the client's own word."""

    peer: str
    """`ipv4:127.0.0.1:4711`, `unix:…`; for people."""
    is_private: bool = False
    """It came over a Unix socket, whose folder is the protection."""
    sans: tuple[str, ...] = ()
    """URI and DNS names of a certificate that our authorities signed."""
    token_digest: str | None = None
    """SHA-256 of the bearer token it sent, hex."""


@dataclass(frozen=True, slots=True)
class Audience:
    """All clients that are told the same."""

    kind: Kind
    group: str = ""
    """A node group's name; empty when there are no groups, and for workers."""
    level: Level = Level.V1_40
    may_have_secrets: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a client may not come in."""

    reason: str
    is_unknown: bool = False
    """It has proved nothing (UNAUTHENTICATED); else it may not (PERMISSION_DENIED)."""


class Offer(Protocol):
    """What one kind of client is to have. Immutable; snapshots are made once for each audience."""

    def audience(self, node: Node, principal: Principal) -> Audience | Refused:
        """Which audience a client belongs to."""

    def snapshot(self, audience: Audience) -> Snapshot:
        """What an audience is to have."""
