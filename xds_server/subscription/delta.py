"""A stream that speaks of differences: `DeltaDiscoveryRequest` and its response.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

from __future__ import annotations

from envoy_api.discovery import WILDCARD

from xds_server.snapshot import NOTHING, VIRTUAL_HOST
from xds_server.subscription.stream import Stream, resources_of
from xds_server.subscription.topic import UNKNOWN, Due, Topic
from xds_server.subscription.words import (
    MAX_IN_FLIGHT,
    PART_BYTES,
    DeltaRequest,
    DeltaResponse,
    Request,
)


class DeltaStream(Stream):
    """One stream over all types."""

    max_in_flight = MAX_IN_FLIGHT
    part_bytes = PART_BYTES

    def receive(self, request: Request) -> None:
        if not isinstance(request, DeltaRequest):
            raise TypeError("a request of the other variant")
        self._take_in(request)
        self._bring((*request.subscribe, *request.unsubscribe, *request.initial_versions))

    def _take_in(self, request: DeltaRequest) -> None:
        topic = self._topics.get(request.type_url)
        if topic is None:
            self._first_of_type(request)
            return
        topic.answered(request.nonce, request.error)
        topic.want(_named(request.subscribe))
        if WILDCARD in request.subscribe:
            topic.want_all()
        self._drop(topic, request)

    def _first_of_type(self, request: DeltaRequest) -> None:
        topic = self._open(Topic(request.type_url))
        held, names = request.initial_versions, set(_named(request.subscribe))
        resources = NOTHING if self._snapshot is None else self._snapshot.of(request.type_url)
        self._holds_from_before |= bool(held)
        if not request.subscribe or WILDCARD in request.subscribe:  # none: the legacy wildcard
            topic.want_all()
            topic.is_first_owed = not held  # who holds something does not wait for it
        topic.want_held(names & held.keys(), resources)  # not to be answered again
        topic.begin(resources, held)
        topic.want(names - held.keys())
        self._drop(topic, request)

    def _drop(self, topic: Topic, request: DeltaRequest) -> None:
        if WILDCARD in request.unsubscribe:
            topic.drop_wildcard()
        topic.drop(_named(request.unsubscribe))

    def _response_of(self, topic: Topic, said: Due, nonce: str) -> DeltaResponse:
        assert self._snapshot is not None
        resources = resources_of(topic, said.changed)
        unresolved: tuple[str, ...] = ()
        if topic.type_url == VIRTUAL_HOST:  # a request waits in Envoy until its host is answered so
            unresolved = tuple(
                name for name in said.removed if topic.differs.get(name, UNKNOWN) == UNKNOWN
            )
        removed = tuple(name for name in said.removed if name not in unresolved)
        version = self._snapshot.version
        return DeltaResponse(
            topic.type_url, nonce, version, resources, removed, unresolved=unresolved
        )

    def _heartbeat(self, topic: Topic, names: tuple[str, ...], nonce: str) -> DeltaResponse:
        assert self._snapshot is not None
        alive = resources_of(topic, names)
        return DeltaResponse(topic.type_url, nonce, self._snapshot.version, (), (), alive)


def _named(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in ("", WILDCARD)]
