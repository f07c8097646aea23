"""What clients say and are told, in both variants of the protocol, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from xds_server.snapshot import Resource

MAX_TYPES = 32
MAX_NAMES = 100_000
"""Per type. Envoy asks for what its own configuration names; more than this is a broken peer."""
MAX_IN_FLIGHT = 32
"""Responses of one type that a client has not answered; it may ask for names in between."""
ACK_SECONDS = 15.0
"""How long the types that come after one wait for the answer to it."""
PART_BYTES = 256 << 10
"""What one response of differences holds; what is more goes in several, one after the other."""
MAX_NAMES_BYTES = 32 << 20
"""What the names of one stream may take, of all types; a name takes `NAME_BYTES`, and itself."""
NAME_BYTES = 250
"""In four tables, and in our memory."""


class BadRequest(ValueError):
    """The peer broke the protocol, or its limits; the stream must end."""


@dataclass(frozen=True, slots=True)
class DeltaRequest:
    """What a client says of one type."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)
    """What it still holds from an earlier stream; read in the first request of the type."""
    nonce: str = ""
    """The response that this answers; empty when it answers none."""
    error: str | None = None
    """Why that response was rejected; `None` accepts it."""


@dataclass(frozen=True, slots=True)
class DeltaResponse:
    """What changed of one type."""

    type_url: str
    nonce: str
    version: str
    """The snapshot's; informational."""
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()
    heartbeats: tuple[Resource, ...] = ()
    """Still alive and unchanged: sent with name, version and TTL, without the body."""
    unresolved: tuple[str, ...] = ()
    """Asked for, and there is none: sent as a name without a body."""


@dataclass(frozen=True, slots=True)
class StateRequest:
    """What a client wants of one type: all of it, each time."""

    type_url: str
    names: tuple[str, ...] = ()
    version: str = ""
    """Of the last response that it accepted, be it of an earlier stream."""
    nonce: str = ""
    """The last response of this type that it has seen on this stream."""
    error: str | None = None
    """Why that response was rejected; `None` accepts it."""


@dataclass(frozen=True, slots=True)
class StateResponse:
    """Resources of one type; of clusters and listeners always all that are wanted."""

    type_url: str
    nonce: str
    version: str
    """Of the type's whole content."""
    resources: tuple[Resource, ...]


Request: TypeAlias = DeltaRequest | StateRequest
Response: TypeAlias = DeltaResponse | StateResponse


@dataclass(frozen=True, slots=True)
class TypeState:
    """How far a client has come with one type; for people to read."""

    type_url: str
    acked_version: str
    """The snapshot that the last acknowledged response came from; empty when there was none."""
    rejection: str
    """Why the client refuses what it was sent; empty when it refuses nothing, or no more."""
    is_current: bool


@dataclass(frozen=True, slots=True)
class Rejection:
    """A resource that a client refuses."""

    type_url: str
    name: str
    error: str
