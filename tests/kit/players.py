"""xDS clients, played: what they hold is what they were told and did not refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from envoy_api.discovery import Variant

from xds_server.snapshot import CLUSTER, LISTENER, Resource, Snapshot
from xds_server.subscription.delta import DeltaStream
from xds_server.subscription.state import StateStream
from xds_server.subscription.stream import Stream
from xds_server.subscription.words import (
    DeltaRequest,
    DeltaResponse,
    Response,
    StateRequest,
    StateResponse,
)


class Player(ABC):
    """A client on one stream at a time; it answers when it is told to."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        *,
        is_aggregated: bool = True,
        refuses: Callable[[Resource], bool] = lambda _: False,
    ) -> None:
        self.is_aggregated = is_aggregated
        self.refuses = refuses
        self.now = 100.0
        self.holds: dict[str, dict[str, Resource]] = {}
        self.unanswered: list[Response] = []
        self.wants: dict[str, set[str] | None] = {}
        """By type; None: everything."""
        self.stream = self.opened(snapshot)

    @abstractmethod
    def opened(self, snapshot: Snapshot | None) -> Stream:
        """A new stream."""

    @abstractmethod
    def ask(self, type_url: str, names: Iterable[str] | None) -> None:
        """From now on it wants these; None: everything."""

    @abstractmethod
    def reconnect(self, snapshot: Snapshot | None) -> None:
        """The stream is lost; what it holds and wants is not."""

    @abstractmethod
    def answer(self, response: Response) -> bool:
        """Take a response, or refuse it; whether it was taken."""

    def hear(self) -> list[Response]:
        """What the server says now."""
        responses = list(self.stream.responses(self.now))
        self.unanswered += responses
        return responses

    def listen(self) -> list[Response]:
        """What the server says until it is silent, when everything is answered."""
        heard = self.hear()
        while self.unanswered:
            self.answer(self.unanswered.pop(0))
            heard += self.hear()
        return heard

    def names(self, type_url: str) -> dict[str, str]:
        """What it holds: name → version."""
        return {name: each.version for name, each in self.holds.get(type_url, {}).items()}

    def forget_unwanted(self, type_url: str) -> None:
        """What is not wanted is not held."""
        for name in self.names(type_url):
            if not self.is_wanted(type_url, name):
                del self.holds[type_url][name]

    def is_wanted(self, type_url: str, name: str) -> bool:
        wanted = self.wants.get(type_url, set())
        return wanted is None or name in wanted


def said(wanted: set[str] | None) -> set[str]:
    """What is wanted, in the protocol's words."""
    return {"*"} if wanted is None else wanted


class DeltaPlayer(Player):
    """It speaks of differences."""

    def opened(self, snapshot: Snapshot | None) -> Stream:
        return DeltaStream(snapshot, is_aggregated=self.is_aggregated)

    def ask(self, type_url: str, names: Iterable[str] | None) -> None:
        is_first = type_url not in self.wants
        before = set() if is_first else said(self.wants[type_url])
        self.wants[type_url] = wanted = None if names is None else set(names)
        held = self.names(type_url) if is_first else {}
        self.forget_unwanted(type_url)
        subscribe, unsubscribe = said(wanted) - before, before - said(wanted)
        if is_first and not subscribe:
            unsubscribe = {"*"}  # no names at all would be the legacy wildcard
        self.stream.receive(
            DeltaRequest(type_url, tuple(sorted(subscribe)), tuple(sorted(unsubscribe)), held)
        )

    def reconnect(self, snapshot: Snapshot | None) -> None:
        self.stream, self.unanswered = self.opened(snapshot), []
        wants, self.wants = self.wants, {}
        for type_url, names in wants.items():
            self.ask(type_url, names)

    def answer(self, response: Response) -> bool:
        assert isinstance(response, DeltaResponse)
        is_taken = not any(map(self.refuses, response.resources))
        if is_taken:
            held = self.holds.setdefault(response.type_url, {})
            for each in response.resources:
                if self.is_wanted(response.type_url, each.name):
                    held[each.name] = each
            for name in response.removed:
                held.pop(name, None)
        error = None if is_taken else "cannot"
        self.stream.receive(DeltaRequest(response.type_url, nonce=response.nonce, error=error))
        return is_taken


class StatePlayer(Player):
    """It speaks of the state of the world."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        *,
        is_aggregated: bool = True,
        refuses: Callable[[Resource], bool] = lambda _: False,
    ) -> None:
        super().__init__(snapshot, is_aggregated=is_aggregated, refuses=refuses)
        self.versions: dict[str, str] = {}
        self.nonces: dict[str, str] = {}

    def opened(self, snapshot: Snapshot | None) -> Stream:
        return StateStream(snapshot, is_aggregated=self.is_aggregated)

    def ask(self, type_url: str, names: Iterable[str] | None) -> None:
        self.wants[type_url] = None if names is None else set(names)
        self.forget_unwanted(type_url)
        self._send(type_url)

    def reconnect(self, snapshot: Snapshot | None) -> None:
        self.stream, self.unanswered = self.opened(snapshot), []
        for type_url in self.wants:
            self._send(type_url)

    def answer(self, response: Response) -> bool:
        assert isinstance(response, StateResponse)
        type_url = response.type_url
        is_taken = not any(map(self.refuses, response.resources))
        if is_taken:
            told = {each.name: each for each in response.resources}
            told = {name: each for name, each in told.items() if self.is_wanted(type_url, name)}
            held = self.holds.get(type_url, {})
            self.holds[type_url] = told if type_url in (CLUSTER, LISTENER) else {**held, **told}
            self.versions[type_url] = response.version
        self.nonces[type_url] = response.nonce  # what is not yet answered has not been seen
        self._send(type_url, None if is_taken else "cannot")
        return is_taken

    def _send(self, type_url: str, error: str | None = None) -> None:
        names = tuple(sorted(said(self.wants[type_url]))) or ("",)
        version, nonce = self.versions.get(type_url, ""), self.nonces.get(type_url, "")
        self.stream.receive(StateRequest(type_url, names, version, nonce, error))


PLAYERS: dict[Variant, type[DeltaPlayer] | type[StatePlayer]] = {
    Variant.DELTA: DeltaPlayer,
    Variant.SOTW: StatePlayer,
}
