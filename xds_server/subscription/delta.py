"""What one delta xDS stream asked for, was sent and acknowledged: requests in, responses out.

No I/O, no protobuf. One response per type is in flight; what changes meanwhile is sent after its
answer. https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from xds_server.snapshot import (
    CLUSTER,
    FILTER,
    KEPT_WHILE_REMOVING,
    LISTENER,
    ROUTES,
    TYPES,
    Resource,
    Snapshot,
)
from xds_server.subscription.words import (
    MAX_NAMES,
    MAX_TYPES,
    WILDCARD,
    BadRequest,
    DeltaRequest,
    DeltaResponse,
    Rejection,
    TypeState,
)

REFERRING = frozenset({LISTENER, FILTER, ROUTES})
"""What refers to clusters, endpoints and secrets. Its changes wait for the answer to a cluster
response, which Envoy gives when the clusters are warm, and while one of the others is refused;
removals of the others wait for these."""


@dataclass(slots=True)
class Interest:
    """Which names of a type a client wants."""

    names: set[str] = field(default_factory=set)
    is_wildcard: bool = False

    def wants(self, name: str) -> bool:
        return self.is_wildcard or name in self.names

    def wanted(self, existing: Mapping[str, Resource]) -> Iterable[str]:
        return sorted(existing if self.is_wildcard else self.names & existing.keys())


class DeltaStream:
    """One stream over all types."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot
        self._types: dict[str, _Type] = {}
        self._nonce = 0

    def receive(self, request: DeltaRequest) -> None:
        """Take a request in; what it calls for comes out of `responses`."""
        kind = self._types.get(request.type_url)
        if kind is None:
            kind = self._first_of_type(request)
        else:
            kind.answered(request)
            kind.subscribe(request.subscribe, held=())
        kind.unsubscribe(request.unsubscribe)
        if max(len(kind.interest.names), len(kind.known)) > MAX_NAMES:
            raise BadRequest(f"more than {MAX_NAMES} names of {request.type_url}")

    def publish(self, snapshot: Snapshot | None) -> None:
        """From now on the client is to have this; `None` says nothing to it."""
        self._snapshot = snapshot

    def responses(self, now: float) -> tuple[DeltaResponse, ...]:
        """What may be sent now, in the order of sending; each is handed out once."""
        if self._snapshot is None:
            return ()
        sent: list[DeltaResponse] = []
        for type_url in sorted(self._types, key=_rank):
            due = self._due(type_url, self._snapshot)
            if due is not None:
                sent.append(self._send(type_url, due, self._snapshot))
        return tuple(sent)

    def next_wakeup(self) -> float | None:
        """When `responses` is to be asked again though nothing has happened."""
        return None

    def is_settled(self) -> bool:
        """The client has answered all that there is to say on what it has asked for."""
        return self._snapshot is not None and all(
            kind.is_settled(_of_type(self._snapshot, url)) for url, kind in self._types.items()
        )

    def is_current(self) -> bool:
        """The client has acknowledged everything of the snapshot that it can have asked for."""
        if self._snapshot is None or not self.is_settled():
            return False
        published = {url for url, resources in self._snapshot.resources.items() if resources}
        has_refused = any(kind.rejected for kind in self._types.values())
        return self._types.keys() >= published and not has_refused

    def rejections(self, snapshot: Snapshot) -> tuple[Rejection, ...]:
        """Every refusal of something that this snapshot has, or has not."""
        return tuple(
            Rejection(url, name, error)
            for url, kind in self._types.items()
            for name, error in kind.standing_errors(_of_type(snapshot, url)).items()
        )

    def states(self) -> tuple[TypeState, ...]:
        """Every type asked for so far, in the order of sending."""
        return tuple(
            TypeState(
                type_url,
                kind.acked_version,
                kind.rejection(),
                self._snapshot is not None
                and not kind.rejected
                and kind.is_settled(_of_type(self._snapshot, type_url)),
            )
            for type_url, kind in sorted(self._types.items(), key=lambda item: _rank(item[0]))
        )

    def _first_of_type(self, request: DeltaRequest) -> _Type:
        if not request.type_url:
            raise BadRequest("a request on an aggregated stream needs a type_url")
        if len(self._types) >= MAX_TYPES:
            raise BadRequest(f"more than {MAX_TYPES} types on one stream")
        kind = _Type(known=dict(request.initial_versions))
        self._types[request.type_url] = kind
        names = request.subscribe or (WILDCARD,)  # no names: the legacy way to ask for everything
        kind.subscribe(names, held=request.initial_versions)
        return kind

    def _due(self, type_url: str, snapshot: Snapshot) -> _Due | None:
        kind = self._types[type_url]
        if kind.in_flight is not None:
            return None
        due = kind.due(_of_type(snapshot, type_url))
        if type_url in REFERRING and not self._are_referred_ready(snapshot):
            due = due.only(kind.owed)
        if type_url in KEPT_WHILE_REMOVING and not self._are_references_settled(snapshot):
            due = due.removing_only(kind.owed)
        return due if due.changed or due.removed or kind.is_first_owed else None

    def _send(self, type_url: str, due: _Due, snapshot: Snapshot) -> DeltaResponse:
        self._nonce += 1
        nonce = str(self._nonce)
        existing = _of_type(snapshot, type_url)
        resources = tuple(existing[name] for name in due.changed)
        versions = {resource.name: resource.version for resource in resources}
        versions.update((name, _ABSENT) for name in due.removed)
        kind = self._types[type_url]
        kind.in_flight = _InFlight(nonce, snapshot.version, versions)
        kind.owed -= versions.keys()
        kind.is_first_owed = False
        return DeltaResponse(type_url, nonce, snapshot.version, resources, due.removed)

    def _are_referred_ready(self, snapshot: Snapshot) -> bool:
        clusters = self._types.get(CLUSTER)
        is_warming = clusters is not None and clusters.in_flight is not None
        return not is_warming and not any(
            kind.standing_errors(_of_type(snapshot, url))
            for url, kind in self._types.items()
            if url in KEPT_WHILE_REMOVING
        )

    def _are_references_settled(self, snapshot: Snapshot) -> bool:
        return all(
            kind.is_settled(_of_type(snapshot, url)) and not kind.rejected
            for url, kind in self._types.items()
            if url in REFERRING
        )


