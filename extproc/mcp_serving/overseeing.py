"""An answer of an MCP server on its way to the client, past the guards and rules that read it.

One JSON document waits until it is whole; of an event stream, each event does. What no guard
changes stays as it is. Bounded memory: what is larger than `LARGEST_BYTES` is refused.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct, structs

from extproc.audits import Audits
from extproc.events import CONTINUE, Action, ChangeHeaders, Replace, Respond, ResponseHeaders, Watch
from extproc.facts import Facts
from extproc.inquiring import Inquirer
from extproc.mcp import jsonrpc, messages
from extproc.mcp_serving.guarding import McpGuards, read
from extproc.mcp_serving.saying import JSON, withheld
from extproc.policies.authorize import Authorize
from extproc.policies.inquiry import Inquiry
from extproc.verdict import By, Deny, PolicyKind

LARGEST_BYTES: Final = 16 << 20
"""Of one message."""
LENGTH: Final = "content-length"
CODINGS: Final = "accept-encoding"
"""Removed from requests whose answers are read."""
_EVENTS: Final = "text/event-stream"
_JSON: Final = "application/json"
_PLAIN: Final[Mapping[str, str]] = MappingProxyType({"content-type": _JSON})
"""Headers of answers that Envoy has not shown."""
_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
"""What ends an event."""
_LONGEST_CUT: Final = 3
"""Of what ends one, without its last byte."""
_LINE: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MESSAGE: Final = frozenset({b"", b"message"})
"""Names of events that are messages."""
_TOO_LARGE: Final = Deny(
    502,
    "answer_too_large",
    f"the answer is larger than what guards read: {LARGEST_BYTES >> 20} MiB",
    by=By(PolicyKind.ANSWER),
)
_CODED: Final = Deny(
    502,
    "unreadable_answer",
    "guards cannot read the answer: it has a content coding that nobody asked for",
    by=By(PolicyKind.ANSWER),
)
_UNJUDGED: Final = Deny(
    403,
    "permission_denied",
    "rules of responses cannot judge a result in a stream that was taken up again",
    by=By(PolicyKind.RULE),
)

_Judged: TypeAlias = bytes | Deny
_Work: TypeAlias = Generator[Inquiry[_Judged], _Judged, bytes]
"""What asks, and ends with what goes on."""


class AskedFor(Struct, frozen=True):
    """What the client asked, that is answered."""

    method: str = ""
    """Empty: nothing, as in a stream that a GET opens."""
    raw_id: bytes = jsonrpc.NO_ID
    is_modern: bool = False
    is_task: bool = False
    """Its result is no tool's, but a task."""
    is_introduction: bool = False
    """Its result is a list, or what a server says of itself, and nothing else."""

    @property
    def is_tool(self) -> bool:
        """Its result is one of a tool."""
        return self.method == "tools/call" and not self.is_task


class Overseers(Struct, frozen=True):
    """Who reads answers."""

    guards: McpGuards | None
    rules: Authorize | None
    """Of responses."""
    inquirer: Inquirer
    audits: Audits


