"""Whatever happens in whatever order: clients end with what they want, and nothing breaks between.

A world of three clusters, two route tables that need them, and endpoints; a client that wants all
clusters and some of the rest, and answers when it likes, if it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import pytest
from envoy_api.discovery import Variant
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.discovery import snapshot_said
from tests.kit.players import PLAYERS, DeltaPlayer, Player, StatePlayer
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    ROUTES,
    Resource,
    Snapshot,
)
from xds_server.subscription.delta import DeltaStream
from xds_server.subscription.words import ACK_SECONDS, DeltaResponse, Response

TYPES = (CLUSTER, ENDPOINTS, LISTENER, ROUTES)
WHOLE = (CLUSTER, LISTENER)
CLUSTERS = ("a", "b", "c")
TABLES = ("r", "s")
BAD = "bad"


class OneByOne(DeltaStream):
    """Every resource is a part of its own."""

    part_bytes = 0


class PlayerOneByOne(DeltaPlayer):
    def opened(self, snapshot: Snapshot | None) -> DeltaStream:
        return OneByOne(snapshot, is_aggregated=self.is_aggregated)


versions = st.sampled_from(["1", "2", "3", BAD])
good_versions = st.sampled_from(["1", "2", "3"])


@st.composite
def snapshots(draw: st.DrawFn, version: st.SearchStrategy[str] = versions) -> str:
    """What is published, in words. Every reference leads somewhere, as always."""
    clusters = sorted(draw(st.sets(st.sampled_from(CLUSTERS))))
    words = ["cluster", *(f"{name}={draw(version)}>endpoints:{name}" for name in clusters)]
    words += ["endpoints", *(f"{name}={draw(version)}" for name in clusters), "routes"]
    for table in sorted(draw(st.sets(st.sampled_from(TABLES)))):
        needed = sorted(draw(st.sets(st.sampled_from(clusters)))) if clusters else []
        needs = "".join(f">cluster:{name}" for name in needed)
        words.append(f"{table}={draw(version)}{''.join(needed)}{needs}")
    return " ".join(words)


def published(words: str) -> Snapshot:
    return snapshot_said([words, *words.split()])


def refuses(resource: Resource) -> bool:
    return resource.version.startswith(BAD)


steps = st.one_of(
    st.tuples(st.just("publish"), snapshots()),
    st.tuples(st.just("ask for endpoints"), st.sets(st.sampled_from(CLUSTERS))),
    st.tuples(st.just("ask for routes"), st.sets(st.sampled_from(TABLES))),
    st.tuples(st.just("answer"), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, ACK_SECONDS])),
    st.tuples(st.just("reconnect"), st.none()),
)


class Observer:
    """Sees what a client is told, and what must not be."""

    def __init__(self, kind: type[DeltaPlayer] | type[StatePlayer], first: str) -> None:
        self.variant = Variant.DELTA if issubclass(kind, DeltaPlayer) else Variant.SOTW
        self.snapshot = published(first)
        self.player: Player = kind(self.snapshot, refuses=refuses)
        self.asked: dict[str, set[str]] = {type_url: set() for type_url in TYPES}
        """What the client has asked for and not yet been told."""
        self.has_outwaited = False
        """A response has been waited for in vain, so that the order is no more."""
        self.has_returned = False
        self.refused: list[Response] = []
        """Refused on this stream; nothing of them has changed since."""
        self.uncertain: set[tuple[str, str]] = set()
        """Refused on this stream: the server cannot know what the client holds."""
        self.warming: set[tuple[str, str]] = set()
        """Endpoints of clusters that were told since: they are told again, be they the same."""
        self.early: set[tuple[str, str]] = set()
        """Tables, in the version that the client was told on asking, before it had the clusters."""
        self.gone: set[tuple[str, str]] = set()
        """Tables, in the version that the client holds, or is about to hear of, that have been
        gone since in states of the world, where nobody says so: the server had to count them as
        dropped."""
        for type_url, names in ((CLUSTER, None), (ENDPOINTS, ()), (LISTENER, None), (ROUTES, ())):
            self.player.ask(type_url, names)
        self.asked[CLUSTER] = {"*", *CLUSTERS}
        self.asked[LISTENER] = {"*"}
        self.hear()

    def take(self, step: tuple[str, object]) -> None:
        match step:
            case "publish", str() as words:
                self.snapshot = published(words)
                self.player.stream.publish(self.snapshot)
                self.refused = [each for each in self.refused if self.is_offered(each)]
                self.forget_what_is_gone()
            case "ask for endpoints", set() as names:
                self.ask(ENDPOINTS, names)
            case "ask for routes", set() as names:
                self.ask(ROUTES, names)
            case "answer", int() as number:
                for _ in range(min(number, len(self.player.unanswered))):
                    self.answer()
            case "wait", float() as seconds:
                self.player.now += seconds
                self.has_outwaited |= bool(self.player.unanswered)
            case "reconnect", None:
                self.reconnect()
        self.hear()

    def ask(self, type_url: str, names: set[str]) -> None:
        before = self.player.wants[type_url] or set()
        self.player.ask(type_url, names)
        self.asked[type_url] = (self.asked[type_url] | (names - before)) & names
        # who gives something up may have given up what was wrong
        self.refused = [each for each in self.refused if self.is_offered(each)]

    def reconnect(self) -> None:
        self.refused.clear()
        self.uncertain.clear()
        self.warming.clear()
        self.has_outwaited = False
        self.has_returned = True
        for type_url in TYPES:  # in states of the world nobody says what it holds
            held = self.player.names(type_url) if self.variant is Variant.DELTA else {}
            self.asked[type_url] = {"*", *CLUSTERS, *TABLES} - held.keys()
        self.player.reconnect(self.snapshot)

    def answer(self) -> None:
        response = self.player.unanswered.pop(0)
        if self.player.answer(response):
            self.check_all_is_there()
        else:
            self.uncertain.update((response.type_url, name) for name in names_of(response))
            if self.is_offered(response):
                self.refused.append(response)
        self.hear()

    def forget_what_is_gone(self) -> None:
        """In states of the world nobody says so; when it is back, it may have been dropped."""
        for type_url in (ENDPOINTS, ROUTES) if self.variant is Variant.SOTW else ():
            gone = {*CLUSTERS, *TABLES} - self.snapshot.of(type_url).keys()
            self.uncertain.update((type_url, name) for name in gone)
            told = [response.resources for response in self.player.unanswered]
            for each in (*self.player.holds.get(type_url, {}).values(), *chain(*told)):
                if each.type_url == ROUTES and each.name in gone:
                    self.gone.add((each.name, each.version))

    def is_offered(self, response: Response) -> bool:
        """Whether it could be sent again as it was."""
        type_url = response.type_url
        told = {each.name: each.version for each in response.resources}
        return all(
            self.snapshot.of(type_url).version_of(name) == told.get(name, "")
            and self.player.is_wanted(type_url, name)
            for name in names_of(response)
        )

    def hear(self) -> None:
        for response in self.player.hear():
            self.check(response)

    def check(self, response: Response) -> None:
        asked = self.asked[response.type_url]
        if self.variant is Variant.SOTW and response.type_url in WHOLE:
            self.check_some_is_news(response)
            asked.clear()
        else:
            for each in response.resources:
                if each.name not in asked and (each.type_url, each.name) not in self.warming:
                    self.check_is_news(each)
        self.warming -= {(response.type_url, each.name) for each in response.resources}
        self.warming.update(*(each.needs for each in response.resources))
        for each in response.resources if response.type_url == ROUTES else ():
            held = self.player.names(CLUSTER)
            has_clusters = all(needed in held for _, needed in each.needs)
            assert has_clusters or each.name in asked or self.has_outwaited, "before its cluster"
            (self.early.discard if has_clusters else self.early.add)((each.name, each.version))
            self.gone.discard((each.name, each.version))
        asked -= {"*", *names_of(response)}

    def check_some_is_news(self, response: Response) -> None:
        told = {each.name: each.version for each in response.resources}
        is_same = told == self.player.names(response.type_url)
        is_uncertain = any(type_url == response.type_url for type_url, _ in self.uncertain)
        assert not is_same or self.asked[response.type_url] or is_uncertain, "sent twice"
        assert not any(
            told == {each.name: each.version for each in refused.resources}
            for refused in self.refused
            if refused.type_url == response.type_url
        ), "sent though refused"

    def check_is_news(self, each: Resource) -> None:
        refused = {
            one.version
            for response in self.refused
            for one in response.resources
            if (one.type_url, one.name) == (each.type_url, each.name)
        }
        assert each.version not in refused, "sent though refused"
        is_held = self.player.names(each.type_url).get(each.name) == each.version
        assert not is_held or (each.type_url, each.name) in self.uncertain, "sent twice"

    def check_all_is_there(self) -> None:
        """The clusters that the client's routes need; unless the server cannot know of them."""
        if self.has_outwaited or (self.has_returned and self.variant is Variant.SOTW):
            return
        clusters = self.player.names(CLUSTER)
        for table in self.player.holds.get(ROUTES, {}).values():
            is_whole = all(needed in clusters for _, needed in table.needs)
            is_excused = (table.name, table.version) in self.early | self.gone
            assert is_whole or is_excused, "a cluster gone too early"

    def finish(self, last: str) -> None:
        """Everything is answered; nothing more is said."""
        self.take(("publish", last))
        for _ in range(50):
            while self.player.unanswered:
                self.answer()
            self.player.now += ACK_SECONDS  # for those that have come back
            self.hear()
            if not self.player.unanswered:
                break
        assert self.player.hear() == []
        assert self.player.stream.is_settled()


