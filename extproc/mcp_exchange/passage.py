"""A message on its way to one server of several, and what comes back: it goes straight there, in
the words of that server, and its answer is looked at where ids in it have to name the server.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Direct,
    Finish,
    Replace,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.later import later
from extproc.mcp import headers, ids, jsonrpc, messages, requests, rounds
from extproc.mcp.messages import Kind, Message
from extproc.mcp.results import Keeping
from extproc.mcp.rounds import Envelope
from extproc.mcp.sessions import ServerSession
from extproc.mcp.streams import Upward
from extproc.mcp.tickets import owner_of
from extproc.mcp.upward import Origin, upward
from extproc.mcp.views import Served
from extproc.mcp_exchange import consenting
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving import saying
from extproc.mcp_serving.calling_off import LATE
from extproc.mcp_serving.connections import NoToken
from extproc.mcp_serving.overseeing import CODINGS
from extproc.mcp_serving.saying import JSON, accepted
from extproc.mcp_serving.serving import head_of
from extproc.mcp_serving.tokens import showing
from extproc.mcp_serving.whose import Whose
from extproc.ports import Asked
from extproc.protocols.json_spans import Path
from extproc.protocols.sse import EventTooLarge
from extproc.verdict import Deny
from gateway import names
from gateway.mcp import ToolTerms

logger = logging.getLogger(__name__)

_EVENTS: Final = "text/event-stream"
_LENGTH: Final = "content-length"
_OF_MODERN: Final = (headers.METHOD, headers.NAME)
_ASKS: Final = Deny(
    409,
    "asked_anew",
    "the server was restarted, and asks the user something before it answers, which this call "
    "cannot pass on: it was called off, after what it has done until then, and can be made again",
)
_TOO_LARGE: Final = Deny(
    502, "answer_too_large", "the MCP server says more at once than is passed on"
)
_SERVERS_FAULT: Final = "dragoman_mcp_event_too_large"


class Passage:
    """One message, of a client that has a session or none, to a server that has one or none."""

    __slots__ = (
        "_body",
        "_caller",
        "_head",
        "_is_bridged",
        "_is_older",
        "_message",
        "_overseen",
        "_own_id",
        "_pieces",
        "_removed",
        "_served",
        "_session",
        "_stream",
        "_whose",
        "is_over",
        "keeping",
    )

    def __init__(
        self,
        caller: Caller,
        whose: Whose,
        served: Served,
        session: ServerSession,
        message: Message,
        name: str,
        changes: Mapping[Path, bytes],
    ) -> None:
        """`name`: what the server calls what is asked for; `changes`: where it stands, if the
        client calls it otherwise."""
        self._caller, self._whose, self._served = caller, whose, served
        self._session = session
        self._message = message
        self._pieces: list[bytes] = []
        """Of an answer in JSON, which is changed when it is whole."""
        self._stream: Upward | None = None
        body = messages.rewritten(message.body, changes) if changes else message.body
        is_modern = headers.is_modern(session.revision)
        self._is_older = whose.is_sessionless and not is_modern
        """The server's revision is of the era before the client's."""
        if is_modern and not whose.is_sessionless:
            body = _with_meta(body, session.revision, whose)
        self._session = session
        self._own_id = b""
        """What the server calls the request, where that is not what the client does; JSON."""
        self._body = body
        self._head: tuple[tuple[str, str], ...] = self._said(session, name, is_modern=is_modern)
        self._is_bridged = crosses(message, whose, session)
        if self._is_bridged:
            self._head = (*self._head, self._enveloped(caller.tokens.get(served.name, "")))
        elif self._is_older and message.kind is Kind.REQUEST:
            # several clients may share the session, and call their requests the same
            self._own_id = requests.own_id()
            body = requests.without_meta(body)
            self._body = messages.rewritten(body, {messages.ID: self._own_id})
        self._removed: tuple[str, ...] = (CODINGS,) if is_modern else (CODINGS, *_OF_MODERN)
        if not session.id and caller.session_id:
            self._removed = (*self._removed, headers.SESSION_ID)
        self._overseen = caller.overseen((served.name,), message)
        """Guards read the answer."""
        self.keeping: Keeping | None = None
        """The result is kept."""
        self.is_over = False

    def direct(self, terms: ToolTerms | None = None) -> Direct:
        """Where Envoy sends it; `terms`: of the tool that is called."""
        caller = self._caller
        body = None if self._body is caller.written else self._body
        ways = caller.serving.ways
        way = ways.rounds if self._is_bridged else ways.to(self._served.name, is_read=True)
        head = (*self._head, *head_of(terms))
        told = caller.admission.told
        token = caller.tokens.get(self._served.name, "")
        if self._is_bridged:  # the client may be asked
            self.keeping = None
        return Direct(way, True, head, self._removed, caller.session_id, body, told, token=token)

    def on_response(self, event: ResponseHeaders) -> Answering:
        """The answer begins."""
        if event.status == 401 and self._served.is_personal:
            return self._unauthorized()
        if event.status == 404 and self._had_session():
            return self._again()
        kind = event.headers.get("content-type", "")
        changed: tuple[tuple[str, str], ...] = ()
        if event.status in (400, 404) and not self._whose.is_sessionless and kind:
            # of a revision without sessions; where there are any, 404 ends them
            changed = ((":status", "200"),)
        if kind.startswith(_EVENTS) and not self._is_bridged:
            self._stream = Upward(self._origin())
        coding = event.headers.get("content-encoding", "identity")
        if self.keeping is not None:
            is_plain = coding == "identity" and self.keeping.begins(event.status, kind)
            self.keeping = self.keeping if is_plain else None
        if self._overseen is not None:
            action = self._overseen.begins(event, changed)
            self.is_over = self._overseen.is_over
            return action
        is_changed = self._is_read_whole(event.status)
        if self._stream is not None or self.keeping is not None or is_changed:
            return Watch(remove_headers=(_LENGTH,))
        self.is_over = True
        return ChangeHeaders(changed) if changed else CONTINUE

    def on_answer(self, event: ResponseBody) -> Answering:
        """A piece of it."""
        try:
            said = self._upward(event)
        except EventTooLarge:
            self.is_over = True
            told = saying.refused(_TOO_LARGE, self._message.raw_id).body
            return Finish(b"\ndata: %s\n\n" % told, _SERVERS_FAULT)  # a new event, whatever began
        if self.keeping is not None:
            self.keeping.feed(said, is_end=event.is_end)
        if self._overseen is None:
            self.is_over = event.is_end
            return Replace(said)
        found = self._overseen.take(said, is_end=event.is_end)
        return self._passed(found) if isinstance(found, Struct) else later(found, self._passed)

    def give_up(self) -> None:
        """Its time is over. The hub tells the server itself, and so does the end of a stream where
        there are no sessions ("Cancellation")."""
        is_told = self._is_bridged or headers.is_modern(self._session.revision)
        if not is_told and self._message.kind is Kind.REQUEST:
            federation, own_id = self._caller.serving.federation, self._own_id
            self._own_id = b""
            raw_id = own_id or self._message.raw_id
            federation.call_off(self._served, self._session, raw_id, LATE)

    def on_close(self) -> None:
        """The request is over. Where its client has left before the answer, an older server does
        not take the end of the stream for the end of the call ("Cancellation")."""
        if self._own_id and not self.is_over:
            federation = self._caller.serving.federation
            federation.call_off(self._served, self._session, self._own_id)

    def _passed(self, action: Action) -> Action:
        self.is_over = self._overseen is None or self._overseen.is_over
        return action

    def _upward(self, event: ResponseBody) -> bytes:
        """What it says, with ids that name the server. Raises `EventTooLarge`."""
        stream = self._stream
        if stream is not None:
            said = stream.feed(event.body)
            if event.is_end:
                said += stream.end()
                self._tell_of(stream.refused)
            return said
        if self._is_bridged or not self._names_tasks():
            return event.body
        self._pieces.append(event.body)
        if not event.is_end:
            return b""
        whole = b"".join(self._pieces)
        return upward(self._origin(), whole) or whole

    def _tell_of(self, refused: int) -> None:
        if refused:
            name = self._served.name
            logger.warning("the MCP server %s said %d messages that cannot be read", name, refused)

    def _origin(self) -> Origin:
        message = self._message
        return Origin(
            self._served.name,
            message.method,
            key=self._whose.key,
            shown_uri=self._shown_uri,
            completes=self._is_older,
            raw_id=message.raw_id if self._own_id else b"",
            log_level=headers.log_level(message) if self._is_older else None,
        )

    def _is_read_whole(self, status: int) -> bool:
        """Whether a plain answer is changed; what comes of the hub already is."""
        if self._is_bridged:
            return False
        return self._is_older or (self._names_tasks() and status < 300)

    def _shown_uri(self, uri: str) -> str:
        kept = self._caller.serving.federation.renamed
        return kept.shown(self._whose.session.nonce, self._served.name, uri)

    def _names_tasks(self) -> bool:
        """Whether a plain answer can have ids of the server's in it, or lacks what the client's
        revision wants in all."""
        if self._is_older:
            return True
        return "task" in self._message.params or self._message.method.startswith("tasks/")

    def _had_session(self) -> bool:
        return any(name == headers.SESSION_ID for name, _ in self._head)

    def _said(
        self, session: ServerSession, name: str, *, is_modern: bool
    ) -> tuple[tuple[str, str], ...]:
        """The headers of the server's own era."""
        said: list[tuple[str, str]] = [(headers.PROTOCOL_VERSION, session.revision)]
        if session.id:
            said.append((headers.SESSION_ID, session.id))
        if is_modern and self._message.method:
            said.append((headers.METHOD, self._message.method))
            if self._message.method in headers.SOURCES:
                said.append((headers.NAME, headers.encoded(name)))
        return tuple(said)

    def _enveloped(self, token: str) -> tuple[str, str]:
        """What the hub is told of a message that goes by it."""
        key, revision = self._whose.session.nonce, self._session.revision
        envelope = Envelope(self._served.name, revision, key, self._caller.binding, token)
        return (names.MCP_ROUNDS_HEADER, rounds.encode(envelope))

    async def _unauthorized(self) -> Action:
        """The server takes the caller's token no more: another is shown, or the caller asked."""
        caller, server = self._caller, self._served.name
        connections, principal = caller.serving.connections, caller.facts.principal
        self.is_over = True
        if connections is None or principal is None:
            return CONTINUE
        refused = caller.tokens.get(server, "").removeprefix("Bearer ")
        try:
            token = await connections.replaced(server, owner_of(principal), refused)
        except NoToken as error:
            deny = consenting.unavailable(server, error)
            return saying.refused(deny, self._message.raw_id)
        if token is None:
            return consenting.asked(caller, self._whose, self._message, server)
        shown = f"Bearer {token}"
        return await self._once_more(showing(self._served, shown), self._session, shown)

    async def _again(self) -> Action:
        """The server's session is over, though the client's is not: it was restarted."""
        federation, served = self._caller.serving.federation, self._served
        session = await federation.reopen(served, self._whose)
        self.is_over = True
        message = self._message
        if session is None:
            text = f"the server '{served.name}' has lost its session, and begins none"
            body = jsonrpc.error(message.raw_id, jsonrpc.INTERNAL_ERROR, text)
            return Respond(502, JSON, body, "dragoman_mcp_session_lost")
        return await self._once_more(served, session, self._caller.tokens.get(served.name, ""))

    def worded(self, served: Served, session: ServerSession, token: str) -> tuple[Served, Asked]:
        """The message as we send it ourselves, and where: the hub is asked as a server is."""
        head = requests.head(served, session, self._message.method)
        if not self._is_bridged:
            return served, Asked("POST", served.path, head, self._body, is_clients=True)
        head = (*head, self._enveloped(token))
        return (
            replace(served, cluster=names.HUB_CLUSTER),
            Asked("POST", names.HUB_ROUNDS, head, self._body),
        )

    async def _once_more(self, served: Served, session: ServerSession, token: str) -> Action:
        """The message is sent again by us, and its answer told."""
        federation, message = self._caller.serving.federation, self._message
        served, asked = self.worded(served, session, token)
        answer = await federation.replay(served, asked)
        if message.raw_id == jsonrpc.NO_ID or message.is_answer:
            return accepted()
        if answer.result is not None:
            body = jsonrpc.result(message.raw_id, answer.result)
        elif answer.error is not None:
            body = b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (message.raw_id, answer.error)
        elif answer.is_question:
            federation.give_up(served, session, asked)
            body = self._called_off()
        else:
            body = jsonrpc.error(message.raw_id, jsonrpc.INTERNAL_ERROR, answer.why)
            return Respond(502, JSON, body, "dragoman_mcp_no_answer")
        if not self._is_bridged:
            body = upward(self._origin(), body) or body
        if self._overseen is not None:
            body = await self._overseen.whole(body)
        return Respond(200, JSON, body, "dragoman_mcp")

    def _called_off(self) -> bytes:
        """What models are told, so that they can call again; an error of the protocol reaches
        none."""
        message = self._message
        if message.method == "tools/call":
            is_modern = self._whose.is_sessionless
            return saying.withheld(_ASKS, message.raw_id, is_tool=True, is_modern=is_modern)
        data = {"code": _ASKS.code}
        return jsonrpc.error(message.raw_id, jsonrpc.INTERNAL_ERROR, _ASKS.reason, data)


def crosses(message: Message, whose: Whose, session: ServerSession) -> bool:
    """Whether it goes by the hub, since the server may ask a client of the other era back; so does
    the answer to what was asked there."""
    if message.is_answer:
        found = ids.inward(message.id, whose.key)
        return found is not None and rounds.read_own_id(found[1]) is not None
    is_of_other_era = headers.is_modern(session.revision) is not whose.is_sessionless
    is_long = message.method in rounds.METHODS
    return is_of_other_era and is_long and rounds.can_be_asked(bytes(whose.client.capabilities))


def _with_meta(body: bytes, revision: str, whose: Whose) -> bytes:
    """What a server without sessions wants said with each request."""
    client = whose.client
    said = {
        headers.META_VERSION: msgspec.json.encode(revision),
        headers.META_CLIENT_INFO: bytes(client.info),
        headers.META_CAPABILITIES: bytes(client.capabilities),
    }
    return messages.rewritten(body, {(*messages.META, name): each for name, each in said.items()})
