"""An MCP server alone: its client talks to it through Envoy, byte for byte; policy reads requests.

The session's id is the server's own for anonymous callers; else it is sealed for the caller.
"""

from __future__ import annotations

import secrets

import msgspec
from msgspec import Struct, structs

from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Direct,
    Respond,
    ResponseBody,
    ResponseHeaders,
)
from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp import headers, jsonrpc, lists, requests
from extproc.mcp.jsonrpc import Fault
from extproc.mcp.lists import BY_METHOD, Allowed, BrokenList, ListKind
from extproc.mcp.messages import Batch, Kind, Message
from extproc.mcp.naming import Target
from extproc.mcp.sessions import ServerSession, Session, is_ours
from extproc.mcp_exchange.asked import (
    POST_ALONE,
    SESSION_NOT_FOUND,
    UNREAD,
    Answering,
    Caller,
    call_of,
    named,
)
from extproc.mcp_exchange.defined import asks_alone, listed_alone
from extproc.mcp_exchange.of_api import ToApi, answered
from extproc.mcp_serving.calling_off import LATE
from extproc.mcp_serving.overseeing import CODINGS, OverseenAnswer
from extproc.mcp_serving.saying import JSON, fault, refused
from extproc.mcp_serving.serving import head_of
from extproc.ports import Answered, Asked, ServiceUnavailable
from gateway.mcp import ToolTerms

_PASSED = (headers.PROTOCOL_VERSION, headers.METHOD)
"""What a client says of a list beside its body."""
_ALONE = Fault(jsonrpc.INVALID_REQUEST, "this message is not taken in a batch: send it alone")
_NO_BATCHES = Fault(jsonrpc.INVALID_REQUEST, "what guards read comes in no batches")
_NOTHING_SAID = msgspec.Raw(b"{}")