def names_of(response: Response) -> set[str]:
    """All that a response is about."""
    removed = response.removed if isinstance(response, DeltaResponse) else ()
    return {*(each.name for each in response.resources), *removed}


def expected(player: Player, snapshot: Snapshot, type_url: str) -> dict[str, str]:
    return {
        name: each.version
        for name, each in snapshot.of(type_url).items()
        if player.is_wanted(type_url, name)
    }


def existing(snapshot: Snapshot, type_url: str, names: dict[str, str]) -> dict[str, str]:
    return {name: version for name, version in names.items() if name in snapshot.of(type_url)}


@pytest.mark.parametrize("kind", [*PLAYERS.values(), PlayerOneByOne])
@settings(max_examples=200, deadline=None)
@given(first=snapshots(), steps=st.lists(steps, max_size=25), last=snapshots(version=good_versions))
def test_a_client_ends_with_what_it_wants_whatever_happens(
    kind: type[DeltaPlayer] | type[StatePlayer],
    first: str,
    steps: Iterable[tuple[str, object]],
    last: str,
) -> None:
    observer = Observer(kind, first)
    for step in steps:
        observer.take(step)
    observer.finish(last)
    for type_url in TYPES:
        held = observer.player.names(type_url)
        if observer.variant is Variant.SOTW and type_url in (ENDPOINTS, ROUTES):
            held = existing(
                observer.snapshot, type_url, held
            )  # there is no way to say that something is gone
        assert held == expected(observer.player, observer.snapshot, type_url)
