"""A stream that speaks of the state of the world: `DiscoveryRequest` and its response.

Names replace names. Of clusters and listeners every response says all, so that what it does not
name is gone; of other types it says what changed, and there is no way to say that something is
gone. https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

import sys

from envoy_api.discovery import FULL_STATE, WILDCARD

from xds_server.snapshot import Named, Resource, Snapshot
from xds_server.subscription.stream import Fellows, Stream, resources_of
from xds_server.subscription.topic import NOTHING_DUE, Due, Topic
from xds_server.subscription.words import Request, StateRequest, StateResponse


class StateStream(Stream):
    """One stream over all types."""

    max_in_flight = 1
    part_bytes = sys.maxsize  # what is a whole cannot be told in parts

    def __init__(
        self, snapshot: Snapshot | None, *, is_aggregated: bool = True, fellows: Fellows = ()
    ) -> None:
        super().__init__(snapshot, is_aggregated=is_aggregated, fellows=fellows)
        self._nonces: dict[str, str] = {}
        """The last of each type."""
        self._versions: dict[str, str] = {}
        """The last that was sent of each type."""
        self._declared: dict[str, str] = {}
        """What the client had accepted on an earlier stream, while there is nothing to compare."""
        self._nameless: set[str] = set()
        """Types of which only the legacy way to ask for everything has been used: no names."""

    def receive(self, request: Request) -> None:
        if not isinstance(request, StateRequest):
            raise TypeError("a request of the other variant")
        self._take_in(request)
        self._bring(request.names)

    def _take_in(self, request: StateRequest) -> None:
        topic = self._topics.get(request.type_url)
        if topic is None:
            self._first_of_type(request)
            return
        topic.answered(request.nonce, request.error)
        last = self._nonces.get(request.type_url)
        if last is None or request.nonce == last:  # else it was sent before it saw our last word
            self._replace_names(topic, request.names)

    def _first_of_type(self, request: StateRequest) -> None:
        topic = self._open(Topic(request.type_url, tells_removals=request.type_url in FULL_STATE))
        if not request.names:
            self._nameless.add(request.type_url)
        if not request.names or WILDCARD in request.names:
            topic.want_all()
            if request.version:
                self._declared[request.type_url] = request.version
        if self._snapshot is not None:
            self._catch_up(topic, self._snapshot)
        topic.want(_named(request.names))

    def _catch_up(self, topic: Topic, snapshot: Snapshot) -> None:
        super()._catch_up(topic, snapshot)
        declared = self._declared.pop(topic.type_url, None)
        if declared == topic.wanted.version:
            topic.differs.clear()
            topic.is_first_owed = False

    def _replace_names(self, topic: Topic, names: tuple[str, ...]) -> None:
        if not names and topic.type_url in self._nameless:
            return
        self._nameless.discard(topic.type_url)
        named, interest = _named(names), topic.interest
        new = {name for name in named if not interest.wants(name)}
        interest.names |= named - new
        if WILDCARD in names:
            topic.want_all()
            interest.names &= named
        elif interest.is_wildcard:
            topic.drop_wildcard()
        topic.drop(interest.names - named)
        topic.want(new)

    def _response_of(self, topic: Topic, said: Due, nonce: str) -> StateResponse:
        if topic.type_url in FULL_STATE:
            return self._whole(topic, said, nonce)
        is_all = topic.differs.keys() <= {*said.changed, *said.removed}
        # what is not yet all of the type must not count as that on another stream
        version = topic.wanted.version if is_all else f"{topic.wanted.version}.{nonce}"
        return self._noted(topic, nonce, version, resources_of(topic, said.changed))

    def _heartbeat(self, topic: Topic, names: tuple[str, ...], nonce: str) -> StateResponse:
        """With its body: Envoy reads over a heartbeat without one, and its TTL runs out."""
        if topic.type_url in FULL_STATE:
            return self._whole(topic, NOTHING_DUE, nonce)
        version = self._versions.get(topic.type_url, topic.wanted.version)
        return self._noted(topic, nonce, version, resources_of(topic, names))

    def _whole(self, topic: Topic, said: Due, nonce: str) -> StateResponse:
        """All that is wanted; what may not yet change, go or come is as the client has it."""
        waiting = topic.differs.keys() - {*said.changed, *said.removed}
        names = list(topic.wanted) if topic.interest.is_wildcard else sorted(topic.interest.names)
        if not waiting:
            all_wanted = resources_of(topic, (name for name in names if name in topic.wanted))
            return self._noted(topic, nonce, topic.wanted.version, all_wanted)
        carried = {
            name: resource
            for name in sorted(waiting.union(names))
            if (resource := topic.carried(name) if name in waiting else topic.wanted.get(name))
        }
        return self._noted(topic, nonce, Named(carried).version, tuple(carried.values()))

    def _noted(
        self, topic: Topic, nonce: str, version: str, resources: tuple[Resource, ...]
    ) -> StateResponse:
        self._nonces[topic.type_url] = nonce
        self._versions[topic.type_url] = version
        return StateResponse(topic.type_url, nonce, version, resources)


def _named(names: tuple[str, ...]) -> set[str]:
    return {name for name in names if name not in ("", WILDCARD)}