_ABSENT = ""
"""The version of a resource that does not exist."""


@dataclass(frozen=True, slots=True)
class _Due:
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def only(self, names: set[str]) -> _Due:
        changed = tuple(name for name in self.changed if name in names)
        return _Due(changed, tuple(name for name in self.removed if name in names))

    def removing_only(self, names: set[str]) -> _Due:
        return _Due(self.changed, tuple(name for name in self.removed if name in names))


@dataclass(frozen=True, slots=True)
class _InFlight:
    nonce: str
    version: str
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Refusal:
    version: str
    error: str


@dataclass(slots=True)
class _Type:
    interest: Interest = field(default_factory=Interest)
    known: dict[str, str] = field(default_factory=dict)
    """What the client holds for certain: it has acknowledged or declared it."""
    rejected: dict[str, _Refusal] = field(default_factory=dict)
    """What it has refused: not sent again at this version. What it holds instead is not certain."""
    owed: set[str] = field(default_factory=set)
    """Names that must be answered though nothing has changed."""
    is_first_owed: bool = False
    """The first wildcard request is answered even with nothing: Envoy's start waits for it."""
    in_flight: _InFlight | None = None
    acked_version: str = ""

    def subscribe(self, names: Iterable[str], held: Container[str]) -> None:
        """Names are answered even when the client may have them, but for what it says it holds."""
        for name in names:
            if name == WILDCARD:
                self.is_first_owed |= not self.interest.is_wildcard and not self.known
                self.interest.is_wildcard = True
                continue
            self.interest.names.add(name)
            if name not in held:
                self.owed.add(name)
        self._forget_unwanted()

    def unsubscribe(self, names: Iterable[str]) -> None:
        """A name given up under a wildcard is answered: the client has just dropped it."""
        for name in names:
            if name == WILDCARD:
                self.interest.is_wildcard = False
                self.is_first_owed = False
                continue
            self.interest.names.discard(name)
            if self.interest.is_wildcard:
                self.owed.add(name)
        self._forget_unwanted()

    def answered(self, request: DeltaRequest) -> None:
        """Take an ACK or a NACK, unless it answers some other response than the one in flight."""
        response = self.in_flight
        if response is None or response.nonce != request.nonce:
            return
        self.in_flight = None
        if request.error is not None:
            self._rejected(response, request.error)
            return
        self.acked_version = response.version
        for name, version in response.sent.items():
            self.rejected.pop(name, None)
            if version == _ABSENT:
                self.known.pop(name, None)
            else:
                self.known[name] = version
        self._forget_unwanted()

    def due(self, existing: Mapping[str, Resource]) -> _Due:
        changed = [
            name
            for name in self.interest.wanted(existing)
            if name in self.owed or not self._has(name, existing[name].version)
        ]
        gone = self.owed | self.known.keys() | self.rejected.keys()
        removed = [
            name
            for name in sorted(gone - existing.keys())
            if name in self.owed or not self._has(name, _ABSENT)
        ]
        return _Due(tuple(changed), tuple(removed))

    def is_settled(self, existing: Mapping[str, Resource]) -> bool:
        """Nothing is in flight and nothing is left to say."""
        if self.in_flight is not None or self.is_first_owed:
            return False
        due = self.due(existing)
        return not due.changed and not due.removed

    def rejection(self) -> str:
        return next((refusal.error for refusal in self.rejected.values()), "")

    def standing_errors(self, existing: Mapping[str, Resource]) -> dict[str, str]:
        """Name → reason, of what exists now and is refused, or of what may not be gone."""
        return {
            name: refusal.error
            for name, refusal in self.rejected.items()
            if refusal.version == (existing[name].version if name in existing else _ABSENT)
        }

    def _has(self, name: str, version: str) -> bool:
        refusal = self.rejected.get(name)
        is_refused = refusal is not None and refusal.version == version
        return is_refused or self.known.get(name) == version

    def _rejected(self, response: _InFlight, error: str) -> None:
        for name, version in response.sent.items():
            self.known.pop(name, None)
            if self.interest.wants(name):
                self.rejected[name] = _Refusal(version, error)

    def _forget_unwanted(self) -> None:
        if self.interest.is_wildcard:
            return
        for name in self.known.keys() - self.interest.names:
            del self.known[name]
        for name in self.rejected.keys() - self.interest.names:
            del self.rejected[name]
        self.owed &= self.interest.names


def _of_type(snapshot: Snapshot, type_url: str) -> Mapping[str, Resource]:
    return snapshot.resources.get(type_url, {})


def _rank(type_url: str) -> tuple[int, str]:
    return (TYPES.index(type_url) if type_url in TYPES else len(TYPES), type_url)