class OneTalk:
    """One request to one server."""

    __slots__ = (
        "_caller",
        "_is_opening",
        "_overseen",
        "_own_id",
        "_timed_id",
        "is_over",
        "timeout_seconds",
    )

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._own_id = ""
        """What the server calls the session, when it is not what the client does."""
        self._is_opening = False
        """Its answer may begin a session."""
        self._overseen: OverseenAnswer | None = None
        """Guards read the answer."""
        self.is_over = False
        self.timeout_seconds: float | None = None
        self._timed_id = b""
        """Of the request that has to be answered in time, in JSON."""

    def on_headers(self, method: str) -> Action:
        caller = self._caller
        said = caller.session_id
        if said:
            session = caller.opened() if is_ours(said) else None
            if (session is None and is_ours(said)) or caller.is_foreign():
                return refused(SESSION_NOT_FOUND)
            if session is not None:
                if method == "DELETE":
                    caller.end(session)
                self._own_id = session.servers[caller.view.only.name].id
        server = caller.view.only.name
        if method != "POST":
            if caller.view.only.is_api:
                return refused(POST_ALONE)
            self._overseen = caller.overseen((server,)) if method == "GET" else None
            self.is_over = self._overseen is None
            return self._direct(is_read=False)
        is_sessionless = bool(said) or headers.is_modern(caller.revision)
        self._is_opening = bool(caller.binding) and not is_sessionless
        is_needed = self._is_opening or bool(caller.tokens) or caller.reads_answers(server)
        return caller.show(is_needed=is_needed)

    def on_message(self, message: Message) -> Answering:
        self._is_opening = self._is_opening and message.method == "initialize"
        call = self._call(message)
        if message.is_answer or (not call.server and message.method not in UNREAD):
            # whatever it is, the server gets it
            of_server = structs.replace(call, server=self._caller.view.only.name)
            guarded = self._caller.guarded
            if message.is_answer:
                return guarded(message, of_server, lambda passed: self._sent(message, passed, None))
            denied = self._caller.judged(message, call)
            return denied or guarded(
                message, of_server, lambda passed: self._sent(message, passed, call)
            )
        if call.tool and self._caller.screens(call.server):
            return self._held_against_list(message, call)
        return self._caller.admitted(
            message, call, lambda passed: self._sent(message, passed, call)
        )

    def _held_against_list(self, message: Message, call: McpCall) -> Answering:
        """A call of a tool that a guard may have taken out of the list."""
        caller = self._caller
        denied = caller.judged(message, call)
        if denied is not None:
            return denied

        def listed() -> Answering:
            return caller.past_guards(
                message, call, lambda passed: self._sent(message, passed, call)
            )

        own_id = self._own_id or caller.session_id
        return listed_alone(caller, own_id, message, call, listed)

    def _sent(self, written: Message, message: Message, call: McpCall | None) -> Answering:
        """It may be; `message`: as guards have changed what was written."""
        caller, kind = self._caller, BY_METHOD.get(message.method)
        is_shown = None if kind is None else caller.shows(kind)
        if kind is ListKind.TOOLS:
            asks_alone(caller, written)
        if kind is not None and is_shown is not None:
            return self._filtered(message, kind, is_shown)
        server = caller.view.only.name
        if caller.view.only.is_api:
            tool = "" if call is None else call.tool
            return self._of_api(ToApi(message.body, message, tool))
        self._overseen = caller.overseen((server,), message)
        # a server that takes a token no more says so by its status
        is_seen = self._is_opening or bool(caller.tokens) or self._overseen is not None
        terms = None if call is None else caller.serving.terms_of(server, call.tool)
        self.timeout_seconds = None if terms is None else terms.timeout_seconds
        if self.timeout_seconds is not None and message.kind is Kind.REQUEST:
            self._timed_id = message.raw_id
        self.is_over = not is_seen and self.timeout_seconds is None
        body = None if message is written else message.body
        return self._direct(is_read=True, terms=terms, body=body)

    async def _filtered(self, message: Message, kind: ListKind, is_shown: Allowed) -> Action:
        """A list, of which rules may hide some: it is asked for here, and not by Envoy alone."""
        self.is_over = True
        caller, served = self._caller, self._caller.view.only
        said = caller.facts.headers
        head = [("accept", requests.ACCEPT), ("content-type", "application/json")]
        head += [(name, said[name]) for name in _PASSED if name in said]
        if session := self._own_id or caller.session_id:
            head.append((headers.SESSION_ID, session))
        asked = Asked("POST", served.path, (*head, *served.headers), message.body)
        try:
            found = await caller.serving.federation.relay(served, asked)
            if found.status >= 300:  # clients know an era, and the end of a session, by it
                return Respond(found.status, _content_type(found), found.body, "dragoman_mcp")
            body = lists.filtered(
                kind, found.body, lambda name: is_shown(Target(served.name, name))
            )
            overseen = caller.overseen((served.name,), message)
            body = body if overseen is None else await overseen.whole(body)
        except (ServiceUnavailable, BrokenList) as error:
            text = f"the server '{served.name}' gives no list: {error}"
            return fault(message.fault(jsonrpc.INTERNAL_ERROR, text, 502))
        return Respond(found.status, JSON, body, "dragoman_mcp")

    def on_batch(self, batch: Batch) -> Answering:
        """Each of them may be, or none is sent. What is counted, or hidden, comes alone."""
        caller, server = self._caller, self._caller.view.only.name
        if caller.reads_answers(server) or caller.reads_requests(server):
            return fault(_NO_BATCHES)
        for message in batch.messages:
            if message.is_answer:
                continue
            call = self._call(message)
            denied = caller.judged(message, call)
            if denied is not None:
                return denied
            kind = BY_METHOD.get(message.method)
            is_filtered = kind is not None and caller.shows(kind) is not None
            if is_filtered or caller.is_counted(call):
                return fault(_ALONE)
        if caller.view.only.is_api:
            return self._of_api(ToApi(batch.body))
        self.is_over = not self._is_opening
        return self._direct(is_read=True)

    def on_response(self, event: ResponseHeaders) -> Action:
        changed = self._sealed(event)
        if self._overseen is not None:
            action = self._overseen.begins(event, changed)
            self.is_over = self._overseen.is_over
            return action
        self.is_over = True
        return ChangeHeaders(changed) if changed else CONTINUE

    def _sealed(self, event: ResponseHeaders) -> tuple[tuple[str, str], ...]:
        """The id of a session that begins, for its caller alone."""
        own_id = event.headers.get(headers.SESSION_ID, "")
        if not self._is_opening or not own_id:
            return ()
        caller = self._caller
        session = Session(
            caller.view.name,
            {caller.view.only.name: ServerSession(own_id, "")},
            "",
            _NOTHING_SAID,
            int(caller.facts.now.timestamp()),
            secrets.token_hex(8),
        )
        sealed = caller.serving.views.sealer.seal(session, caller.binding)
        return ((headers.SESSION_ID, sealed),)

    def on_answer(self, event: ResponseBody) -> Answering:
        if self._overseen is None:
            return CONTINUE
        found = self._overseen.take(event.body, is_end=event.is_end)
        return self._passed(found) if isinstance(found, Struct) else later(found, self._passed)

    def give_up(self) -> None:
        """The end of a stream tells servers so that have no sessions, and no others
        ("Cancellation")."""
        caller = self._caller
        if self._timed_id and not headers.is_modern(caller.revision):
            session = ServerSession(self._own_id or caller.session_id, caller.revision)
            federation = caller.serving.federation
            federation.call_off(caller.view.only, session, self._timed_id, LATE)

    def on_close(self) -> None:
        """Client and server tell each other."""

    def _passed(self, action: Action) -> Action:
        self.is_over = self._overseen is None or self._overseen.is_over
        return action

    def _of_api(self, told: ToApi) -> Answering:
        self.is_over = True
        return answered(self._caller, self._caller.view.only, told)

    def _call(self, message: Message) -> McpCall:
        view = self._caller.view
        return call_of(message, view.only.name, named(message), view.name)

    def _direct(
        self, *, is_read: bool, terms: ToolTerms | None = None, body: bytes | None = None
    ) -> Direct:
        caller = self._caller
        server = caller.view.only.name
        way = caller.serving.ways.to(server, is_read=is_read)
        head = head_of(terms)
        told, token = caller.admission.told, caller.tokens.get(server, "")
        session = ""
        if self._own_id:
            head, session = (*head, (headers.SESSION_ID, self._own_id)), caller.session_id
        if self._overseen is None:
            return Direct(way, is_read, head, session=session, body=body, told=told, token=token)
        return Direct(
            way, is_read, head, (CODINGS,), session, body, told, is_shown=not is_read, token=token
        )


def _content_type(found: Answered) -> tuple[tuple[str, str], ...]:
    kind = found.headers.get("content-type", "")
    return (("content-type", kind),) if kind else ()
