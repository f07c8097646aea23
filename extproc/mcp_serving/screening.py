"""Lists and instructions of MCP servers as clients may see them: of several servers, list by list;
of one alone, in the message in which it says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from extproc.facts import Facts
from extproc.inquiring import Inquirer
from extproc.mcp.lists import ListKind, Page
from extproc.mcp.merging import Hello
from extproc.mcp_serving.definitions import (
    INSTRUCTIONS,
    KINDS,
    Definitions,
    Entry,
    Said,
    is_unknown,
)
from extproc.policies.inquiry import Inquiry
from extproc.protocols import json_spans
from extproc.protocols.json_spans import Path
from extproc.verdict import Deny

_RESULT = "result"


class Screening:
    """The `Screen` of one caller."""

    __slots__ = ("_definitions", "_facts_of", "_inquirer")

    def __init__(
        self, definitions: Definitions, inquirer: Inquirer, facts_of: Callable[[str], Facts]
    ) -> None:
        """`facts_of`: what is known of the request, by the server that it is for."""
        self._definitions = definitions
        self._inquirer = inquirer
        self._facts_of = facts_of

    async def pages(self, kind: ListKind, pages: Mapping[str, Page]) -> Mapping[str, Page | str]:
        """What is left of the lists, by server; text: why that cannot be said."""
        shown: dict[str, Page | str] = dict(pages)
        for server, page in pages.items() if kind in KINDS else ():
            facts = self._facts_of(server)
            if not self._definitions.are_read(facts):
                continue
            found = self._definitions.page(facts, page)
            if isinstance(found, Inquiry):
                found = await self._inquirer.settled(found)
            shown[server] = found.reason if isinstance(found, Deny) else found
        return shown

    async def hellos(self, hellos: Mapping[str, Hello]) -> dict[str, Hello]:
        """What servers say of themselves; instructions that are blocked are none."""
        shown = dict(hellos)
        for server, hello in hellos.items():
            facts = self._facts_of(server)
            if not hello.instructions or not self._definitions.are_read(facts):
                continue
            found = self._definitions.judged(facts, [Entry.of_instructions(hello.instructions)])
            if isinstance(found, Inquiry):
                found = await self._inquirer.settled(found)
            said = _instructions(found[0])
            shown[server] = replace(hello, instructions=said)
        return shown


def screened(
    definitions: Definitions, facts: Facts, text: bytes, document: Mapping[str, object]
) -> bytes | Deny | Inquiry[bytes | Deny]:
    """A message of a server with what may be shown of the lists and instructions in it; a Deny:
    that cannot be said of lists now. Instructions of which it cannot be said are none."""
    result = document.get(_RESULT)
    if not isinstance(result, dict) or "method" in document:
        return text
    kinds = [each for each in KINDS if isinstance(result.get(each.member), list)]
    listed = {each: _entries(each, text, result[each.member]) for each in kinds}
    entries = [entry for each in listed.values() for entry in each]
    said = result.get(INSTRUCTIONS)
    if isinstance(said, str) and said:
        entries.append(Entry.of_instructions(said))
    if not entries and not kinds:
        return text

    def changed(judged: Sequence[Said]) -> bytes | Deny:
        of_lists = [one for entry, one in zip(entries, judged, strict=True) if entry.name]
        unknown = next(filter(is_unknown, of_lists), None)
        if isinstance(unknown, Deny):
            return unknown
        left = iter(zip(entries, judged, strict=True))
        changes: dict[Path, bytes] = {}
        for kind, of_kind in listed.items():
            pairs = [next(left) for _ in of_kind]
            is_whole = len(pairs) == len(result[kind.member])
            if not is_whole or any(one is not entry.text for entry, one in pairs):
                kept = [one for _, one in pairs if not isinstance(one, Deny)]
                changes[_RESULT, kind.member] = json_spans.array(kept)
        for entry, one in left:
            if one is not entry.text:
                changes[_RESULT, INSTRUCTIONS] = msgspec.json.encode(_instructions(one))
        return json_spans.replace_at(text, changes) if changes else text

    found = definitions.judged(facts, entries)
    return found.then(changed) if isinstance(found, Inquiry) else changed(found)


def _entries(kind: ListKind, text: bytes, listed: Sequence[object]) -> list[Entry]:
    """Those that have a name: no client takes others."""
    written = json_spans.items(json_spans.value_at(text, (_RESULT, kind.member)) or b"[]")
    return [
        Entry(entry[kind.key], each)
        for entry, each in zip(listed, written, strict=True)
        if isinstance(entry, dict) and isinstance(entry.get(kind.key), str) and entry[kind.key]
    ]


def _instructions(said: Said) -> str:
    """What is left of them."""
    if isinstance(said, Deny):
        return ""
    text = json_spans.decode(said)[INSTRUCTIONS]
    return text if isinstance(text, str) else ""
