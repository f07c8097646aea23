"""What MCP servers say before anything is asked of them, past the guards that read it: the entries
of their lists, each alone, and their instructions. Models read both, so an attack can stand there.

An entry that is blocked is left out of its list. It is judged once for as long as it stays as it
is. docs/mcp.md, "Definitions of tools".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct, structs
from msgspec.structs import replace

from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.mcp.kept import Kept
from extproc.mcp.lists import ListKind, Page
from extproc.mcp_serving.texts import DEFINED, INTRODUCED
from extproc.message_texts import rewords, texts_of
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.policies.lengths import Measure
from extproc.policies.remote.words import Opinion
from extproc.policies.steps import Step
from extproc.protocols import json_spans
from extproc.verdict import Amend, Deny, PolicyKind, Verdict
from gateway.guards import OF_DEFINITIONS, Guard, Phase, TextScope

logger = logging.getLogger(__name__)

INSTRUCTIONS: Final = "instructions"
KINDS: Final = (ListKind.TOOLS, ListKind.PROMPTS, ListKind.RESOURCES, ListKind.TEMPLATES)
"""Of lists whose entries are read."""
UNAVAILABLE: Final = 503
"""The status of what could not be judged now."""
_AT_ONCE: Final = 16
"""Entries that services are asked about at a time."""
_MOST_BYTES: Final = 16 << 20
"""Of entries whose verdicts are kept."""
_MOST_ENTRIES: Final = 131_072
"""In lists that are kept as they are shown."""
_PROSE: Final = frozenset({"title", "description", "$comment", INSTRUCTIONS})
"""Members that may be masked: by the others, clients call the tool."""
_REWORD_DEFINED = rewords(DEFINED, TextScope.TOOL_DEFINITION)
_REWORD_INTRODUCED = rewords(INTRODUCED, TextScope.INSTRUCTIONS)

Said: TypeAlias = bytes | Deny
"""What becomes of an entry, or of instructions."""
_Key: TypeAlias = tuple[object, ...]


class Entry(Struct, frozen=True):
    """Something that a server says of itself."""

    name: str
    """As the server calls it; of instructions, empty."""
    text: bytes
    """JSON: an object, of instructions with these alone in it."""

    @classmethod
    def of_instructions(cls, text: str) -> Entry:
        """What a server says of its use."""
        return cls("", msgspec.json.encode({INSTRUCTIONS: text}))


class Definitions:
    """The guards of a gateway that read them."""

    __slots__ = ("_audits", "_guards", "_known", "_pages", "is_any")

    def __init__(self, guards: Sequence[Guard], audits: Audits | None, measure: Measure) -> None:
        read = [each for each in guards if each.terms.reads_any(OF_DEFINITIONS)]
        self._audits = audits or uncounted()
        self._guards = Guards(read, audits, Phase.RESPONSE, measure, is_whole=True)
        self.is_any = self._guards.is_any
        """Some guard has to be asked."""
        self._known: Kept[_Key, tuple[bytes, Said]] = Kept(_MOST_BYTES, _weight)
        """With what was judged."""
        self._pages: Kept[_Key, tuple[Page, Page]] = Kept(_MOST_ENTRIES, _entries)
        """Lists as they are, and what is left of them; the former, so that no other has its id."""

    def are_read(self, facts: Facts) -> bool:
        """Whether somebody reads what the server of `facts.mcp` says of itself."""
        return self.is_any and bool(self._guards.steps_for(facts))

    def page(self, facts: Facts, page: Page) -> Page | Deny | Inquiry[Page | Deny]:
        """A list without what is blocked; the same list gives the same object, also where nothing
        is. A Deny: that cannot be said now."""
        key = (*self._key(facts), id(page))
        known = self._pages.get(key)
        if known is not None:
            return known[1]
        found = self.judged(facts, [Entry(each.name, each.text) for each in page.entries])

        def screened(said: Sequence[Said]) -> Page | Deny:
            unknown = next(filter(is_unknown, said), None)
            if isinstance(unknown, Deny):
                return unknown
            pairs = list(zip(page.entries, said, strict=True))
            shown = tuple(
                listed if text is listed.text else replace(listed, text=text)
                for listed, text in pairs
                if not isinstance(text, Deny)
            )
            withheld = {each.name: deny for each, deny in pairs if isinstance(deny, Deny)}
            left = replace(page, entries=shown, withheld=withheld)
            self._pages.put(key, (page, left))
            return left

        return found.then(screened) if isinstance(found, Inquiry) else screened(found)

    def _key(self, facts: Facts) -> _Key:
        """By what verdicts differ: who judges, and, where services do, for whom."""
        steps = self._guards.steps_for(facts)
        places = tuple(map(self._guards.place_of, steps))
        if not any(step.remote is not None for step in steps):
            return places
        who = facts.principal
        return (*places, None if who is None else (who.key, who.user, who.team))

    def judged(
        self, facts: Facts, entries: Sequence[Entry]
    ) -> Sequence[Said] | Inquiry[Sequence[Said]]:
        """What becomes of each, in order. Where a service cannot be asked, nothing more is."""
        key = self._key(facts)
        said: dict[int, Said] = {}
        waiting: list[tuple[int, Inquiry[Said]]] = []
        for place, entry in enumerate(entries):
            found = self._judged(facts, entry, key)
            if isinstance(found, Inquiry):
                waiting.append((place, found))
            else:
                said[place] = found

        def in_order(of: Mapping[int, Said]) -> Sequence[Said]:
            unknown = next((each for each in of.values() if is_unknown(each)), b"")
            return [of.get(place, unknown) for place in range(len(entries))]

        settled = _settled(waiting, said)
        return settled.then(in_order) if isinstance(settled, Inquiry) else in_order(settled)

    def _judged(self, facts: Facts, entry: Entry, of: _Key) -> Said | Inquiry[Said]:
        key = (*of, entry.text)
        known = self._known.get(key)
        if known is not None:
            return known[1]

        def kept(said: Said) -> Said:
            if not is_unknown(said):
                self._known.put(key, (entry.text, said))
            if isinstance(said, Deny):
                self._tell(facts, entry, said)
            return said

        found = self._asked(facts, entry)
        return found.then(kept) if isinstance(found, Inquiry) else kept(found)

    def _asked(self, facts: Facts, entry: Entry) -> Said | Inquiry[Said]:
        document = json_spans.decode(entry.text)
        shape, reword = DEFINED, _REWORD_DEFINED
        if not entry.name:
            shape, reword = INTRODUCED, _REWORD_INTRODUCED
        texts = texts_of(document, shape)
        if isinstance(texts, Deny):
            return texts
        asked = structs.replace(facts, body=entry.text, texts=texts, reword=reword)
        acting: set[int] = set()
        found = self._guards.look(asked, acting)

        def judged(verdict: Verdict) -> Said:
            self._guards.tell(asked, acting)
            if isinstance(verdict, Deny):
                return verdict
            if not isinstance(verdict, Amend):
                return entry.text
            if not _is_prose_alone(document, json_spans.decode(verdict.body)):
                return self._masking(acting).deny
            return verdict.body

        return found.then(judged) if isinstance(found, Inquiry) else judged(found)

    def _masking(self, acting: set[int]) -> Step:
        """The first of these that changes what it reads."""
        steps = (self._guards.at(place) for place in sorted(acting))
        return next(step for step in steps if not step.is_audited)

    def _tell(self, facts: Facts, entry: Entry, deny: Deny) -> None:
        call = facts.mcp
        if call is None:
            return
        server, what = call.server, repr(entry.name) if entry.name else "its instructions"
        logger.warning("of the MCP server %s, %s is withheld: %s", server, what, deny.reason)
        known = structs.replace(facts, mcp=structs.replace(call, tool=entry.name))
        self._audits.refused(known, deny, PolicyKind.GUARD)


def is_unknown(said: Said) -> bool:
    """It could not be judged now."""
    return isinstance(said, Deny) and said.status == UNAVAILABLE


def _settled(
    waiting: Sequence[tuple[int, Inquiry[Said]]], said: dict[int, Said]
) -> Mapping[int, Said] | Inquiry[Mapping[int, Said]]:
    """All of them by place, asked some at a time."""
    if not waiting or any(map(is_unknown, said.values())):
        return said
    now, later = waiting[:_AT_ONCE], waiting[_AT_ONCE:]

    def answered(opinions: Sequence[Opinion]) -> Mapping[int, Said] | Inquiry[Mapping[int, Said]]:
        left: list[tuple[int, Inquiry[Said]]] = []
        start = 0
        for place, inquiry in now:
            end = start + len(inquiry.asked)
            found = inquiry.answered(opinions[start:end])
            start = end
            if isinstance(found, Inquiry):
                left.append((place, found))
            else:
                said[place] = found
        return _settled([*left, *later], said)

    return Inquiry(tuple(each for _, inquiry in now for each in inquiry.asked), answered)


def _is_prose_alone(before: object, after: object, name: str = "") -> bool:
    """Whether nothing has changed but what is there to be read."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_is_prose_alone(value, after.get(key), key) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=True)
        return all(_is_prose_alone(one, other) for one, other in pairs)
    return before == after or (name in _PROSE and type(before) is type(after) is str)


def _weight(known: tuple[bytes, Said]) -> int:
    text, said = known
    return 200 + len(text) + (0 if said is text or isinstance(said, Deny) else len(said))


def _entries(known: tuple[Page, Page]) -> int:
    return 1 + len(known[0].entries)
