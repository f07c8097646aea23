"""What a configuration makes of requests, in words: gateways, their routes, models and their tries.

`docs/explain.md` describes the JSON form, which has the names of the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from xds_server.check import Check, Failing
from xds_server.python_messages import Message


@dataclass(frozen=True, slots=True)
class Service:
    """How Envoy asks extproc, and what it does when nobody answers in time."""

    filter: str
    timeout: str
    """For each message."""
    failing: Failing
    answer: str
    """To a request that could not be checked; empty when it passes."""
    headers: tuple[str, ...]
    """Which request headers Python is shown; `*`: all."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a chain."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a request may go, and what it passes there."""

    name: str
    endpoints: tuple[str, ...]
    """Or what says them."""
    is_tls: bool
    filters: tuple[Filter, ...]
    """In order, once for each try."""
    messages: tuple[Message, ...]
    """To Python, once for each try."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a route of a gateway."""

    match: str
    names: tuple[str, ...]
    """Of Envoy's routes; of several, the first are for requests of which a copy is sent."""
    own: tuple[str, ...]
    """Of an LLM API that is read: the providers who answer in the client's dialect."""
    translated: tuple[str, ...]
    """Those who do not."""


@dataclass(frozen=True, slots=True)
class RoutePart:
    """Routes of a gateway that are equal but for their matches."""

    ways: tuple[Way, ...]
    """In the order in which they are asked."""
    kind: str
    """`llm`, `mcp`, `a2a`, `mcp sse` (to the hub), `plain`, `answer` (Envoy's own), `other` (the
    operator's own resource)."""
    reading: str
    """What becomes of the bodies of an LLM API; empty: it is none."""
    hosts: tuple[str, ...]
    messages: tuple[Message, ...]
    """To Python, for each request."""
    messages_least: int
    """For a request that passes and is answered."""
    messages_most: int | None
    """When all holds that is said of them; None: it depends on the length of the answer."""
    checks: tuple[Check, ...]
    when_extproc_fails: str
    body_limit: str
    timeouts: tuple[str, ...]
    retries: str
    clusters: tuple[str, ...]
    """Where it may go; by name."""
    copies: tuple[str, ...]
    """The clusters that may get a copy."""
    unseen: tuple[str, ...]
    """What no check ever sees."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of Envoy's routes."""
        return tuple(name for way in self.ways for name in way.names)


@dataclass(frozen=True, slots=True)
class GatewayPart:
    """One listener."""

    name: str
    address: str
    tls: str
    """`none`, `tls`, `mtls`."""
    filters: tuple[Filter, ...]
    routes: tuple[RoutePart, ...]
    unexplained: str
    """What of an operator's own listener is not said here; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Try:
    """One place of a model's plan."""

    place: int
    provider: str
    model: str
    weight: int
    clusters: tuple[str, ...]
    """The one that serves it; several when that depends on what is asked and on the other tries."""
    messages: int
    """To Python at most, when this try is made."""


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A model, and what is tried for it in order."""

    name: str
    tries: tuple[Try, ...]
    """Of several with the same place, one is chosen."""
    chosen: str
    """How the tries of a request are chosen and put in order, where their places do not say it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole configuration."""

    envoy: str
    """The level it was compiled for."""
    service: Service | None
    """None: nothing asks Python."""
    gateways: tuple[GatewayPart, ...]
    models: tuple[ModelPart, ...]
    clusters: tuple[Cluster, ...]
    """All that a route or a try names."""