class OverseenAnswer:
    """The answer to one request."""

    __slots__ = (
        "_asked",
        "_audits",
        "_edge",
        "_facts",
        "_guards",
        "_head",
        "_in_turn",
        "_inquirer",
        "_is_begun",
        "_is_closed",
        "_is_stream",
        "_pending",
        "_pending_bytes",
        "_rules",
        "_status",
        "_waiting",
        "is_over",
    )

    def __init__(
        self,
        overseers: Overseers,
        facts: Sequence[Facts],
        asked: AskedFor,
    ) -> None:
        """`facts`: one for each server whose words these may be."""
        self._guards, self._rules = overseers.guards, overseers.rules
        self._inquirer, self._audits = overseers.inquirer, overseers.audits
        self._status, self._head = 200, _PLAIN
        self._facts = tuple(facts)
        self._asked = asked
        self._in_turn = asyncio.Lock()
        self._is_begun = False
        self._is_closed = False
        """Nothing more goes on: the client has its answer."""
        self._is_stream = False
        self._pending: list[bytes] = []
        """Of what has not ended."""
        self._pending_bytes = 0
        self._edge = b""
        """The end of it, where an empty line can have been cut."""
        self._waiting = 0
        """Pieces that wait for services, or for those before them."""
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def begins(
        self, event: ResponseHeaders, set_headers: tuple[tuple[str, str], ...] = ()
    ) -> Action:
        """What is done with its headers; it is over where its body has nothing to read."""
        self._status, self._head = event.status, event.headers
        shown = self._is_shown(event)
        if shown is True:
            return Watch(set_headers, (LENGTH,))
        self.is_over = True
        if shown is False:
            return ChangeHeaders(set_headers) if set_headers else CONTINUE
        self._denied(shown)
        return Respond(
            200, JSON, self._withheld(shown, self._asked.raw_id), f"dragoman_{shown.code}"
        )

    def _is_shown(self, event: ResponseHeaders) -> bool | Deny:
        head = event.headers
        kind = head.get("content-type", "").partition(";")[0].strip().lower()
        self._is_stream = kind == _EVENTS
        if event.status in (202, 204) or head.get(LENGTH) == "0":
            return False
        if event.status >= 300 and kind not in (_JSON, _EVENTS):
            return False  # no message of MCP: clients show none of it to models
        return _CODED if head.get("content-encoding", "identity") != "identity" else True

    def take(self, data: bytes, *, is_end: bool) -> Action | Awaitable[Action]:
        """What goes on in the place of a piece; pieces go on in the order in which they came."""
        work = self._passing(data, is_end=is_end)
        inquiry: Inquiry[_Judged] | None = None
        if not self._waiting:
            try:
                inquiry = next(work)
            except StopIteration as done:
                self.is_over = is_end
                return Replace(done.value)
        self._waiting += 1
        return self._in_order(work, inquiry, is_end=is_end)

    async def whole(self, text: bytes) -> bytes:
        """A whole message, as it may go on, or what is said instead."""
        return await self._settled(self._message(text), None)

    async def _in_order(
        self, work: _Work, inquiry: Inquiry[_Judged] | None, *, is_end: bool
    ) -> Action:
        try:
            async with self._in_turn:
                said = await self._settled(work, inquiry)
                self.is_over = is_end
                return Replace(said)
        finally:
            self._waiting -= 1

    async def _settled(self, work: _Work, inquiry: Inquiry[_Judged] | None) -> bytes:
        """What comes of it, when all that it asks has been asked."""
        try:
            if inquiry is None:
                inquiry = next(work)
            while True:
                inquiry = work.send(await self._inquirer.settled(inquiry))
        except StopIteration as done:
            said: bytes = done.value
            return said

    def _passing(self, data: bytes, *, is_end: bool) -> _Work:
        said: list[bytes] = []
        for whole in self._wholes(data, is_end=is_end):
            if self._is_closed:
                break
            said.append((yield from (self._event if self._is_stream else self._message)(whole)))
        if self._pending_bytes > LARGEST_BYTES and not self._is_closed:
            self._taken()
            self._denied(_TOO_LARGE)
            body = self._closing(_TOO_LARGE)
            said.append(b"data: " + body + b"\n\n" if self._is_stream and body else body)
        return b"".join(said)

    def _message(self, text: bytes) -> _Work:
        document = read(text)
        if isinstance(document, Deny):
            return self._instead({}, document)
        judged = yield from self._judged(text, document)
        return self._instead(document, judged) if isinstance(judged, Deny) else judged

    def _judged(
        self, text: bytes, document: Mapping[str, object]
    ) -> Generator[Inquiry[_Judged], _Judged, _Judged]:
        """Past the rules, and the guards, of each server that may have said it."""
        for facts in self._facts:
            denied = self._ruled(facts, document)
            if denied is not None:
                return denied
            if self._guards is None:
                continue
            of_itself, said = self._guards.introduced, self._guards.said
            for reading in (of_itself,) if self._asked.is_introduction else (of_itself, said):
                found = reading(facts, text, document)
                judged = (yield found) if isinstance(found, Inquiry) else found
                if isinstance(judged, Deny):
                    return judged
                if judged is not text:
                    changed = read(judged)
                    if isinstance(changed, Deny):
                        return changed
                    text, document = judged, changed
        return text

    def _ruled(self, facts: Facts, document: Mapping[str, object]) -> Deny | None:
        """Why rules of responses let a result not go on."""
        result, call = document.get("result"), facts.mcp
        if self._rules is None or call is None or "method" in document:
            return None
        if self._asked.is_introduction:
            return None
        if not isinstance(result, dict):
            return None
        if not self._asked.method:
            return _UNJUDGED if self._rules.are_for(facts) else None
        known = structs.replace(
            facts,
            mcp=structs.replace(call, result=result),
            status=self._status,
            answer_headers=self._head,
        )
        verdict = self._rules.on_response(known)
        return verdict if isinstance(verdict, Deny) else None

    def _event(self, block: bytes) -> _Work:
        """An event of a stream, with the empty line that ends it."""
        if not self._is_begun:
            self._is_begun = True
            block = block.removeprefix(_BYTE_ORDER_MARK)
        lines = _LINE.split(block)
        fields = [each.partition(b":") for each in lines]
        data = [value.removeprefix(b" ") for name, _, value in fields if name == b"data"]
        names = [value.removeprefix(b" ") for name, _, value in fields if name == b"event"]
        text = b"\n".join(data)
        if not text.strip():
            return block
        if names and names[-1] not in _MESSAGE:
            return b""  # no message of MCP: nobody has read it
        said = yield from self._message(text)
        if said == text:
            return block
        kept = [each for each, (name, _, _) in zip(lines, fields, strict=True) if name != b"data"]
        told = [b"data: " + each for each in said.split(b"\n")] if said else []
        return b"".join(each + b"\n" for each in [*filter(None, kept), *told]) + b"\n"

    def _instead(self, document: Mapping[str, object], deny: Deny) -> bytes:
        """What is said in the place of a message that may not go on; empty: nothing."""
        self._denied(deny)
        is_asking, identity = "method" in document, document.get("id")
        if not is_asking and messages.is_id(identity):
            return self._withheld(deny, msgspec.json.encode(identity))
        return b"" if is_asking and identity is None else self._closing(deny)

    def _closing(self, deny: Deny) -> bytes:
        """The answer to what was asked, after which nothing of it follows."""
        if not self._asked.method:
            return b""
        self._is_closed = True
        return self._withheld(deny, self._asked.raw_id)

    def _withheld(self, deny: Deny, raw_id: bytes) -> bytes:
        asked = self._asked
        return withheld(deny, raw_id, is_tool=asked.is_tool, is_modern=asked.is_modern)

    def _denied(self, deny: Deny) -> None:
        self._audits.refused(self._facts[0], deny, PolicyKind.ANSWER)

    def _wholes(self, data: bytes, *, is_end: bool) -> list[bytes]:
        """The documents or events that end with this piece."""
        if self._is_closed:
            return []
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > LARGEST_BYTES and not self._is_stream:
            return []
        if not self._is_stream:
            return [self._taken()] if is_end and self._pending_bytes else []
        edge = self._edge + data
        self._edge = edge[-_LONGEST_CUT:]
        if not is_end and _BLANK.search(edge) is None:
            return []
        text = self._taken()
        found: list[bytes] = []
        start = 0
        for each in _BLANK.finditer(text):
            found.append(text[start : each.end()])
            start = each.end()
        rest = text[start:]
        if is_end:
            return [*found, rest] if rest else found
        self._pending.append(rest)
        self._pending_bytes = len(rest)
        self._edge = rest[-_LONGEST_CUT:]
        return found

    def _taken(self) -> bytes:
        text = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return text
