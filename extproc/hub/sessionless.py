"""Requests of revisions without sessions, for one server: all go to one process, or connection.

Whether the server is of that era is found out by asking, once; to one that is not, its clients are
told what makes them fall back to `initialize`.
https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from extproc.hub import envelope, replies
from extproc.hub.envelope import Message
from extproc.hub.lines import Line, discovering
from extproc.hub.links import Connect
from extproc.hub.reading import Form
from extproc.hub.replies import Telling
from extproc.hub.session import Limits, Refused, Session
from extproc.hub.terms import Terms
from extproc.hub.web import Reply, Request
from extproc.mcp import jsonrpc

logger = logging.getLogger(__name__)

DISCOVER_SECONDS = 10.0
"""Servers of the other era may say nothing to what they do not know."""
STATUS_OF_ERROR = {
    jsonrpc.METHOD_NOT_FOUND: 404,
    jsonrpc.HEADER_MISMATCH: 400,
    jsonrpc.MISSING_CLIENT_CAPABILITY: 400,
    jsonrpc.UNSUPPORTED_PROTOCOL_VERSION: 400,
}
_OF_THIS_ERA = frozenset(
    (
        jsonrpc.HEADER_MISMATCH,
        jsonrpc.MISSING_CLIENT_CAPABILITY,
        jsonrpc.UNSUPPORTED_PROTOCOL_VERSION,
    )
)
_PLAIN = Form(is_numbered=False, is_primed=False)


class Sessionless:
    """What of a server its clients of that era need."""

    def __init__(
        self, name: str, connect: Connect, terms: Terms, clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._connect = connect
        self._terms = terms
        self._clock = clock
        self._limits = Limits(terms.requests, terms.buffer_bytes)
        self._line: Line | None = None
        self._is_of_other_era = False

    async def answer(self, request: Request, message: Message) -> Reply:
        """One request. Raises `Refused`."""
        line = await self._ready(request, message)
        session = Session(lambda said, text: line.sharing.say(session, said, text), self._limits)
        line.join(session, hears_all=False)
        try:
            alone = not replies.takes_events(request)
            stream = session.post(message, request.body, is_answer_alone=alone)
        except BaseException:
            line.leave(session)
            raise
        if stream is None:
            line.leave(session)
            return Reply(202)
        telling = Telling(
            session,
            _PLAIN,
            takes_events=replies.takes_events(request),
            takes_json=replies.takes_json(request),
            closed=lambda: line.leave(session),  # which calls it off, if it is not answered
            status_of=STATUS_OF_ERROR,
        )
        return await replies.told(stream, telling)

    async def close(self) -> None:
        """Stop what was started."""
        if self._line is not None:
            await self._line.close()

    async def _ready(self, request: Request, message: Message) -> Line:
        if self._is_of_other_era:
            raise self._fall_back()
        line = self._line
        if line is None:
            line = self._line = self._new_line(message)
        try:
            greeted = await line.ready(request.headers)
        except Refused as refusal:
            logger.info("MCP server %s: no answer to server/discover: %s", self._name, refusal)
            raise self._fall_back() from None
        if greeted.result is not None or envelope.error_code(greeted) in _OF_THIS_ERA:
            return line
        self._is_of_other_era = True
        await line.close()
        raise self._fall_back()

    def _new_line(self, message: Message) -> Line:
        revision = envelope.meta_text(message, envelope.PROTOCOL_VERSION) or ""
        seconds = min(DISCOVER_SECONDS, self._terms.start_seconds)
        return Line(self._name, self._connect, self._clock, seconds, discovering(revision))

    def _fall_back(self) -> Refused:
        """No code of that era: its clients go on with `initialize`."""
        text = f"server {self._name} is of a revision that begins with initialize"
        return Refused(400, jsonrpc.INVALID_REQUEST, text)
