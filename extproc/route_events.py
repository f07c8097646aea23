"""The events of a plain route's stream as documents that guards read: `{"event": "a", "body": …}`.

What an event says stands there as it came, if it is JSON, else as a string. Texts go on from event
to event; an object does not, but for the pieces of a model's speech that are known by their form.
What readers of events pass over, comments and fields that are none, goes nowhere: who reads bytes
would be told what nobody has read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from msgspec.structs import replace

from extproc.event_frames import EventFrames, Kept, LineFrames
from extproc.llm import spots
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from extproc.llm.spots import Read, Spot, Spots
from extproc.protocols import json_spans
from extproc.protocols.json_spans import DuplicateKey, InvalidJson, TooComplex, TooDeep
from gateway.model import TextScope

EVENTS: Final = "text/event-stream"
_LINES: Final = frozenset(
    {
        "application/json-lines",
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/stream+json",
        "application/x-jsonlines",
        "application/x-ndjson",
    }
)
_BODY: Final = "body"
_EVENT: Final = "event"
_COMMENT: Final = b":\n\n"
"""It keeps a connection open, whatever it says."""
_DONE: Final = "[DONE]"
_TEXT: Final = ("text",)
_ENDED: Final = Spots((), None)
"""It is whole, and so is what was said before."""


def is_stream(kind: str) -> bool:
    """Whether answers of a content type come as events, or as lines."""
    return kind == EVENTS or kind in _LINES


class _Told(Frame, frozen=True):
    """An event as a document."""

    inner: Frame = Frame(b"")
    """As it is on the wire."""
    read: bytes = b""
    """The document, as it came."""
    is_json: bool = False


class _Raw(Protocol):
    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]: ...

    def aside(self) -> bytes: ...

    def said(self, frame: Frame) -> bytes: ...


class RouteFrames:
    """The events, or lines, of one stream."""

    __slots__ = ("_is_lines", "_raw")

    def __init__(self, kind: str) -> None:
        """`kind`: the content type."""
        self._is_lines = kind != EVENTS
        self._raw: _Raw = LineFrames() if self._is_lines else EventFrames()

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """What these bytes complete. Raises `UnreadableAnswer`."""
        return [self._told(each) for each in self._raw.feed(data, is_end=is_end)]

    def aside(self) -> bytes:
        """What stands for comments, which need not wait for what is held back."""
        return _COMMENT if self._raw.aside() else b""

    def said(self, frame: Frame) -> bytes:
        """It on the wire."""
        if not isinstance(frame, _Told):
            raise TypeError("an event that was not read here")
        if frame.data == frame.read:
            return self._raw.said(frame.inner)
        inner = frame.inner
        told = json_spans.members(frame.data)
        new = told.get(_BODY, b"")
        text = None if frame.is_json or not new else json_spans.decode_any(new)
        if isinstance(text, str):
            new = text.replace("\r\n", "\n").replace("\r", "\n").encode()
        name = json_spans.decode_any(told[_EVENT]) if _EVENT in told else ""
        if isinstance(name, str) and name != inner.name and isinstance(inner, Kept):
            return _written(_named(inner.others, name), new)
        return self._raw.said(replace(inner, data=new))

    def closing(self, error: bytes) -> bytes:
        """What ends it, and says why."""
        return error + b"\n" if self._is_lines else b"event: error\ndata: %b\n\n" % error

    def _told(self, frame: Frame) -> Frame:
        said = frame.data
        is_json = _is_json(said)
        if self._is_lines and said and not is_json:
            raise UnreadableAnswer("a line is no JSON")
        members = [b'"event":' + json_spans.encode(frame.name)] if frame.name else []
        if said:
            members.append(b'"body":' + (said if is_json else json_spans.encode(_decoded(said))))
        document = b"{%b}" % b",".join(members)
        inner = _trimmed(frame) if isinstance(frame, Kept) else frame
        return _Told(document, inner=inner, read=document, is_json=is_json)


def _trimmed(event: Kept) -> Kept:
    """With the lines that readers of events know."""
    if all(map(_is_known, event.others)):  # as nearly all are
        return event
    others = tuple(filter(_is_known, event.others))
    return replace(event, others=others, written=_written(others, event.data))


def _written(others: Sequence[bytes], data: bytes) -> bytes:
    """An event on the wire; nothing, if it says nothing."""
    lines = (*others, *(b"data: " + each for each in (data.split(b"\n") if data else ())))
    return b"\n".join((*lines, b"\n")) if lines else b""


def _is_known(line: bytes) -> bool:
    field, _, value = line.partition(b":")
    return field in (b"event", b"id") or (field == b"retry" and value.strip().isdigit())


def _named(others: Sequence[bytes], name: str) -> Sequence[bytes]:
    """With another name."""
    kept = (each for each in others if each.partition(b":")[0] != b"event")
    return (*kept, f"event: {' '.join(name.splitlines())}".encode())


def _is_json(said: bytes) -> bool:
    """Raises `UnreadableAnswer`, where two readers could read it differently."""
    if said.lstrip()[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        json_spans.decode_any(said)
    except (DuplicateKey, TooComplex, TooDeep) as error:
        raise UnreadableAnswer(str(error)) from None
    except InvalidJson:
        return False
    return True


def _decoded(said: bytes) -> str:
    try:
        return said.decode()
    except UnicodeDecodeError:
        raise UnreadableAnswer("it is not utf-8") from None


def _ollama(event: dict[str, Any]) -> Spots:
    """https://docs.ollama.com/api: `generate` and `chat`."""
    is_done = event.get("done")
    if type(is_done) is not bool:
        return Spots(())
    message = event.get("message")
    holder, name = (message, "content") if type(message) is dict else (event, "response")
    if type(holder.get(name)) is not str:
        return Spots((), None if is_done else ())
    spot = Spot(("ollama",), holder, name, TextScope.ASSISTANT)
    return Spots((spot,), None if is_done else ())


_SPEECH: Final[Sequence[Read]] = (
    spots.chat,
    spots.anthropic,
    spots.responses,
    spots.gemini,
    _ollama,
)


def read(document: dict[str, Any]) -> Spots:
    """The pieces in an event; where it has none, what was said before has ended."""
    body = document.get(_BODY)
    if type(body) is str and body.strip() != _DONE:
        return Spots((Spot(_TEXT, document, _BODY, TextScope.ASSISTANT),))
    if type(body) is dict:
        for each in _SPEECH:
            found = each(body)
            if found.spots:
                return found
    return _ENDED
