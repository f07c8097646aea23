"""Guards over a text that comes in pieces: what has passed them is let go, the rest is held back.

A piece is let go when nothing that begins in it can still become part of something that is found:
a guard looks `window` characters ahead, and as long as what it has found goes on. What clients get
in the end is what they would get if the whole text had been looked at once, for all that can be
told by its first `window` characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from extproc.policies.finding import Finder, Found, merged
from extproc.policies.gathering import Blocked, Gathered, Part, Piece
from extproc.policies.remote.words import Opinion
from extproc.policies.steps import Step

LONGEST_HELD = 16384
"""Characters, of one text. What goes on for longer cannot be masked."""
_LAST_ESCAPE = re.compile(r"(\\+)(?:u[0-9a-fA-F]{0,3})?$")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_NUMBER = frozenset("0123456789.eE+-")
_SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Held:
    """A text in pieces, as one guard lets it go."""

    __slots__ = (
        "_begin",
        "_border",
        "_finder",
        "_json",
        "_on_find",
        "_pieces",
        "_step",
        "_text",
        "_window",
    )

    def __init__(
        self,
        step: Step,
        window: int,
        on_find: Callable[[Step], None],
        *,
        is_json: bool = False,
    ) -> None:
        """`is_json`: the text spells JSON, and still must when it is masked."""
        assert step.finder is not None, step.name
        self._step = step
        self._finder: Finder = _Unescaped(step.finder) if is_json else step.finder
        self._json = _Json() if is_json else None
        self._window = window
        self._on_find = on_find
        self._text = ""
        """What is held, behind as much of what was let go as is context."""
        self._begin = 0
        """Where what is held begins."""
        self._pieces: list[Piece] = []
        self._border = 0
        """Where it was taken for ended, as far as that is context."""

    @property
    def size(self) -> int:
        """How many characters are held."""
        return len(self._text) - self._begin

    def feed(self, piece: Piece) -> list[Piece]:
        """The pieces that may go."""
        self._pieces.append(piece)
        self._text += piece.text
        # nothing before it is decided by what follows it: a `\b` looks at one character more
        limit = len(self._text) - self._window - 1
        if limit < self._begin:
            return [] if self.size else self._let_go(len(self._pieces), [])
        self._look_back(limit)
        found = merged(
            each for each in self._finder.spans(self._text, self._begin) if each.start <= limit
        )
        if self._is_refused(found):
            raise Blocked(self._step.deny)
        count = self._cut(limit + 1, found)
        if not count and self.size > LONGEST_HELD:
            if not self._step.is_audited:
                raise Blocked(self._step.deny)
            count = len(self._pieces)
        return self._let_go(count, found)

    def end(self) -> list[Piece]:
        """All that is left. More may follow, if something else has come between."""
        if not self._pieces:
            return []
        self._look_back(len(self._text))
        self._border = len(self._text)
        found = merged(self._finder.spans(self._text, self._begin))
        if self._is_refused(found):
            raise Blocked(self._step.deny)
        return self._let_go(len(self._pieces), found)

    def _look_back(self, limit: int) -> None:
        """Where it was taken for ended and goes on, what lies across cannot be masked any more."""
        border = self._border
        if border and not self._step.is_audited:
            for each in self._finder.spans(self._text):
                if each.start < border < each.end and each.start <= limit:
                    raise Blocked(self._step.deny)

    def _is_refused(self, found: Sequence[Found]) -> bool:
        """Whether what was found may not go, not even masked."""
        if found and self._step.is_audited:
            self._on_find(self._step)
            return False
        return bool(found) and self._step.rewrite is None

    def _cut(self, limit: int, found: Sequence[Found]) -> int:
        """How many pieces end before the limit, and in the midst of nothing."""
        place, count = self._begin, 0
        cut = 0
        spans = iter(found)
        span = next(spans, None)
        for piece in self._pieces:
            place += len(piece.text)
            count += 1
            if place > limit:
                break
            while span is not None and span.end <= place:
                span = next(spans, None)
            if span is not None and span.start < place:
                continue
            if self._json is not None and _is_within_escape(self._text[self._begin : place]):
                continue
            cut = count
        return cut

    def _let_go(self, count: int, found: Sequence[Found]) -> list[Piece]:
        if not count:
            return []
        going, self._pieces = self._pieces[:count], self._pieces[count:]
        end = self._begin + sum(len(piece.text) for piece in going)
        rewrite = self._step.rewrite
        if rewrite is not None and not self._step.is_audited:
            masked = [
                _Masked(each, self._said(rewrite(each, self._text[each.start : each.end]), each))
                for each in found
                if each.start < end
            ]
            if masked:
                self._on_find(self._step)
                going = list(_rewritten(going, self._text, self._begin, masked))
        if self._json is not None:
            self._json.feed(self._text[self._begin : end])
        kept = max(0, end - self._window)
        self._text, self._begin = self._text[kept:], end - kept
        self._border = max(0, self._border - kept)
        return going

    def _said(self, replacement: str, found: Found) -> str:
        """The replacement, as it is spelled there."""
        if self._json is None:
            return replacement
        said = self._json.said(self._text, self._begin, found, replacement)
        if said is None:
            raise Blocked(self._step.deny)
        return said


def _is_within_escape(text: str) -> bool:
    last = _LAST_ESCAPE.search(text)
    return last is not None and len(last[1]) % 2 == 1


class Stage(NamedTuple):
    """One guard."""

    held: Held | Gathered
    is_audited: bool
    """It decides nothing: the text goes on, and it looks."""


class Channel:
    """One text of an answer, past all guards that read it, in their order."""

    __slots__ = ("_stages",)

    def __init__(self, stages: Iterable[Stage]) -> None:
        self._stages = list(stages)

    @classmethod
    def of(
        cls, steps: Iterable[Step], on_find: Callable[[Step], None], *, is_json: bool = False
    ) -> Channel:
        """Past guards that ask nobody."""
        return cls(
            Stage(Held(step, step.window, on_find, is_json=is_json), step.is_audited)
            for step in steps
        )

    def feed(self, piece: Piece) -> Sequence[Piece]:
        """The pieces that may go now. Raises `Blocked`."""
        held, is_audited = self._stages[0]
        if is_audited or not isinstance(held, Held):
            return self._pass((piece,), 0)
        gone = held.feed(piece)
        return self._pass(gone, 1) if gone and len(self._stages) > 1 else gone

    def end(self) -> Sequence[Piece]:
        """The rest of them, but for what services have to be asked about."""
        return self._end([], 0)

    def unasked(self) -> list[tuple[int, Part]]:
        """What services are to be asked about, and by which stage."""
        found: list[tuple[int, Part]] = []
        for place, (held, _) in enumerate(self._stages):
            if isinstance(held, Gathered):
                held.ripe()
                found += ((place, part) for part in held.unasked())
        return found

    def heed(self, place: int, part: Part, opinion: Opinion) -> Sequence[Piece]:
        """The pieces that may go now, since there is an opinion. Raises `Blocked`."""
        held, is_audited = self._stages[place]
        if not isinstance(held, Gathered):
            return ()
        held.heed(part, opinion)
        gone: list[Piece] = []
        is_end = True
        while is_end:
            pieces, is_end = held.gone()
            if not is_audited:
                step = self._end if is_end else self._pass
                gone += step(pieces, place + 1)
        return gone

    def _pass(self, pieces: Sequence[Piece], first: int) -> Sequence[Piece]:
        """Past the guards from there on."""
        for held, is_audited in self._stages[first:]:
            gone = _fed(held, pieces)
            if not is_audited:
                pieces = gone
        return pieces

    def _end(self, pieces: Sequence[Piece], first: int) -> Sequence[Piece]:
        for place, (held, is_audited) in enumerate(self._stages[first:], first):
            gone, is_end = _fed(held, pieces), True
            if isinstance(held, Held):
                gone += held.end()
            else:
                held.end()
                gone, is_end = held.gone()
            if is_audited:
                continue
            if not is_end:  # it goes on when there is an opinion
                return self._pass(gone, place + 1)
            pieces = gone
        return pieces


def _fed(held: Held | Gathered, pieces: Iterable[Piece]) -> list[Piece]:
    if isinstance(held, Held):
        return [gone for each in pieces for gone in held.feed(each)]
    for each in pieces:
        held.feed(each)
    return []


class _Masked(NamedTuple):
    found: Found
    said: str


def _rewritten(
    pieces: Iterable[Piece], text: str, begin: int, masked: Sequence[_Masked]
) -> Iterable[Piece]:
    """What is masked is said in the piece in which it begins."""
    place, index = begin, 0
    for piece in pieces:
        end = place + len(piece.text)
        new: list[str] = []
        done = place
        while index < len(masked) and masked[index].found.start < end:
            found, said = masked[index]
            new.append(text[done : max(done, found.start)])
            if found.start >= place:
                new.append(said)
            done = min(found.end, end)
            if found.end > end:
                break
            index += 1
        new.append(text[done:end])
        yield Piece(piece.owner, "".join(new))
        place = end


class _Unescaped:
    """Finds in JSON what stands there as it is spelled, and what it says."""

    __slots__ = ("_finder",)

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def is_in(self, texts: Sequence[str]) -> bool:
        return any(any(self.spans(text)) for text in texts)

    def spans(self, text: str, start: int = 0) -> Iterable[Found]:
        yield from self._finder.spans(text, start)
        if "\\" not in text:
            return
        said, places = _unescaped(text)
        first = next(index for index, place in enumerate(places) if place >= start)
        for found in self._finder.spans(said, first):
            yield Found(places[found.start], places[found.end], found.kind)


def _unescaped(text: str) -> tuple[str, list[int]]:
    """What the escapes in a text say, and where each character of that stands in it."""
    said: list[str] = []
    places: list[int] = []
    done = 0
    for match in _ESCAPE.finditer(text):
        said.append(text[done : match.start()])
        places += range(done, match.start())
        code, short = match[1], match[2]
        character = chr(int(code, 16)) if code else _SHORT_ESCAPES.get(short, short)
        if "\ud800" <= character <= "\udfff":
            character = "\ufffd"  # half of one beyond the first plane
        said.append(character)
        places.append(match.start())
        done = match.end()
    said.append(text[done:])
    places += range(done, len(text) + 1)
    return "".join(said), places


class _Json:
    """Where in JSON a text is that comes in pieces."""

    __slots__ = ("_is_inside",)

    def __init__(self) -> None:
        self._is_inside = False
        """In a string."""

    def feed(self, text: str) -> None:
        """The next of it, not cut within an escape."""
        self._is_inside = self._after(text)

    def _after(self, text: str) -> bool:
        quotes = text.count('"') if "\\" not in text else _ESCAPE.sub("", text).count('"')
        return self._is_inside if quotes % 2 == 0 else not self._is_inside

    def said(self, text: str, begin: int, found: Found, replacement: str) -> str | None:
        """What stands there instead, so that it is still JSON; None: nothing can."""
        is_inside = self._after(text[begin : found.start])
        within = text[found.start : found.end]
        if '"' in (_ESCAPE.sub("", within) if "\\" in within else within):
            return None
        spelled = json.dumps(replacement, ensure_ascii=False)
        if is_inside:
            return spelled[1:-1]
        around = text[found.start - 1 : found.start] + text[found.end : found.end + 1]
        is_number = set(within) <= _NUMBER and not set(around) & _NUMBER
        return spelled if is_number else None
