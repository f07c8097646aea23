"""One client's stream, whichever variant it speaks: what is sent when, and what came of it.

Nothing breaks before it is made. What nobody asked for goes in the order of `TYPES`, each type when
the one before is acknowledged, or has been silent for too long. What is gone from clusters,
endpoints and secrets is told when all that may refer to them has been accepted: clusters first, for
they refer to the others; a client that comes back is given time to ask for what it holds.

What a client has just asked for does not wait: it may be what the cluster that holds everything up
is waiting for. Only what refers to clusters waits while these are told in parts, or while one that
is back is on its way out: the client would have what refers to it, and not the cluster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TypeAlias

from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    KEPT_WHILE_REMOVING,
    LISTENER,
    ROUTES,
    RUNTIME,
    SCOPED_ROUTES,
    TYPES,
    VIRTUAL_HOST,
    Resource,
    Snapshot,
)
from xds_server.subscription.topic import NOTHING_DUE, Due, InFlight, Topic
from xds_server.subscription.words import (
    ACK_SECONDS,
    MAX_NAMES_BYTES,
    MAX_TYPES,
    NAME_BYTES,
    BadRequest,
    Rejection,
    Request,
    Response,
    TypeState,
)

IN_TURN = frozenset(TYPES) - {RUNTIME}
"""What waits for the types before it, and is waited for."""
REFERRING = frozenset({LISTENER, FILTER, SCOPED_ROUTES, ROUTES, VIRTUAL_HOST})
"""What refers to clusters, endpoints and secrets; its changes wait while one of these is refused,
and removals of these wait for it."""
ROOTS = (CLUSTER, LISTENER)
"""What an Envoy asks for by itself; the rest when one of these names it."""


Fellows: TypeAlias = Sequence["Stream"]
"""The streams of one client that are for one type each, those that will come too."""


class Stream(ABC):
    """The core; the variants say how requests are read and how responses are put."""

    max_in_flight: int
    """How many responses of a type a client may leave unanswered and still be told what it asks
    for."""
    part_bytes: int
    """How much goes into one response."""

    def __init__(
        self, snapshot: Snapshot | None, *, is_aggregated: bool = True, fellows: Fellows = ()
    ) -> None:
        """Not aggregated: the stream is for one type alone, and its `fellows` for the others; they
        wait for one another. An aggregated one does not, but what is asked for there is not
        expected of it."""
        self._snapshot = snapshot
        self._is_aggregated = is_aggregated
        self._fellows = fellows
        self._topics: dict[str, Topic] = {}
        self._last_nonce = 0
        self._now = 0.0
        self._named_bytes = 0
        """At most what all names take that the client has brought."""
        self._counted_bytes = 0
        """When they were last counted."""
        self._holds_from_before = False
        """The client holds something from an earlier stream."""
        self._settles_in_at: float | None = None
        """When such a client is taken to have asked for all that it holds."""

    @abstractmethod
    def receive(self, request: Request) -> None:
        """Take a request of the variant in; what it calls for comes out of `responses`."""

    def publish(self, snapshot: Snapshot | None) -> None:
        """From now on the client is to have this; `None` says nothing more to it."""
        self._snapshot = snapshot
        if snapshot is not None:
            for topic in self._topics.values():
                self._catch_up(topic, snapshot)

    def responses(self, now: float) -> tuple[Response, ...]:
        """What may be sent now, in the order of sending; each is handed out once."""
        self._now = now
        if self._snapshot is None:
            return ()
        if self._settles_in_at is None and self._topics:
            self._settles_in_at = now + (ACK_SECONDS if self._holds_from_before else 0.0)
        sent: list[Response] = []
        is_clear = True
        for topic in sorted(self._around(), key=_rank):
            is_own = self._topics.get(topic.type_url) is topic
            if is_own:
                response = self._response(topic, is_clear, self._snapshot)
                if response is not None:
                    sent.append(response)
            if topic.type_url in IN_TURN and topic.is_ahead(now, is_own=is_own):
                is_clear = False
        return tuple(sent)

    def next_wakeup(self) -> float | None:
        """When `responses` is to be asked again though nothing has happened."""
        if self._snapshot is None:
            return None
        beats = (topic.next_beat() for topic in self._topics.values())
        times = [at for at in beats if at is not None]
        if any(topic.has_more_to_say() for topic in self._topics.values()):
            times += self._ends_of_patience()
        return min(times, default=None)

    def is_settled(self) -> bool:
        """The client has answered all that there is to say on what it has asked for."""
        return self._snapshot is not None and all(
            topic.is_settled() for topic in self._topics.values()
        )

    def is_silent(self, now: float) -> bool:
        """The client has left something unanswered for longer than it is waited for."""
        return any(
            now >= flight.sent_at + ACK_SECONDS
            for topic in self._topics.values()
            for flight in topic.in_flight.values()
        )

    def is_current(self) -> bool:
        """The client has acknowledged everything of the snapshot that it can be expected to want.

        An Envoy that has not yet asked for its listeners, or for the routes that they name, has
        not come so far.
        """
        if self._snapshot is None or not self._topics or not self.is_settled():
            return False
        if any(topic.refused for topic in self._topics.values()):
            return False
        if not self._is_aggregated or self._has_asked_for_all(self._snapshot):
            return True
        elsewhere = {url for fellow in self._fellows for url in fellow._topics}
        return self._has_asked_for_all(self._snapshot, elsewhere)

    def rejections(self, snapshot: Snapshot) -> tuple[Rejection, ...]:
        """Every refusal of something that this snapshot has, or has not."""
        return tuple(
            Rejection(url, name, error)
            for url, topic in self._topics.items()
            for name, error in topic.standing_errors(snapshot.of(url)).items()
        )

    @property
    def number_of_types(self) -> int:
        """How many have been asked for."""
        return len(self._topics)

    def states(self) -> tuple[TypeState, ...]:
        """Every type asked for so far, in the order of sending."""
        return tuple(
            TypeState(
                topic.type_url,
                topic.acked_version,
                topic.rejection(),
                self._snapshot is not None and not topic.refused and topic.is_settled(),
            )
            for topic in self._in_order()
        )

    @abstractmethod
    def _response_of(self, topic: Topic, said: Due, nonce: str) -> Response:
        """A response that says this, of what the topic is to have."""

    @abstractmethod
    def _heartbeat(self, topic: Topic, names: tuple[str, ...], nonce: str) -> Response:
        """A response that keeps these alive."""

    def _catch_up(self, topic: Topic, snapshot: Snapshot) -> None:
        topic.catch_up(snapshot.of(topic.type_url))

    def _open(self, topic: Topic) -> Topic:
        """The first request of a type."""
        if not topic.type_url:
            raise BadRequest("a request on an aggregated stream needs a type_url")
        if len(self._topics) >= MAX_TYPES:
            raise BadRequest(f"more than {MAX_TYPES} types on one stream")
        self._topics[topic.type_url] = topic
        return topic

    def _bring(self, names: Iterable[str]) -> None:
        """Names of a request. They are counted when they may be too many, so not often."""
        self._named_bytes += sum(NAME_BYTES + len(name) for name in names)
        if self._named_bytes - self._counted_bytes <= MAX_NAMES_BYTES // 4:
            return
        self._counted_bytes = sum(topic.names_bytes() for topic in self._topics.values())
        self._named_bytes = self._counted_bytes
        if self._counted_bytes > MAX_NAMES_BYTES:
            raise BadRequest(f"the names of one stream take more than {MAX_NAMES_BYTES} bytes")

    def _response(self, topic: Topic, is_clear: bool, snapshot: Snapshot) -> Response | None:
        if not self._must_wait(topic):
            said = self._sayable(topic, is_clear or topic.type_url not in IN_TURN, snapshot)
            if said or topic.is_first_owed:
                return self._say(topic, said)
        fading = topic.fading(self._now)
        if not fading:
            return None
        response = self._heartbeat(topic, fading, self._next_nonce())
        topic.beat(fading, self._now)
        return self._send(topic, NOTHING_DUE, response)

    def _must_wait(self, topic: Topic) -> bool:
        """For the answer to a part, of this type or of what it may refer to, or to a removal that
        is to be taken back."""
        if topic.is_in_parts(self._now):
            return True
        return topic.type_url in REFERRING and any(
            each.is_in_parts(self._now) or each.is_removing_what_is_back(self._now)
            for each in self._around()
            if each.type_url == CLUSTER
        )

    def _say(self, topic: Topic, said: Due) -> Response:
        """All of it, or a part."""
        part = topic.part(said, self.part_bytes)
        is_part = part is not said
        if is_part and topic.is_first_owed:  # what is left of the first answer has its right of way
            topic.owed.update(said.changed, said.removed)
        if topic.type_url == CLUSTER:
            self._let_warm(topic, part.changed)
        response = self._response_of(topic, part, self._next_nonce())
        return self._send(topic, part, response, is_part=is_part)

    def _sayable(self, topic: Topic, is_clear: bool, snapshot: Snapshot) -> Due:
        """What may be said now of what is due."""
        due = topic.due()
        if not due or len(topic.in_flight) >= self.max_in_flight:
            return NOTHING_DUE
        if topic.is_first_owed:
            return due
        if topic.in_flight or not is_clear:
            return due.only(topic.owed)
        asked = due.only(topic.owed)
        if topic.type_url in REFERRING and self._is_refused_what_it_refers_to(snapshot):
            return asked
        if topic.type_url in KEPT_WHILE_REMOVING and not self._is_unneeded(topic):
            return Due(due.changed, asked.removed)
        return due

    def _send(
        self, topic: Topic, said: Due, response: Response, *, is_part: bool = False
    ) -> Response:
        assert self._snapshot is not None
        version, nonce = self._snapshot.version, response.nonce
        topic.sent(InFlight(nonce, version, topic.wanted, said, self._now, is_part))
        return response

    def _let_warm(self, clusters: Topic, names: Iterable[str]) -> None:
        """Envoy warms a changed cluster until it is told the endpoints, be they the same, and does
        not ask for names that it has asked for before."""
        for endpoints in self._around():
            if endpoints.type_url != ENDPOINTS or not endpoints.interest.names:
                continue
            for name in names:
                needs = clusters.wanted[name].needs
                for needed in (name, *(needed for url, needed in needs if url == ENDPOINTS)):
                    if needed in endpoints.interest.names:  # its own name is the usual one
                        endpoints.owe(needed)

    def _is_refused_what_it_refers_to(self, snapshot: Snapshot) -> bool:
        return any(
            name in snapshot.of(topic.type_url)  # nothing refers to what is gone
            for topic in self._around()
            if topic.type_url in KEPT_WHILE_REMOVING
            for name in topic.standing_errors(snapshot.of(topic.type_url))
        )

    def _is_unneeded(self, topic: Topic) -> bool:
        """Whether nothing that the client holds can refer to what is gone of the type."""
        if self._may_ask_for_more():
            return False
        referring = REFERRING if topic.type_url == CLUSTER else REFERRING | {CLUSTER}
        return all(
            each.is_settled() and not each.refused
            for each in self._around()
            if each.type_url in referring
        )

    def _may_ask_for_more(self) -> bool:
        """Whether it is too early to know what a client holds that has come back."""
        if self._snapshot is None or self._settles_in_at is None:
            return True
        return self._now < self._settles_in_at and not self._has_asked_for_all(self._snapshot)

    def _has_asked_for_all(self, snapshot: Snapshot, elsewhere: Set[str] = frozenset()) -> bool:
        """Whether it has asked for all types that it can be expected to, here or elsewhere."""
        topics = {topic.type_url: topic for topic in self._around()}
        expected: set[str] = set()
        for topic in topics.values():
            if not topic.wanted.needed_types <= topics.keys():
                expected |= topic.needed_types()
        if any(topic.interest.is_wildcard for topic in topics.values()):
            expected.update(ROOTS)
        return all(url in topics or not snapshot.of(url) for url in expected - elsewhere)

    def _around(self) -> Iterator[Topic]:
        """All that the client is told of here, and on the streams that this one waits for."""
        yield from self._topics.values()
        for fellow in () if self._is_aggregated else self._fellows:
            if fellow is not self:
                yield from fellow._topics.values()

    def _in_order(self) -> list[Topic]:
        return sorted(self._topics.values(), key=_rank)

    def _ends_of_patience(self) -> list[float]:
        ends = [
            flight.sent_at + ACK_SECONDS
            for topic in self._around()
            for flight in topic.in_flight.values()
            if topic.type_url in IN_TURN or flight.is_part
        ]
        if self._settles_in_at is not None:
            ends.append(self._settles_in_at)
        return [end for end in ends if end > self._now]

    def _next_nonce(self) -> str:
        self._last_nonce += 1
        return str(self._last_nonce)


def resources_of(topic: Topic, names: Iterable[str]) -> tuple[Resource, ...]:
    """Resources that the client is to have, by name."""
    return tuple(topic.wanted[name] for name in names)


def _rank(topic: Topic) -> tuple[int, str]:
    url = topic.type_url
    return (TYPES.index(url) if url in TYPES else len(TYPES), url)
