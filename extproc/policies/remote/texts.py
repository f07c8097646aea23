"""The texts of a body as remote guards are asked about them, and put back as they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from extproc.facts import Facts
from extproc.policies.remote.words import About, Question, Said
from gateway.guards import Phase, TextScope


class Reader:
    """Changes nothing, and keeps every text with where it stands: the parts of a message each
    apart, and before them all together, as a model reads them."""

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
        """The pieces together; each follows as a text of its own."""
        if _is_several(pieces):
            self.texts.append(Said(self._scope, "".join(pieces)))
        return pieces

    def fixed(self, text: str) -> None:
        """A text that cannot be changed."""
        self.text(text)


class Writer:
    """Puts other texts where a `Reader` has read, by place."""

    def __init__(self, texts: Mapping[int, str], read: Sequence[Said]) -> None:
        """`read`: all that the reader has read of the same body."""
        self._texts = texts
        self._read = read
        self._place = 0
        self._is_sound = True

    @property
    def is_complete(self) -> bool:
        """False when something was to be changed that cannot be, or is not where it was read."""
        return self._is_sound and self._place == len(self._read)

    def at(self, scope: TextScope) -> None:
        """Places are counted over all."""

    def text(self, text: str) -> str:
        """The new text."""
        place = self._place
        self._place += 1
        old = self._read[place].text if place < len(self._read) else ""
        new = self._texts.get(place, old)
        if old == text:
            return new
        # it spells JSON, and what it says was replaced before it
        is_known = _spelled(old) is not None and _spelled(text) is not None
        if not is_known or (new != old and _spelled(new) != _spelled(text)):
            self._is_sound = False
        return text

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """What is changed in the whole has to be changed so in the pieces that follow."""
        if _is_several(pieces):
            whole = "".join(pieces)
            new, parts = self.text(whole), enumerate(pieces, self._place)
            if new not in (whole, "".join(self._texts.get(at, piece) for at, piece in parts)):
                self._is_sound = False
        return pieces

    def fixed(self, text: str) -> None:
        """It stays."""
        if self.text(text) != text:
            self._is_sound = False


def _spelled(text: str) -> object:
    """The object or array that a text spells in JSON; else None."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict | list) else None


def _is_several(pieces: Sequence[str]) -> bool:
    return sum(map(bool, pieces)) > 1


@dataclass(frozen=True, slots=True)
class Asking:
    """What one guard is asked of what a reader has read."""

    question: Question
    places: tuple[int, ...]
    """Of each text of the question, among all."""
    read: Sequence[Said]
    """All that was read."""

    def writer(self, texts: Mapping[int, str]) -> Writer:
        """Puts these texts, by place in the question, where they were read."""
        return Writer({self.places[place]: text for place, text in texts.items()}, self.read)


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
    return Asking(Question(about, tuple(said[place] for place in places)), places, said)


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
