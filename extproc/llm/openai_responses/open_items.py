"""Items of a stream that are being told, and what is to be said of each until it is whole.

https://platform.openai.com/docs/api-reference/responses-streaming. An announcement is the type of
an event and its members; who writes the stream numbers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from extproc.llm.answer import Citation, Logprob
from extproc.llm.openai_responses.output import (
    annotation,
    call_item,
    custom_input,
    logprob_object,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from extproc.llm.request import Signature, Thinking, ToolCall
from extproc.protocols import json_spans

Members: TypeAlias = dict[str, object]
Announcement: TypeAlias = tuple[str, Members]

ITEM_ADDED = "response.output_item.added"
ITEM_DONE = "response.output_item.done"


def delta_head(kind: str, members: Members) -> bytes:
    """An event up to its delta: what is the same for all of a part."""
    start = json_spans.encode({"type": kind, **members})[:-1]
    return b'event: %s\ndata: %s,"delta":' % (kind.encode(), start)


class OpenMessage:
    """Texts and refusals of the assistant."""

    __slots__ = (
        "_annotations",
        "_content",
        "_logprobs",
        "_name",
        "_pieces",
        "before",
        "head",
        "index",
        "is_ended",
        "is_refusal",
        "signature",
    )

    def __init__(self, name: str, index: int, before: int) -> None:
        self._name = name
        self.index = index
        self._content: list[Members] = []
        self._pieces: list[str] | None = None
        """Of the part that is being told."""
        self._annotations: list[Members] = []
        self._logprobs: list[Members] = []
        self.before = before
        """Characters of the texts before this part."""
        self.head = b""
        self.is_ended = False
        """The part is whole, but what follows may still be about it."""
        self.is_refusal = False
        self.signature: Signature | None = None

    @property
    def is_telling(self) -> bool:
        """A part is open."""
        return self._pieces is not None

    def begin(self) -> list[Announcement]:
        item = {"id": self._name, **message_item("in_progress", [])}
        return [(ITEM_ADDED, {"output_index": self.index, "item": item})]

    def begin_part(self, *, is_refusal: bool) -> list[Announcement]:
        self._pieces = []
        self._annotations = []
        self._logprobs = []
        self.is_ended = False
        self.is_refusal = is_refusal
        kind = "response.refusal.delta" if is_refusal else "response.output_text.delta"
        self.head = delta_head(kind, self._place())
        part = refusal_part("") if is_refusal else text_part("")
        return [("response.content_part.added", {**self._place(), "part": part})]

    def add(self, text: str, logprobs: Sequence[Logprob]) -> list[Members]:
        """More of the part; its logprobs as they are told."""
        if self._pieces is not None:
            self._pieces.append(text)
        told = [logprob_object(each) for each in logprobs]
        self._logprobs += told
        return told

    def cite(self, citation: Citation) -> list[Announcement]:
        note = annotation(citation, self.before)
        place = {**self._place(), "annotation_index": len(self._annotations)}
        self._annotations.append(note)
        return [("response.output_text.annotation.added", {**place, "annotation": note})]

    def end_part(self) -> list[Announcement]:
        if self._pieces is None:
            return []
        text = "".join(self._pieces)
        self._pieces = None
        place = self._place()
        told: Announcement
        if self.is_refusal:
            part = refusal_part(text)
            told = ("response.refusal.done", {**place, "refusal": text})
        else:
            part = text_part(text, self._annotations, self._logprobs)
            self.before += len(text)
            members = {**place, "text": text, "logprobs": self._logprobs}
            told = ("response.output_text.done", members)
        self._content.append(part)
        return [told, ("response.content_part.done", {**place, "part": part})]

    def item(self, status: str = "completed") -> Members:
        return {"id": self._name, **message_item(status, self._content)}

    def _place(self) -> Members:
        index = len(self._content)
        return {"item_id": self._name, "output_index": self.index, "content_index": index}


class OpenThinking:
    """Reasoning, told as a summary of one part."""

    __slots__ = ("_is_redacted", "_name", "_pieces", "head", "index", "signature")

    def __init__(self, name: str, index: int) -> None:
        self._name = name
        self.index = index
        self._pieces: list[str] = []
        self._is_redacted = False
        self.head = b""
        self.signature: Signature | None = None

    def begin(self) -> list[Announcement]:
        item = {"id": self._name, **reasoning_item(Thinking("", is_redacted=True))}
        return [(ITEM_ADDED, {"output_index": self.index, "item": item})]

    def add(self, text: str) -> list[Announcement]:
        """More text; what is to be said before it."""
        self._pieces.append(text)
        return [] if self.head else self._begin_summary()

    def seal(self, signature: Signature, *, is_redacted: bool) -> None:
        self.signature = signature
        self._is_redacted = is_redacted

    def end(self) -> list[Announcement]:
        """All but that the item is done."""
        if self._is_redacted and not self._pieces:
            return []
        told = [] if self.head else self._begin_summary()
        text = "".join(self._pieces)
        part = {"type": "summary_text", "text": text}
        return [
            *told,
            ("response.reasoning_summary_text.done", {**self._place(), "text": text}),
            ("response.reasoning_summary_part.done", {**self._place(), "part": part}),
        ]

    def item(self) -> Members:
        is_redacted = self._is_redacted and not self._pieces
        thinking = Thinking("".join(self._pieces), self.signature, is_redacted)
        return {"id": self._name, **reasoning_item(thinking)}

    def _begin_summary(self) -> list[Announcement]:
        self.head = delta_head("response.reasoning_summary_text.delta", self._place())
        part = {"type": "summary_text", "text": ""}
        return [("response.reasoning_summary_part.added", {**self._place(), "part": part})]

    def _place(self) -> Members:
        return {"item_id": self._name, "output_index": self.index, "summary_index": 0}


class OpenCall:
    """A call of a tool. The text for a custom tool is told at its end: it comes within JSON."""

    __slots__ = ("_call_id", "_name", "_pieces", "_tool", "head", "index", "is_custom")

    def __init__(self, name: str, index: int, call: ToolCall, *, is_custom: bool) -> None:
        self._name = name
        self.index = index
        self._call_id = call.call_id
        self._tool = call.name
        self._pieces: list[str] = []
        self.is_custom = is_custom
        self.head = delta_head("response.function_call_arguments.delta", self._place())

    def begin(self) -> list[Announcement]:
        call = ToolCall(self._call_id, self._tool, "")
        item = call_item(call, is_custom=self.is_custom, status="in_progress")
        placed = {"output_index": self.index, "item": {"id": self._name, **item}}
        return [(ITEM_ADDED, placed)]

    def add(self, arguments: str) -> None:
        self._pieces.append(arguments)

    def end(self) -> list[Announcement]:
        """All but that the item is done."""
        arguments = self._arguments()
        if not self.is_custom:
            told = {**self._place(), "name": self._tool, "arguments": arguments}
            return [("response.function_call_arguments.done", told)]
        text = custom_input(arguments)
        return [
            ("response.custom_tool_call_input.delta", {**self._place(), "delta": text}),
            ("response.custom_tool_call_input.done", {**self._place(), "input": text}),
        ]

    def item(self) -> Members:
        call = ToolCall(self._call_id, self._tool, self._arguments())
        return {"id": self._name, **call_item(call, is_custom=self.is_custom)}

    def _arguments(self) -> str:
        return "".join(self._pieces) or "{}"

    def _place(self) -> Members:
        return {"item_id": self._name, "output_index": self.index}
