"""Several MCP servers as one: what goes straight to its server, and what all are asked.

A session's id holds the sessions with the servers, sealed. Clients of revisions without sessions
have none; what servers of older ones want, the federation keeps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from extproc.events import CONTINUE, Action, Respond, ResponseBody, ResponseHeaders
from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp import headers, ids, jsonrpc, lists, messages, requests, rounds, search
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.eliciting import Returned, returned
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, Fault
from extproc.mcp.lists import BY_METHOD, ListKind
from extproc.mcp.messages import Batch, Kind, Message
from extproc.mcp.naming import Target
from extproc.mcp.results import Keeping
from extproc.mcp.sessions import ServerSession
from extproc.mcp_exchange import consenting
from extproc.mcp_exchange.asked import (
    SESSION_NOT_FOUND,
    Answering,
    Caller,
    call_of,
    is_of_prompt,
    named,
)
from extproc.mcp_exchange.consenting import connected_by
from extproc.mcp_exchange.defined import defined
from extproc.mcp_exchange.listening import LISTEN, listened, streams
from extproc.mcp_exchange.of_api import answered, to_api
from extproc.mcp_exchange.opening import begun, discovered
from extproc.mcp_exchange.passage import Passage, crosses
from extproc.mcp_exchange.remembering import remembered
from extproc.mcp_exchange.several import (
    BY_URI,
    found_by_name,
    found_by_uri,
    in_turn,
    level_set,
    past_guards,
    place,
    searched,
)
from extproc.mcp_serving.overseeing import OverseenAnswer
from extproc.mcp_serving.saying import (
    accepted,
    fault,
    no_method,
    refused,
    result,
    unknown,
    unsupported,
)
from extproc.mcp_serving.whose import Whose, of_nobody
from extproc.protocols.json_spans import Path
from extproc.verdict import Deny

_NO_SESSION: Final = Deny(
    400, "missing_session", "initialize first: the request says no Mcp-Session-Id"
)
_NO_STREAMS: Final = Deny(
    405, "method_not_allowed", "this revision has POST alone", headers=(("allow", "POST"),)
)
_NO_BATCHES: Final = Fault(jsonrpc.INVALID_REQUEST, "several servers as one take no batches")
_OF_URIS: Final = (ListKind.RESOURCES, ListKind.TEMPLATES, ListKind.TOOLS)
_UNNAMED: Final = "Invalid params: what is asked for has no name"
_TO_ALL: Final = "logging/setLevel"
_REMOVED: Final = frozenset(
    {
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    }
)
"""Methods that 2026-07-28 has no more."""
_DISCOVER: Final = "server/discover"
"""Which it began with."""
_EMPTY: Final = b"{}"

_Found: TypeAlias = tuple[Target, ...]


class FederatedTalk:
    """One request to several servers."""

    __slots__ = (
        "_caller",
        "_is_unwrapped",
        "_overseen",
        "_passage",
        "_returned",
        "_whose",
        "is_over",
        "timeout_seconds",
    )

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._whose: Whose | None = None
        self._passage: Passage | None = None
        self._overseen: OverseenAnswer | None = None
        """Guards read the stream of all servers."""
        self._is_unwrapped = False
        """The message is not the client's own, but what it means."""
        self._returned: Returned | None = None
        """The user was asked to agree to something."""
        self.is_over = False
        self.timeout_seconds: float | None = None

    # what comes of Envoy

    def on_headers(self, method: str) -> Answering:
        caller = self._caller
        if caller.session_id:
            session = caller.opened()
            if session is None:
                return refused(SESSION_NOT_FOUND)
            client = requests.client_of(session.initialize)
            self._whose = Whose(session, session.nonce, client, caller.screen())
        is_modern = headers.is_modern(caller.revision)
        match method:
            case "POST":
                return caller.show(is_needed=True)
            case _ if self._whose is None:
                return refused(_NO_STREAMS if is_modern else _NO_SESSION)
            case "GET":
                self._overseen = caller.overseen(caller.view.servers)
                self.is_over = self._overseen is None
                return streams(caller, self._whose, is_shown=not self.is_over)
            case _:
                caller.end(self._whose.session)
                return later(caller.serving.federation.end(caller.view, self._whose), self._ended)

    def on_batch(self, batch: Batch) -> Action:
        return fault(_NO_BATCHES)

    def on_message(self, message: Message) -> Answering:
        self._caller.written = message.body
        revision = headers.revision(self._caller.facts.headers, message)
        is_modern = headers.is_modern(revision)
        refusal = unsupported(message, revision)
        if refusal is not None:
            return fault(refusal)
        if message.method in _REMOVED if is_modern else message.method == _DISCOVER:
            return fault(no_method(message, is_modern=is_modern))
        if message.method == "initialize":
            return begun(self._caller, message)
        if is_modern:
            self._whose = self._sessionless(message)
            if self._caller.serving.desk is not None:
                self._returned = returned(message)
                message = message if self._returned is None else self._returned.message
        whose = self._whose
        if whose is None:
            if message.method == "ping":
                return result(message, _EMPTY)
            return refused(_NO_SESSION, message.raw_id)
        if message.is_answer:
            return self._answer(message, whose)
        if message.kind is Kind.NOTIFICATION:
            return self._notification(message, whose)
        return self._request(message, whose)

    def on_response(self, event: ResponseHeaders) -> Answering:
        passage = self._passage
        if passage is None:
            action = CONTINUE if self._overseen is None else self._overseen.begins(event)
            return self._passed(action)
        found = passage.on_response(event)
        return later(found, self._passed) if isinstance(found, Awaitable) else self._passed(found)

    def on_answer(self, event: ResponseBody) -> Answering:
        if self._passage is not None:
            found = self._passage.on_answer(event)
        elif self._overseen is not None:
            found = self._overseen.take(event.body, is_end=event.is_end)
        else:
            return CONTINUE
        return later(found, self._passed) if isinstance(found, Awaitable) else self._passed(found)

    def give_up(self) -> None:
        if self._passage is not None:
            self._passage.give_up()

    def on_close(self) -> None:
        if self._passage is not None:
            self._passage.on_close()

    def _passed(self, action: Action) -> Action:
        of = self._passage or self._overseen
        self.is_over = of is None or of.is_over
        return action

    # who asks

    def _sessionless(self, message: Message) -> Whose:
        """Everything is said with each request."""
        client = requests.client_of_meta(message.meta)
        initialize = requests.initialize_of(client)
        scope = f"sessionless\n{self._caller.binding}\n{initialize!r}"
        return Whose(of_nobody(initialize), scope, client, self._caller.screen())

    def _ended(self, _: None) -> Action:
        return Respond(200, (), b"", "dragoman_mcp")

    # what clients say without asking

    def _answer(self, message: Message, whose: Whose) -> Answering:
        """To a request of a server, whose name is in its id."""
        found = ids.inward(message.id, whose.key)
        if found is None:
            return accepted()  # as servers do with what answers nothing
        server, own = found
        changes = {messages.ID: msgspec.json.encode(own)}
        return self._caller.guarded(
            message,
            McpCall("", server, view=self._caller.view.name),
            lambda passed: self._direct(passed, whose, Target(server, ""), changes),
        )

    def _notification(self, message: Message, whose: Whose) -> Answering:
        caller = self._caller
        denied = caller.judged(message, McpCall(message.method, view=caller.view.name))
        if denied is not None:
            return denied
        if message.method == "notifications/progress":
            found = ids.inward(message.params.get("progressToken"), whose.key)
            if found is None:
                return accepted()
            server, own = found
            changes = {messages.PROGRESS_TOKEN: msgspec.json.encode(own)}
            return past_guards(
                caller,
                message,
                (server,),
                lambda passed: self._direct(passed, whose, Target(server, ""), changes),
            )

        def passed(told: Message) -> Answering:
            params, federation = messages.params(told.body), caller.serving.federation
            telling = federation.tell(caller.view, whose, told.method, params)
            return later(telling, lambda _: accepted())

        return past_guards(caller, message, tuple(caller.view.servers), passed)

    # what they ask for

    def _request(self, message: Message, whose: Whose) -> Answering:
        method = message.method
        if method in BY_METHOD:
            return self._list(message, BY_METHOD[method], whose)
        if method == "tools/call" and (server := connected_by(self._caller, message.name)):
            found = consenting.called(self._caller, whose, message, server)
            return found or self._consent(message, whose, server)
        if method == "tools/call" and self._caller.view.search is not None:
            if message.name == search.SEARCH:
                return searched(self._caller, whose, message)
            if message.name == search.CALL:
                return self._unwrapped(message, whose)
        match method:
            case "tools/call" | "prompts/get" | "completion/complete":
                return self._by_name(message, whose)
            case _ if method in BY_URI:
                return self._by_uri(message, whose)
            case _ if method.startswith("tasks/") and message.task_id:
                return self._by_task(message, whose)
        denied = self._caller.judged(message, McpCall(method, view=self._caller.view.name))
        if denied is not None:
            return denied
        match method:
            case "ping":
                return result(message, _EMPTY)
            case _ if method == _DISCOVER:
                return discovered(self._caller, whose, message)
            case _ if method == _TO_ALL:
                return level_set(self._caller, whose, message)
            case _ if method == LISTEN and whose.is_sessionless:
                self.is_over = True
                return listened(self._caller, whose, message)
        return fault(no_method(message, is_modern=whose.is_sessionless))

    def _by_name(self, message: Message, whose: Whose) -> Answering:
        """Tools and prompts; `completion/complete` names a prompt, or a template."""
        if message.method == "completion/complete":
            if not is_of_prompt(message):
                return self._by_uri(message, whose)
            if not named(message):
                return fault(message.fault(INVALID_PARAMS, _UNNAMED, 200))
        view = self._caller.view
        is_tool = message.method == "tools/call"
        naming = view.tools if is_tool else view.prompts
        if naming.needs_lists:
            kind = ListKind.TOOLS if is_tool else ListKind.PROMPTS
            return self._routed(message, whose, (kind,), found_by_name)
        target = naming.find(named(message))
        return self._one_of(message, whose, () if target is None else (target,))

    def _by_uri(self, message: Message, whose: Whose) -> Answering:
        if not named(message):
            return fault(message.fault(INVALID_PARAMS, _UNNAMED, 200))
        if whose.is_sessionless and (again := rounds.unbound(message)) is not None:
            server, inner = again
            if server not in self._caller.view.servers:
                return fault(unknown(message))
            return self._in_turn(inner, whose, (Target(server, named(inner)),))
        return self._routed(message, whose, _OF_URIS, found_by_uri)

    def _in_turn(self, message: Message, whose: Whose, targets: _Found) -> Answering:
        def go(passed: Message, target: Target) -> Answering:
            is_renamed = target.name != named(passed)
            changes = {place(passed): messages.text(target.name)} if is_renamed else {}
            return self._direct(passed, whose, target, changes)

        return in_turn(self._caller, whose, message, targets, go)

    def _by_task(self, message: Message, whose: Whose) -> Answering:
        found = ids.inward_name(message.task_id)
        return self._one_of(message, whose, () if found is None else (Target(*found),))

    def _routed(
        self,
        message: Message,
        whose: Whose,
        kinds: tuple[ListKind, ...],
        find: Callable[[Catalogue, Message], _Found],
    ) -> Answering:
        """Whose it is, the lists say."""
        caller = self._caller
        listing = caller.serving.federation.catalogue(caller.view, whose, kinds, is_routing=True)

        def routed(found: Catalogue | str) -> Answering:
            if isinstance(found, str):
                return fault(message.fault(INTERNAL_ERROR, found, 502))
            return self._one_of(message, whose, find(found, message))

        return later(listing, routed)

    def _one_of(self, message: Message, whose: Whose, targets: _Found) -> Answering:
        """To its server; where nothing says which of several it is, to one after the other."""
        known = [each for each in targets if each.server in self._caller.view.servers]
        if not known:
            found = consenting.refusal(self._caller, message, targets)
            return self._consent(message, whose, found) if isinstance(found, str) else found
        if len(known) > 1:
            return self._in_turn(message, whose, tuple(known))
        target = known[0]
        call = call_of(message, target.server, target.name, self._caller.view.name)
        changes: dict[Path, bytes] = {}
        if target.name != named(message) or self._is_unwrapped:
            changes[place(message)] = messages.text(target.name)
        caller = self._caller
        denied = caller.judged(message, call)
        if denied is not None:
            return denied

        def past_guards(passed: Message) -> Answering:
            def going(keeping: Keeping | None) -> Answering:
                taking = self._is_new(passed, whose, target.server)

                def taken(is_new: bool) -> Answering:
                    if not is_new:
                        return direct(passed, keeping)
                    return caller.taken(passed, call, lambda it: direct(it, keeping))

                return later(taking, taken) if isinstance(taking, Awaitable) else taken(taking)

            held = caller.held(passed, call)
            return held or remembered(caller, whose, passed, target, going)

        def direct(taken: Message, keeping: Keeping | None) -> Answering:
            if taken.method == "resources/subscribe" and changes:
                told = caller.serving.federation.rename(whose, target, taken.uri)
                return later(told, lambda _: self._direct(taken, whose, target, changes))
            return self._direct(taken, whose, target, changes, call.tool, keeping)

        return defined(
            caller, whose, message, call, lambda known: caller.guarded(message, known, past_guards)
        )

    def _is_new(self, message: Message, whose: Whose, server: str) -> bool | Awaitable[bool]:
        """Whether a call begins. A further round of one that waits in the hub does not: the hub
        takes each state once, and sends nothing on for any other."""
        served = self._caller.view.servers[server]
        if not rounds.is_ours(message) or not whose.is_sessionless or served.is_api:
            return True
        federation = self._caller.serving.federation

        def begins(session: ServerSession | None) -> bool:
            return session is None or not crosses(message, whose, session)

        return later(federation.session(served, whose), begins)

    def _consent(self, message: Message, whose: Whose, server: str) -> Answering:
        """The user is asked to agree, or was already."""
        back, self._returned = self._returned, None
        asking = consenting.consented(self._caller, whose, back, message, server)
        return later(asking, lambda found: found or self._request(message, whose))

    def _unwrapped(self, message: Message, whose: Whose) -> Answering:
        inner = search.unwrapped(message)
        if isinstance(inner, Fault):
            return fault(inner)
        self._is_unwrapped = True
        return self._request(inner, whose)

    def _direct(
        self,
        message: Message,
        whose: Whose,
        target: Target,
        changes: Mapping[Path, bytes],
        tool: str = "",
        keeping: Keeping | None = None,
    ) -> Answering:
        caller, server = self._caller, target.server
        served = caller.view.servers.get(server)
        if served is None:
            return fault(unknown(message)) if message.kind is Kind.REQUEST else accepted()

        def sent(session: ServerSession | None) -> Answering:
            if session is None:
                text = f"the server '{server}' gives no answer"
                return fault(message.fault(INTERNAL_ERROR, text, 502))
            if served.is_api:
                told = to_api(message, tool, session.revision, changes)
                return answered(caller, served, told, keeping)
            self._passage = Passage(caller, whose, served, session, message, target.name, changes)
            self._passage.keeping = keeping
            terms = caller.serving.terms_of(server, tool)
            self.timeout_seconds = None if terms is None else terms.timeout_seconds
            return self._passage.direct(terms)

        session = caller.serving.federation.known(served, whose)
        if session is not None:
            return sent(session)
        return later(caller.serving.federation.session(served, whose), sent)

    # what all are asked

    def _list(self, message: Message, kind: ListKind, whose: Whose) -> Answering:
        caller = self._caller
        denied = caller.judged(message, McpCall(message.method, view=caller.view.name))
        if denied is not None:
            return denied
        listing = caller.serving.federation.catalogue(caller.view, whose, (kind,))
        return later(listing, lambda found: self._listed(message, kind, whose, found))

    def _listed(
        self, message: Message, kind: ListKind, whose: Whose, found: Catalogue | str
    ) -> Action:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        caller = self._caller
        listing, is_allowed = found.listings[kind], caller.shows(kind)
        if kind is ListKind.TOOLS and caller.view.search is not None:
            listing = found.pinned(caller.view.search.pinned)
            is_allowed = search.or_own(is_allowed)
        if kind is ListKind.TOOLS and caller.unconnected:
            listing = consenting.with_tools(caller, listing)
            is_allowed = search.or_own(is_allowed)
        said = lists.page(
            listing,
            message.text("cursor"),
            caller.serving.views.page_entries,
            is_allowed=is_allowed,
            is_modern=whose.is_sessionless,
        )
        if isinstance(said, Fault):
            return fault(message.fault(said.code, said.message, 200))
        return result(message, said)
