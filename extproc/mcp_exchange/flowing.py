"""An answer that may take too long: it flows by here, so that the end of its time can be told.

Envoy cuts an event stream whose time is over, and says nothing: docs/decisions/0008. So shortly
before, the stream is ended here, with an error that answers the request; one of which no byte has
come yet is answered with 504, since its headers are held until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Finish,
    Flow,
    Replace,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Watch,
)
from extproc.later import later
from extproc.mcp import jsonrpc
from extproc.mcp_exchange.asked import Answering, Talk
from extproc.mcp_serving.saying import refused
from extproc.verdict import Deny

_EVENTS: Final = "text/event-stream"
_PLAIN: Final = "identity"
_TIMEOUT: Final = 504
_AS_THEY_ARE: Final = ChangeHeaders(())
_NOTHING: Final = Flow()
_EARLY_SECONDS: Final = 0.1
"""So much before Envoy the time is over here, at most, and a tenth of it."""
_ENDS: Final = (b"\n\n", b"\r\r", b"\r\n\r\n")
"""What ends an event."""
_LONGEST_END: Final = 4
_LATE: Final = Deny(_TIMEOUT, "server_timeout", "the MCP server did not answer in time")


class FlowingAnswer:
    """The answer to one request."""

    __slots__ = (
        "_clock",
        "_done",
        "_head",
        "_is_coded",
        "_is_read",
        "_raw_id",
        "_tail",
        "_talk",
        "_until",
        "is_begun",
        "is_over",
    )

    def __init__(self, talk: Talk, clock: Callable[[], float]) -> None:
        """The clock gives seconds that never go back."""
        self._talk = talk
        self._clock = clock
        self._until: float | None = None
        self._raw_id = jsonrpc.NO_ID
        self._done = asyncio.Event()
        self._head: ChangeHeaders | None = None
        """Not sent on yet."""
        self._is_coded = False
        """Nothing that we say can stand in it."""
        self._is_read = False
        """By the talk."""
        self._tail = _ENDS[0]
        """The last of what was sent on."""
        self.is_begun = False
        self.is_over = False
        """Nothing of it follows: what Envoy has shown once, it does not send on by itself."""

    def sent(self, raw_id: bytes, seconds: float | None) -> None:
        """The request goes on; `seconds`: within which it has to be answered."""
        self._raw_id = raw_id
        if seconds is not None:
            self._until = self._clock() + seconds - min(_EARLY_SECONDS, seconds / 10)

    def on_event(self, event: ResponseHeaders | ResponseBody | ResponseEnd) -> Answering:
        """What goes on."""
        if self.is_over:
            return _NOTHING
        if isinstance(event, ResponseHeaders):
            self.is_begun = True
            found = self._talk.on_response(event)
            if isinstance(found, Struct):
                return self._begun(event, found)
            return later(found, lambda action: self._begun(event, action))
        if isinstance(event, ResponseEnd):
            return self._piece(ResponseBody(b"", is_end=True), _AS_THEY_ARE)
        return self._piece(event, None)

    def on_close(self) -> None:
        """The request is over."""
        self._done.set()

    def _begun(self, event: ResponseHeaders, action: Action) -> Answering:
        match action:
            case Watch():
                self._is_read = True
                self._head = ChangeHeaders(action.set_headers, action.remove_headers)
            case ChangeHeaders():
                self._head = action
            case _ if action is CONTINUE:
                self._head = _AS_THEY_ARE
            case _:
                self.is_over = True
                return action
        self._is_coded = event.headers.get("content-encoding", _PLAIN) != _PLAIN
        is_stream = event.headers.get("content-type", "").startswith(_EVENTS)
        if self._until is not None and is_stream and not event.is_end:
            return self._in_time(self._until)
        if event.status == _TIMEOUT and self._until is not None and self._until <= self._clock():
            self._talk.give_up()  # it has said nothing, and Envoy answers
        self.is_over = event.is_end
        return Flow(self._taken_head())

    async def _in_time(self, until: float) -> Action:
        try:
            async with asyncio.timeout(max(0.0, until - self._clock())):
                await self._done.wait()
        except TimeoutError:
            return self._late()
        return _NOTHING

    def _late(self) -> Action:
        self._talk.give_up()
        if self._head is not None:
            self.is_over = True
            return refused(_LATE, self._raw_id)
        if self._is_coded or not self._tail.endswith(_ENDS):
            return _NOTHING  # in the midst of an event, maybe: Envoy cuts it
        return self._closed(b"event: message\ndata: %s\n\n" % refused(_LATE, self._raw_id).body)

    def _closed(self, last: bytes) -> Flow:
        """Nothing follows but this."""
        self.is_over = True
        self._done.set()
        return Flow(self._taken_head(), last, is_end=True)

    def _piece(self, event: ResponseBody, trailers: ChangeHeaders | None) -> Answering:
        if not self._is_read:
            return self._passed(Replace(event.body), event, trailers)
        found = self._talk.on_answer(event)
        if isinstance(found, Awaitable):
            return later(found, lambda action: self._passed(action, event, trailers))
        return self._passed(found, event, trailers)

    def _passed(
        self, action: Action, event: ResponseBody, trailers: ChangeHeaders | None
    ) -> Action:
        if self.is_over:  # meanwhile
            return _NOTHING
        if isinstance(action, Finish):
            return self._closed(action.body)
        body = action.body if isinstance(action, Replace) else event.body
        if event.is_end:
            self.is_over = True
            self._done.set()
        elif not body:
            return _NOTHING
        self._tail = (self._tail + body)[-_LONGEST_END:]
        return Flow(self._taken_head(), body, event.is_end and trailers is None, trailers)

    def _taken_head(self) -> ChangeHeaders | None:
        head, self._head = self._head, None
        return head
