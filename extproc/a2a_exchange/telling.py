"""What clients are told of agents: the card of one, and the list of those that they may ask."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, TypeAlias

from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.registry import Misasked, read_query, tag_of
from extproc.a2a_serving.directory import Found, NoCard
from extproc.a2a_serving.listing import listing, seen_by
from extproc.a2a_serving.saying import Speech, without_card
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.shown import origin_of
from extproc.events import Action, Respond
from extproc.facts import Facts
from extproc.program import Program
from gateway.a2a import Binding, Revision

Answering: TypeAlias = Action | Awaitable[Action]

_JSON: Final = ("content-type", "application/json")
_KEPT: Final = ("cache-control", "public, max-age=300")
_ASKED_ABOUT: Final = ("cache-control", "private, no-cache")
_PLAIN: Final = Speech(Binding.HTTP_JSON, Revision.V1_0)


class Telling:
    """Of one HTTP request, which asks for nothing else."""

    __slots__ = ("_facts", "_origin", "_program", "_serving")

    def __init__(self, program: Program, serving: Serving, facts: Facts) -> None:
        self._program, self._serving, self._facts = program, serving, facts
        self._origin = origin_of(serving.url, facts.headers)

    def card(self, name: str) -> Answering:
        """Of an agent."""
        found = self._serving.directory.known(name)
        if found is None:
            return self._card_later(name)
        try:
            return self._shown(found)
        except NoCard as error:
            return _PLAIN.refused(without_card(name, error))

    async def _card_later(self, name: str) -> Action:
        try:
            return self._shown(await self._serving.directory.found(name))
        except NoCard as error:
            return _PLAIN.refused(without_card(name, error))

    def keys(self) -> Respond | None:
        """What the cards are signed with; None: they are not."""
        keys = self._serving.cards.keys
        return None if keys is None else Respond(200, (_JSON, _KEPT), keys, "dragoman_a2a_keys")

    def _shown(self, found: Found) -> Respond:
        shown = self._serving.cards.shown(found, self._origin)
        kept = f"{'public' if self._serving.has_public_cards else 'private'}, max-age=60"
        head = (("etag", shown.tag), ("cache-control", kept), ("vary", "host"))
        if self._facts.headers.get("if-none-match") == shown.tag:
            return Respond(304, head, b"", "dragoman_a2a_card")
        return Respond(200, (_JSON, *head), shown.body, "dragoman_a2a_card")

    async def listed(self) -> Action:
        """The agents that the caller may ask, as the query wants them."""
        try:
            query = read_query(self._facts.path.partition("?")[2])
        except Misasked as error:
            return _PLAIN.fault(Fault(ErrorKind.INVALID_REQUEST, str(error)))
        rules = self._program.rules.of_entries
        registry, view = await listing(self._serving, rules, self._facts)
        body, tag = registry.search(query, view)
        return self._tagged(body, tag, "dragoman_a2a_agents")

    def events(self) -> Respond:
        """What happened to the agents that the caller may ask, as this worker knows."""
        is_seen = seen_by(self._serving.directory, self._program.rules.of_entries, self._facts)
        body = self._serving.directory.events.told(is_seen)
        return self._tagged(body, tag_of(body), "dragoman_a2a_agent_events")

    def _tagged(self, body: bytes, tag: str, details: str) -> Respond:
        """Of the caller's own: kept, but asked about again each time."""
        head = (("etag", tag), _ASKED_ABOUT)
        if tag in self._facts.headers.get("if-none-match", ""):
            return Respond(304, head, b"", details)
        return Respond(200, (_JSON, *head), body, details)
