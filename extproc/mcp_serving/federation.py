"""Asks the servers of a view, all at once, and keeps what they said: sessions that were opened
late, and lists for as long as they may be kept.

What a session's id cannot say, since the client has it already, is kept here by each worker on its
own: a server that came back, or was restarted, has a new session, and the client notices nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from extproc.mcp import headers, jsonrpc, merging, messages, requests, rounds
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.kept import Kept
from extproc.mcp.lists import ListKind, Page
from extproc.mcp.merging import BrokenHello, Hello
from extproc.mcp.naming import Target
from extproc.mcp.noticed import Noticed
from extproc.mcp.pinning import Pinning
from extproc.mcp.renamed import Renamed, RenamedUris
from extproc.mcp.requests import Answer, Client
from extproc.mcp.sessions import ServerSession
from extproc.mcp.views import Served, View
from extproc.mcp_serving import calling_off
from extproc.mcp_serving.calling_off import CallingOff
from extproc.mcp_serving.hub import Hub
from extproc.mcp_serving.whole_lists import whole, why_none
from extproc.mcp_serving.whose import Screen, Whose
from extproc.ports import Answered, Asked, AskedBack, McpPeers, PinsUnavailable, ServiceUnavailable
from extproc.protocols import json_spans

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 1.0
"""How long optional servers may take longer than those that are required."""
DEAD_SECONDS: Final = 5.0
"""How long an optional server that gave no answer is not asked again."""
ROUTING_SECONDS: Final = 60.0
"""How old lists may be by which it is found out whose something is."""
_MOST_KEPT: Final = 8192
_MOST_LISTED: Final = 131_072
"""Tools and the like in lists that are kept, of some 400 bytes each."""
_MOST_SHOWN: Final = 32_768
"""The same as clients see them, found by their names: some 1,300 bytes each."""
_MODERN: Final = merging.MODERN_REVISIONS[-1]
_LEGACY: Final = merging.LEGACY_REVISIONS[-1]
_INITIALIZED: Final = "notifications/initialized"

_T = TypeVar("_T")


class Joined(Struct, frozen=True):
    """A server that takes part."""

    session: ServerSession
    hello: Hello


class _Kept(Struct):
    page: Page
    at: float
    until: float


Worded: TypeAlias = Callable[[ServerSession], tuple[Served, Asked]]
"""What is asked in a session, and of whom: the server itself, or the hub for it."""
_Shown: TypeAlias = tuple[tuple[Page, ...], Catalogue]


def _listed(kept: _Kept) -> int:
    return 1 + len(kept.page.entries)


def _shown(kept: _Shown) -> int:
    return 1 + sum(len(page.entries) for page in kept[0])


class Federation:
    """Who asks. The clock gives seconds that never go back."""

    def __init__(
        self, peers: McpPeers, clock: Callable[[], float], pinning: Pinning | None = None
    ) -> None:
        self._peers = peers
        self._pinning = pinning
        self._clock = clock
        self._late: Kept[tuple[str, str], Joined] = Kept(_MOST_KEPT, lambda _: 1)
        """By scope and server: sessions beside those that the client's id holds."""
        self._pages: Kept[tuple[str, ListKind, str], _Kept] = Kept(_MOST_LISTED, _listed)
        """By server, kind and scope."""
        self._catalogues: Kept[tuple[object, ...], _Shown] = Kept(_MOST_SHOWN, _shown)
        self._hub = Hub(peers)
        self._noticed = Noticed()
        self.renamed = RenamedUris()
        """By this worker."""
        self.call_off = CallingOff(self._ask_for)
        self._dead: dict[str, float] = {}
        """Optional servers that gave no answer, and until when they are left alone."""

    # sessions

    async def open(self, view: View, params: bytes) -> Mapping[str, Joined] | str:
        """Begin a session with all servers; text: why there is none."""
        return self._those_there(
            view, await self._everybody(view, lambda each: self._join(each, params))
        )

    async def discover(self, view: View, whose: Whose) -> Mapping[str, Joined] | str:
        """The same for a client without sessions; those that servers want are kept."""

        async def one(served: Served) -> Joined | str:
            late = self._late.get((whose.scope, served.name))
            return late or await self._begun(served, whose)

        return self._those_there(view, await self._everybody(view, one))

    def _those_there(
        self, view: View, found: Mapping[str, Joined | str]
    ) -> Mapping[str, Joined] | str:
        for name, each in found.items():
            if isinstance(each, str):
                logger.warning("the MCP server %s does not take part: %s", name, each)
                if view.servers[name].is_required:
                    return f"the server '{name}' gives no answer: {each}"
        return {name: each for name, each in found.items() if isinstance(each, Joined)}

    async def _join(
        self, served: Served, params: bytes, *, is_modern: bool = False
    ) -> Joined | str:
        """In the era of the client, where the server speaks it; else in the other."""
        first, second = self._initialize, self._discover
        if is_modern:
            first, second = second, first
        found = await first(served, params)
        if isinstance(found, Joined):
            return found
        other = await second(served, params)
        return other if isinstance(other, Joined) else found

    async def _begun(self, served: Served, whose: Whose) -> Joined | str:
        """Joined, and kept."""
        params = bytes(whose.session.initialize)
        found = await self._join(served, params, is_modern=whose.is_sessionless)
        if isinstance(found, str):
            return found
        if found.session.revision not in merging.MODERN_REVISIONS:
            told = requests.told(served, found.session, _INITIALIZED, b"", whose.client)
            await self._ask_for(served, told)
        self._take(served, whose, found)
        return found

    def _take(self, served: Served, whose: Whose, late: Joined) -> None:
        self._late.put((whose.scope, served.name), late)
        self._forget_lists(served.name, whose)

    async def _initialize(self, served: Served, params: bytes) -> Joined | str:
        answer = await self._ask(served, ServerSession("", ""), "initialize", params, Client())
        if answer.result is None:
            return answer.why or f"error {answer.code}"
        try:
            hello = merging.read_initialize(answer.result)
        except BrokenHello as error:
            return str(error)
        return Joined(ServerSession(answer.session, hello.revision), hello)

    async def _discover(self, served: Served, params: bytes) -> Joined | str:
        session = ServerSession("", _MODERN)
        client = requests.client_of(params)
        answer = await self._ask(served, session, "server/discover", b"", client)
        if answer.result is None:
            return answer.why or f"error {answer.code}"
        try:
            hello = merging.read_discover(answer.result)
        except BrokenHello as error:
            return str(error)
        if hello.revision not in merging.MODERN_REVISIONS:
            return "it speaks no revision without sessions"
        return Joined(ServerSession("", hello.revision), hello)

    def known(self, served: Served, whose: Whose) -> ServerSession | None:
        """The session with a server, if there is one."""
        late = self._late.get((whose.scope, served.name))
        return whose.session.servers.get(served.name) if late is None else late.session

    async def session(self, served: Served, whose: Whose) -> ServerSession | None:
        """The session with a server; begun now, where there is none. None: it gives no answer."""
        return self.known(served, whose) or await self.reopen(served, whose)

    async def reopen(self, served: Served, whose: Whose) -> ServerSession | None:
        """A new session with a server, in the place of one that is over: another worker's, or begun
        now."""
        if self._is_dead(served):
            return None
        number, name = whose.session.nonce, served.name
        shared = await self._hub.instead(number, name, self.known(served, whose))
        if shared is not None:
            self._take(served, whose, Joined(shared, Hello(shared.revision, {})))
            return shared
        found = await self._begun(served, whose)
        if isinstance(found, str):
            self._mark_dead(served, found)
            return None
        await self._hub.renew(number, name, found.session)
        return found.session

    async def end(self, view: View, whose: Whose) -> None:
        """The client's session is over, and so are those that it holds."""

        async def one(served: Served) -> None:
            session = self.known(served, whose)
            self._late.drop((whose.scope, served.name))
            if session is not None and session.id:
                await self._ask_for(served, requests.ended(served, session))

        if self._has_rounds(view, whose):
            note = jsonrpc.notification(calling_off.METHOD)
            await self._hub.call_off(whose.session.nonce, note)
        await self._everybody(view, one)

    # what all are told or asked

    async def tell(self, view: View, whose: Whose, method: str, params: bytes) -> None:
        """A notification of the client's; those of revisions without sessions know none."""

        async def one(served: Served) -> None:
            session = self.known(served, whose)
            if session is not None and not headers.is_modern(session.revision):
                await self._ask_for(
                    served, requests.told(served, session, method, params, whose.client)
                )

        await self._everybody(view, one)
        if method == calling_off.METHOD and self._has_rounds(view, whose):
            note = jsonrpc.notification(method, params)
            await self._hub.call_off(whose.session.nonce, note)

    def _has_rounds(self, view: View, whose: Whose) -> bool:
        """Whether calls of the client go by the hub, since a server may ask it in rounds."""
        sessions = (self.known(each, whose) for each in view.servers.values())
        return rounds.can_be_asked(bytes(whose.client.capabilities)) and any(
            each is not None and headers.is_modern(each.revision) for each in sessions
        )

    async def rename(self, whose: Whose, target: Target, shown: str) -> None:
        """The client subscribes to a resource that it calls so."""
        said = Renamed(whose.session.nonce, target.server, target.name, shown)
        self.renamed.keep(said)
        await self._hub.rename(said)

    async def ask_all(
        self, view: View, whose: Whose, method: str, params: bytes
    ) -> Mapping[str, Answer]:
        """One request to all; of those that take part."""

        async def one(served: Served) -> Answer:
            session = await self.session(served, whose)
            if session is None:
                return Answer(0, why="it does not take part")
            return await self._ask(served, session, method, params, whose.client)

        found = await self._everybody(view, one)
        return {
            name: Answer(0, why=each) if isinstance(each, str) else each
            for name, each in found.items()
        }

    async def ask_in_turn(
        self, whose: Whose, asked: Sequence[tuple[Served, Worded]]
    ) -> tuple[Answer, Served | None]:
        """One request to one server after the other, until one knows, or asks back; each as it is
        worded for the session. And who that is: where nobody does, what the first said that said
        anything."""
        found: Answer | None = None
        for served, worded in asked:
            session = await self.session(served, whose)
            if session is None:
                continue
            at, request = worded(session)
            answer = await self._answer(at, request)
            if answer.is_question:
                self.give_up(served, session, request)
            if answer.result is not None or answer.is_question:
                return answer, served
            if found is None or found.error is None:
                found = answer
        return found or Answer(0, why="no server gives an answer"), None

    def give_up(self, served: Served, session: ServerSession, asked: Asked) -> None:
        """Nobody waits for an answer to this any more; a server with sessions has to be told."""
        raw_id = json_spans.value_at(asked.body, messages.ID)
        if raw_id is not None and not headers.is_modern(session.revision):
            self.call_off(served, session, raw_id)

    async def relay(self, served: Served, asked: Asked) -> Answered:
        """A request of the client's own, and its answer. Raises `ServiceUnavailable`."""
        return await self._peers.ask(served.cluster, asked, served.timeout_seconds)

    async def replay(self, served: Served, asked: Asked) -> Answer:
        """A request on behalf of the client, in a session that there is."""
        return await self._answer(served, asked)

    # lists

    async def catalogue(
        self,
        view: View,
        whose: Whose,
        kinds: Sequence[ListKind],
        *,
        is_routing: bool = False,
    ) -> Catalogue | str:
        """What the servers list; text: a required one does not say. `is_routing`: it may be older
        than what clients are shown."""
        by_kind: dict[ListKind, dict[str, Page]] = {}
        for kind in kinds:
            pages = await self._lists(view, kind, whose, is_routing=is_routing)
            if isinstance(pages, str):
                return pages
            by_kind[kind] = pages
        # pages are kept with the catalogue, so that no other can have their ids
        pages_of = tuple(page for each in by_kind.values() for page in each.values())
        key = (view.name, *kinds, *map(id, pages_of))
        known = self._catalogues.get(key)
        if known is None:
            made = Catalogue(tuple(view.servers), view.tools, view.prompts, by_kind)
            self._noticed.hidden(view.name, made.hidden)
            known = (pages_of, made)
            self._catalogues.put(key, known)
        return known[1]

    async def listed(
        self, view: View, whose: Whose, server: str, kind: ListKind
    ) -> Page | str | None:
        """What one of them lists, by which it is found out what may be asked of it; None: it is not
        required, and does not say."""
        alone = replace(view, servers={server: view.servers[server]})
        pages = await self._lists(alone, kind, whose, is_routing=True)
        return pages if isinstance(pages, str) else pages.get(server)

    def _forget_lists(self, server: str, whose: Whose) -> None:
        """They are another's."""
        for kind in ListKind:
            self._pages.drop((server, kind, whose.scope))

    async def _lists(
        self, view: View, kind: ListKind, whose: Whose, *, is_routing: bool
    ) -> dict[str, Page] | str:
        found: dict[str, Page] = {}
        lacking: dict[str, Served] = {}
        for name, served in view.servers.items():
            page = self._kept(name, kind, whose, is_routing=is_routing)
            if page is None:
                lacking[name] = served
            else:
                found[name] = page
        if lacking:
            asked = await self._everybody(
                replace(view, servers=lacking), lambda each: self._list(each, kind, whose)
            )
            for name, said in asked.items():
                if isinstance(said, Page):
                    found[name] = said
                elif lacking[name].is_required:
                    return f"the server '{name}' gives no answer: {said}"
        return found if whose.screen is None else await _screened(view, kind, found, whose.screen)

    def _kept(self, server: str, kind: ListKind, whose: Whose, *, is_routing: bool) -> Page | None:
        now = self._clock()
        for scope in (whose.scope, ""):
            kept = self._pages.get((server, kind, scope))
            if kept is None:
                continue
            if kept.until > now or (is_routing and now - kept.at < ROUTING_SECONDS):
                return kept.page
        return None

    async def _list(self, served: Served, kind: ListKind, whose: Whose) -> Page | str:
        session = await self.session(served, whose)
        if session is None:
            return "it does not take part"
        listed = await self._whole(served, session, kind, whose)
        if isinstance(listed, Answer) and listed.status == 404 and session.id:
            again = await self.reopen(served, whose)
            if again is None:
                return "its session is over, and it begins none"
            listed = await self._whole(served, again, kind, whose)
        if isinstance(listed, Answer):
            return why_none(listed)
        self._noticed.unread(served.name, kind.member, listed.unread)
        if kind is ListKind.TOOLS and self._pinning is not None:
            try:
                listed = self._pinning.passed(served.name, listed)
            except PinsUnavailable as error:
                return str(error)
        self._keep(served, kind, whose, listed)
        return listed

    async def _whole(
        self, served: Served, session: ServerSession, kind: ListKind, whose: Whose
    ) -> Page | Answer:
        return await whole(
            kind, lambda params: self._ask(served, session, kind.method, params, whose.client)
        )

    def _keep(self, served: Served, kind: ListKind, whose: Whose, page: Page) -> None:
        now = self._clock()
        seconds = served.list_seconds if page.ttl_ms is None else page.ttl_ms / 1000
        is_shared = page.is_public or (page.ttl_ms is None and served.list_seconds > 0)
        scope = "" if is_shared and seconds > 0 else whose.scope
        kept = _Kept(page, now, now + seconds)
        self._pages.put((served.name, kind, scope), kept)

    # asking

    async def _ask(
        self, served: Served, session: ServerSession, method: str, params: bytes, client: Client
    ) -> Answer:
        return await self._answer(served, requests.asked(served, session, method, params, client))

    async def _answer(self, served: Served, asked: Asked) -> Answer:
        try:
            found = await self._peers.ask(served.cluster, asked, served.timeout_seconds)
        except ServiceUnavailable as error:
            return Answer(0, why=str(error), is_question=isinstance(error, AskedBack))
        return requests.read(found.status, found.headers, found.body)

    async def _ask_for(self, served: Served, asked: Asked) -> None:
        """What has no answer."""
        try:
            await self._peers.ask(served.cluster, asked, served.timeout_seconds)
        except ServiceUnavailable as error:
            logger.info("the MCP server %s was not told: %s", served.name, error)

    async def _everybody(
        self, view: View, one: Callable[[Served], Awaitable[_T]]
    ) -> dict[str, _T | str]:
        """What `one` comes to for each server; text of those that are too late, or dead."""
        found: dict[str, _T | str] = {}
        waiting: dict[str, asyncio.Future[_T]] = {}
        for name, served in view.servers.items():
            if self._is_dead(served):
                found[name] = "it gave no answer a moment ago"
            else:
                waiting[name] = asyncio.ensure_future(one(served))
        required = [task for name, task in waiting.items() if view.servers[name].is_required]
        try:
            if required:
                await asyncio.wait(required)
            elif waiting:
                await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
            others = [task for task in waiting.values() if not task.done()]
            if others:
                await asyncio.wait(others, timeout=GRACE_SECONDS)
        finally:
            for name, task in waiting.items():
                if not task.done():
                    task.cancel()
                    self._mark_dead(view.servers[name], "it is too late")
        for name, task in waiting.items():
            is_late = task.cancelled() or not task.done()
            found[name] = "it is too late" if is_late else task.result()
        return {name: found[name] for name in view.servers}

    def _is_dead(self, served: Served) -> bool:
        return not served.is_required and self._dead.get(served.name, 0.0) > self._clock()

    def _mark_dead(self, served: Served, why: str) -> None:
        if not served.is_required:
            logger.warning("the MCP server %s is left out: %s", served.name, why)
            if not served.is_personal:  # what it refuses one caller says nothing of the others
                self._dead[served.name] = self._clock() + DEAD_SECONDS


async def _screened(
    view: View, kind: ListKind, pages: Mapping[str, Page], screen: Screen
) -> dict[str, Page] | str:
    """What is left of the lists. Those of which that cannot be said are left out; text: one of them
    is of a server that is required."""
    shown: dict[str, Page] = {}
    for server, page in (await screen.pages(kind, pages)).items():
        if isinstance(page, Page):
            shown[server] = page
        elif view.servers[server].is_required:
            return f"the list of '{server}' cannot be shown: {page}"
        else:
            logger.warning("the list of the MCP server %s is left out: %s", server, page)
    return shown
