"""Results of tools that only read, kept for a while: which may be kept, and for whom.

Bounded by entries and bytes: what was asked for longest ago goes first. A result is kept as its
server said it, before guards of answers read it, since they may be others for another caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from extproc.mcp.messages import Kind, Message
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge, SseDecoder

MOST_ENTRIES: Final = 4096
MOST_BYTES: Final = 64 << 20
LARGEST_BYTES: Final = 1 << 20
"""Of one result."""
CACHED: Final = "dragoman/cached"
"""In `_meta` of a result that was kept: for how many seconds, as `age`."""
_META: Final = ("_meta", CACHED)
_ROUNDS: Final = ("inputResponses", "requestState", "task")
"""Parameters of calls that are more than a question and an answer."""
_EVENTS: Final = "text/event-stream"
_OK: Final = 200
_canonical = msgspec.json.Encoder(order="sorted")

Key: TypeAlias = tuple[str, str, bytes, str, bool]


class _Result(Struct, frozen=True):
    text: bytes
    at: float
    until: float


class Results:
    """The clock gives seconds that never go back."""

    __slots__ = ("_bytes", "_clock", "_kept")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, _Result] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key) -> bytes | None:
        """The result, which says how old it is; None: there is none."""
        found = self._kept.get(key)
        now = self._clock()
        if found is None:
            return None
        if found.until <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return json_spans.replace_at(found.text, {_META: b'{"age":%d}' % int(now - found.at)})

    def put(self, key: Key, text: bytes, seconds: float) -> None:
        """Keep a result, which is a JSON object."""
        self._drop(key)
        now = self._clock()
        self._kept[key] = _Result(text, now, now + seconds)
        self._bytes += _size(key, text)
        while self._bytes > MOST_BYTES or len(self._kept) > MOST_ENTRIES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= _size(key, found.text)


class Keeping:
    """What comes back for one call, on its way to be kept."""

    __slots__ = ("_is_stream", "_key", "_pieces", "_results", "_seconds", "_size")

    def __init__(self, results: Results, key: Key, seconds: float) -> None:
        self._results, self._key, self._seconds = results, key, seconds
        self._is_stream = False
        self._pieces: list[bytes] = []
        self._size = 0

    def begins(self, status: int, content_type: str) -> bool:
        """Whether it may be kept."""
        self._is_stream = content_type.startswith(_EVENTS)
        return status == _OK

    def feed(self, data: bytes, *, is_end: bool) -> None:
        """A piece of it."""
        self._size += len(data)
        if self._size > LARGEST_BYTES:
            self._pieces.clear()
            return
        self._pieces.append(data)
        if is_end:
            found = _result(b"".join(self._pieces), is_stream=self._is_stream)
            if found is not None:
                self._results.put(self._key, found, self._seconds)


def may_be_kept(message: Message) -> bool:
    """Whether what is asked has one answer, and nothing beside it: no progress, no task, no more
    rounds."""
    if message.kind is not Kind.REQUEST or message.method != "tools/call":
        return False
    params = message.params
    return "progressToken" not in message.meta and not any(each in params for each in _ROUNDS)


def key_of(message: Message, server: str, tool: str, whose: str, *, is_modern: bool) -> Key:
    """By which a result is known; `whose`: empty, everybody's. Results of the two eras differ."""
    return server, tool, _canonical.encode(message.arguments), whose, is_modern


def is_read_only(definition: bytes) -> bool:
    """Whether a tool says of itself that it only reads ("Tool Annotations")."""
    return json_spans.value_at(definition, ("annotations", "readOnlyHint")) == b"true"


def _size(key: Key, text: bytes) -> int:
    return len(text) + len(key[2])


def _result(body: bytes, *, is_stream: bool) -> bytes | None:
    """The result that an answer is; None: it failed, or is more than that."""
    try:
        texts = [body]
        if is_stream:
            texts = [each.data for each in SseDecoder().feed(body + b"\n\n") if each.data.strip()]
        found: bytes | None = None
        for text in texts:
            message = json_spans.decode(text)
            if "method" in message:
                if "id" in message:
                    return None  # the client was asked back
                continue
            if not _is_whole(message.get("result")):
                return None
            found = json_spans.value_at(text, ("result",))
    except (InvalidJson, EventTooLarge, UnicodeDecodeError):
        return None
    return found


def _is_whole(result: object) -> bool:
    if type(result) is not dict or result.get("isError") not in (None, False):
        return False
    is_complete = result.get("resultType", "complete") == "complete" and "task" not in result
    return is_complete and isinstance(result.get("_meta", {}), dict)
