"""The texts of a body as remote guards are asked about them, and put back as they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from extproc.facts import Facts
from extproc.policies.remote.words import About, Question, Said
from gateway.guards import Phase, TextScope


class Reader:
    """Changes nothing, and keeps every text with where it stands, each part of a message apart."""

    def __init__(self) -> None:
        self.texts: list[Said] = []
        self._scope = TextScope.USER

    def at(self, scope: TextScope) -> None:
        """Where the texts stand that follow."""
        self._scope = scope

    def text(self, text: str) -> str:
        """A text that could be changed."""
        self.texts.append(Said(self._scope, text))
        return text

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """Each piece is a text of its own."""
        return pieces

    def fixed(self, text: str) -> None:
        """A text that cannot be changed."""
        self.text(text)


class Writer:
    """Puts other texts where a `Reader` has read, by place."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        self._texts = texts
        self._place = 0
        self.is_complete = True
        """False when something was to be changed that cannot be."""

    def at(self, scope: TextScope) -> None:
        """Places are counted over all."""

    def text(self, text: str) -> str:
        """The new text."""
        place = self._place
        self._place += 1
        return self._texts.get(place, text)

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """As they were read."""
        return pieces

    def fixed(self, text: str) -> None:
        """It stays."""
        if self.text(text) != text:
            self.is_complete = False


@dataclass(frozen=True, slots=True)
class Asking:
    """What one guard is asked of what a reader has read."""

    question: Question
    places: tuple[int, ...]
    """Of each text of the question, among all."""

    def placed(self, texts: Mapping[int, str]) -> dict[int, str]:
        """Of the question → of all."""
        return {self.places[place]: text for place, text in texts.items()}


def asking(
    said: Sequence[Said], about: About, scopes: frozenset[TextScope] | None
) -> Asking | None:
    """What a guard is asked that reads these scopes; None: there is nothing to read."""
    places = tuple(
        place
        for place, each in enumerate(said)
        if (scopes is None or each.scope in scopes) and each.text and not each.text.isspace()
    )
    if not places:
        return None
    return Asking(Question(about, tuple(said[place] for place in places)), places)


def about(facts: Facts, guard: str, phase: Phase, *, is_part: bool = False) -> About:
    """Whose texts they are."""
    principal = facts.principal
    return About(
        guard,
        phase,
        facts.headers.get("x-request-id", ""),
        facts.model,
        facts.provider,
        "" if principal is None else principal.key,
        "" if principal is None else principal.user,
        "" if principal is None else principal.team,
        is_part,
    )
