"""Where in the events of an agent's stream the pieces of longer texts are, in all forms.

An artifact comes in chunks (`append`, `lastChunk`; A2A 1.0 §3.1.2, §4.2.2): the texts of its parts
are one text, until something else comes. Messages, also those of statuses, are whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from extproc.llm.spots import Channel, Spot, Spots
from extproc.policies.gathering import Blocked
from extproc.verdict import By, Deny, PolicyKind
from gateway.a2a import Binding
from gateway.guards import TextScope

MOST_ARTIFACTS: Final = 10_000
"""Of one stream: what was said last of each is kept."""
_TOO_MANY: Final = Deny(
    502,
    "unreadable_answer",
    f"guards cannot read the answer: it has more than {MOST_ARTIFACTS} artifacts",
    by=By(PolicyKind.ANSWER),
)
_TEXT: Final = "text"
"""All are one speech: where another text goes on, the one before has ended."""


class StreamSpots:
    """Of one stream: `look` at each event once, in order; then it may be read again."""

    __slots__ = ("_begun", "_is_jsonrpc", "_speaking", "_turns")

    def __init__(self, binding: Binding) -> None:
        self._is_jsonrpc = binding is Binding.JSONRPC
        self._turns = 0
        """How many texts have begun."""
        self._begun: dict[object, int] = {}
        """By artifact, which of them is its own."""
        self._speaking: Channel = ()
        """The text that goes on."""

    def look(self, document: dict[str, Any]) -> None:
        """Sees what an event goes on with. Raises `Blocked`."""
        event = payload(document, is_jsonrpc=self._is_jsonrpc)
        update = artifact_update(event)
        if update is not None:
            name = repr(_object(update.get("artifact")).get("artifactId"))
            if name not in self._begun or update.get("append") is not True:
                self._begun[name] = self._turn()
                if self._turns > MOST_ARTIFACTS:
                    raise Blocked(_TOO_MANY)
            self._speaking = (_TEXT, self._begun[name])
        else:
            self._speaking = ()

    def read(self, document: dict[str, Any]) -> Spots:
        """The pieces in it; which text they go on with is as `look` has seen it last."""
        event = payload(document, is_jsonrpc=self._is_jsonrpc)
        update = artifact_update(event)
        if update is None:
            return Spots((), None)
        spots = tuple(_texts(_object(update.get("artifact")), self._speaking))
        return Spots(spots, None if update.get("lastChunk") is True else ())

    def _turn(self) -> int:
        self._turns += 1
        return self._turns


def payload(document: dict[str, Any], *, is_jsonrpc: bool) -> dict[str, Any]:
    """What an answer, or an event, says; empty: it is an error."""
    return _object(document.get("result")) if is_jsonrpc else document


def artifact_update(event: dict[str, Any]) -> dict[str, Any] | None:
    """None: the event is none."""
    if event.get("kind") == "artifact-update":
        return event
    update = event.get("artifactUpdate")
    return update if isinstance(update, dict) else None


def status_update(event: dict[str, Any]) -> dict[str, Any] | None:
    """The same of a status."""
    if event.get("kind") == "status-update":
        return event
    update = event.get("statusUpdate")
    return update if isinstance(update, dict) else None


def _texts(holder: dict[str, Any], channel: Channel) -> Iterator[Spot]:
    parts = holder.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield Spot(channel, part, "text", TextScope.ASSISTANT)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
