"""A text that comes in pieces, gathered for a guard that asks a service: about a part at a time,
from one end of a sentence to another. A part is held back until there is an opinion.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from extproc.facts import Facts
from extproc.policies.inquiry import Asked, Remote
from extproc.policies.remote.texts import about
from extproc.policies.remote.words import Opinion, Question, Rewritten, Said
from extproc.policies.steps import Step
from extproc.verdict import Deny
from gateway.model import Phase, TextScope

_SENTENCE_ENDS = re.compile(r"(?:[.!?]['\")\]]*\s|[。！？\n])\s*$")
_PATIENCE = 2
"""How many windows are gathered where no sentence ends."""


class Blocked(Exception):
    """A guard does not let the text go on."""

    def __init__(self, deny: Deny) -> None:
        super().__init__(deny.reason)
        self.deny = deny


class Piece(NamedTuple):
    """A part of a text, and what it is a part of there."""

    owner: int
    text: str


class Part:
    """What is asked about at once."""

    __slots__ = ("asked", "is_answered", "pieces")

    def __init__(self, asked: Asked | None, pieces: Sequence[Piece]) -> None:
        self.asked = asked
        """None: there is nothing to read."""
        self.pieces = pieces
        self.is_answered = asked is None


_END = Part(None, ())


class Gathered:
    """A text in pieces, as one guard that asks a service lets it go."""

    __slots__ = ("_facts", "_held", "_is_json", "_on_find", "_parts", "_remote", "_scope", "_step")

    def __init__(
        self,
        step: Step,
        remote: Remote,
        facts: Facts,
        scope: TextScope,
        on_find: Callable[[Step], None],
        *,
        is_json: bool,
    ) -> None:
        """`is_json`: the text spells JSON, in which nothing can be replaced."""
        self._step = step
        self._remote = remote
        self._facts = facts
        self._scope = scope
        self._on_find = on_find
        self._is_json = is_json
        self._held: list[Piece] = []
        self._parts: deque[Part] = deque()
        """In order: those that are asked about, and where the text ended."""

    def feed(self, piece: Piece) -> None:
        """The next of it."""
        self._held.append(piece)

    def end(self) -> None:
        """Nothing more of it comes, for now."""
        self._cut(len(self._held))
        self._parts.append(_END)

    def ripe(self) -> None:
        """Takes what is enough to be asked about."""
        size = sum(len(piece.text) for piece in self._held)
        if size < self._step.window:
            return
        count = _sentences(self._held)
        if not count and size >= _PATIENCE * self._step.window:
            count = len(self._held)
        self._cut(count)

    def unasked(self) -> list[Part]:
        """Those that are to be asked about; they are told once."""
        return [part for part in self._parts if not part.is_answered]

    def heed(self, part: Part, opinion: Opinion) -> None:
        """Raises `Blocked`."""
        part.is_answered = True
        deny = self._remote.denial(opinion, can_rewrite=not self._is_json)
        if self._step.is_audited:
            if deny is not None or isinstance(opinion, Rewritten):
                self._on_find(self._step)
        elif deny is not None:
            raise Blocked(deny)
        elif isinstance(opinion, Rewritten) and 0 in opinion.texts:
            self._on_find(self._step)
            first, *others = part.pieces
            part.pieces = [
                Piece(first.owner, opinion.texts[0]),
                *(Piece(each.owner, "") for each in others),
            ]

    def gone(self) -> tuple[list[Piece], bool]:
        """What may go on now, up to where the text ended, and whether it did there."""
        pieces: list[Piece] = []
        while self._parts and self._parts[0].is_answered:
            part = self._parts.popleft()
            if part is _END:
                return pieces, True
            pieces += part.pieces
        return pieces, False

    def _cut(self, count: int) -> None:
        if not count:
            return
        pieces, self._held = self._held[:count], self._held[count:]
        text = "".join(piece.text for piece in pieces)
        asked = None
        if text and not text.isspace():
            of = about(self._facts, self._remote.name, Phase.RESPONSE, is_part=True)
            asked = Asked(self._remote, Question(of, (Said(self._scope, text),)))
        self._parts.append(Part(asked, pieces))


def _sentences(pieces: Sequence[Piece]) -> int:
    """How many of the pieces end with a sentence."""
    for count in range(len(pieces), 0, -1):
        if _SENTENCE_ENDS.search(pieces[count - 1].text):
            return count
    return 0
