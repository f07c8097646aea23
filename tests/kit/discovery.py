"""The language of the transcripts of xDS streams, in both variants.

publish VERSION [TYPE NAME=VERSION[>TYPE:NAME][~TTL]...]...   the snapshot from now on;
                                                    `>`: refers to, `~`: lives for so long
ask TYPE [NAME...] [-NAME...] [held:NAME=VERSION...]   a delta request that answers nothing
ask TYPE [NAME...] [version:VERSION] [nonce:NONCE]  a state request; its nonce is that of the
                                                    last response, unless it says another
ack TYPE NONCE [NAME...] [-NAME...]                 and `nack`, whose reason is `bad`; a state
                                                    request names what it named before
after SECONDS                                       time passes
state                                               what people see
reconnect                                           a new stream over the same snapshot
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    RUNTIME,
    SECRET,
    Named,
    Resource,
    Snapshot,
)
from xds_server.subscription.delta import DeltaStream
from xds_server.subscription.state import StateStream
from xds_server.subscription.stream import Stream
from xds_server.subscription.words import (
    DeltaRequest,
    DeltaResponse,
    Request,
    Response,
    StateRequest,
    StateResponse,
)

URLS = {
    "cluster": CLUSTER,
    "endpoints": ENDPOINTS,
    "secret": SECRET,
    "listener": LISTENER,
    "filter": FILTER,
    "routes": ROUTES,
    "runtime": RUNTIME,
}
SHORT = {type_url: short for short, type_url in URLS.items()}


def snapshot_said(words: Iterable[str]) -> Snapshot:
    """The words after `publish`."""
    version, *rest = words
    resources: dict[str, dict[str, Resource]] = {type_url: {} for type_url in URLS.values()}
    type_url = ""
    for word in rest:
        if "=" in word:
            resource = _resource(type_url, word)
            resources[type_url][resource.name] = resource
        else:
            type_url = URLS[word]
    return Snapshot(version, {url: Named(named) for url, named in resources.items()})


def _resource(type_url: str, word: str) -> Resource:
    word, _, ttl = word.partition("~")
    word, *needs = word.split(">")
    name, _, version = word.partition("=")
    pairs = [need.split(":") for need in needs]
    return Resource(
        name,
        type_url,
        version,
        b"",
        tuple((URLS[short], needed) for short, needed in pairs),
        float(ttl) if ttl else None,
    )


class Conversation:
    """What is said to a stream, and what it says. The clock is turned by hand."""

    def __init__(self, stream: Stream) -> None:
        self.snapshot: Snapshot | None = None
        self.stream = stream
        self.now = 1000.0

    def say(self, line: str) -> list[str]:
        verb, *words = line.split()
        match verb:
            case "publish":
                self.snapshot = snapshot_said(words)
                self.stream.publish(self.snapshot)
            case "reconnect":
                self.stream = type(self.stream)(self.snapshot)
                self.forget()
            case "after":
                self.now += float(words[0])
            case "state":
                return list(self._state())
            case _:
                self.stream.receive(self.request(verb, words))
        responses = self.stream.responses(self.now)
        for response in responses:
            self.hear(response)
        return [line_of(response) for response in responses]

    def request(self, verb: str, words: list[str]) -> Request:
        return delta_request(verb, words)

    def hear(self, response: Response) -> None:
        """A client that speaks delta needs no memory here."""

    def forget(self) -> None:
        """A new stream."""

    def _state(self) -> Iterator[str]:
        for state in self.stream.states():
            said = "current" if state.is_current else "not current"
            acked = f"acked {state.acked_version or 'nothing'}"
            rejected = f", rejected: {state.rejection}" if state.rejection else ""
            yield f"{SHORT[state.type_url]}: {said}, {acked}{rejected}"
        for each in self.stream.rejections(self.snapshot) if self.snapshot else ():
            yield f"published but rejected: {SHORT[each.type_url]} {each.name}: {each.error}"
        yield "all current" if self.stream.is_current() else "not all current"


class DeltaConversation(Conversation):
    """In differences."""

    def __init__(self, stream: DeltaStream | None = None) -> None:
        super().__init__(DeltaStream(None) if stream is None else stream)


class StateConversation(Conversation):
    """In states of the world: the client repeats its names and its last nonce, as clients do."""

    def __init__(self) -> None:
        super().__init__(StateStream(None))
        self.forget()

    def forget(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        self._heard: dict[str, StateResponse] = {}
        self._accepted: dict[str, str] = {}

    def hear(self, response: Response) -> None:
        assert isinstance(response, StateResponse)
        self._heard[response.type_url] = response

    def request(self, verb: str, words: list[str]) -> StateRequest:
        type_url, rest = URLS[words[0]], words[1:]
        said = dict(word.split(":", 1) for word in rest if word.startswith(("version:", "nonce:")))
        names = tuple(word for word in rest if not word.startswith(("version:", "nonce:")))
        last = self._heard.get(type_url)
        if verb == "ask":
            self._names[type_url] = tuple("" if name == "nobody" else name for name in names)
            nonce = said.get("nonce", last.nonce if last else "")
        else:
            nonce = names[0]
        if verb == "ack" and last is not None and last.nonce == nonce:
            self._accepted[type_url] = last.version
        return StateRequest(
            type_url,
            self._names.get(type_url, ()),
            said.get("version", self._accepted.get(type_url, "")),
            nonce,
            "bad" if verb == "nack" else None,
        )


def delta_request(verb: str, words: list[str]) -> DeltaRequest:
    kind, *rest = words
    nonce = rest.pop(0) if verb in ("ack", "nack") else ""
    held = [word.removeprefix("held:").split("=") for word in rest if word.startswith("held:")]
    names = [word for word in rest if not word.startswith("held:")]
    return DeltaRequest(
        type_url=URLS[kind],
        subscribe=tuple(name for name in names if not name.startswith("-")),
        unsubscribe=tuple(name[1:] for name in names if name.startswith("-")),
        initial_versions=dict(held),
        nonce=nonce,
        error="bad" if verb == "nack" else None,
    )


def line_of(response: Response) -> str:
    """`cluster #7 v2: a=1 -b ~c ?d`: changed, removed, still alive, no such name."""
    said = [f"{resource.name}={resource.version}" for resource in response.resources]
    if isinstance(response, DeltaResponse):
        said += [f"-{name}" for name in response.removed]
        said += [f"~{resource.name}" for resource in response.heartbeats]
        said += [f"?{name}" for name in response.unresolved]
    words = " ".join(said) or "nothing"
    return f"{SHORT[response.type_url]} #{response.nonce} {response.version}: {words}"
