"""What answers about batches say of the work that was done, whole or line by line.

https://platform.openai.com/docs/api-reference/batch/object (`usage` and `model`: of what was done
so far, also where a batch was cancelled or has expired),
https://docs.claude.com/en/api/retrieving-message-batch-results (a usage in each line).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from extproc.llm.anthropic import usage as anthropic
from extproc.llm.lenient import mapping, objects, string
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.usage import Usage

LARGEST_OBJECT_BYTES = 4 << 20
"""A page of a hundred batches with all of their metadata is smaller."""
LARGEST_LINE_BYTES = 32 << 20
BATCH_TIER = "batch"

_LONGEST_NAME = 256
_MOST = 2**50
"""The largest number that is believed: of tokens of a whole batch, or of seconds."""


class Work(NamedTuple):
    """What a model did."""

    model: str
    """As its provider knows it; empty where it is not told."""
    usage: Usage


class Batch(Struct, frozen=True):
    """A batch, as far as it is told."""

    id: str
    created: int
    """Unix seconds; 0 where it is not told."""
    work: Work | None


class Objects:
    """One answer of JSON that is not large: a batch, or a list of them."""

    __slots__ = ("_kept", "_size")

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > LARGEST_OBJECT_BYTES:
            self._kept.clear()
        elif data:
            self._kept.append(data)

    def end(self) -> list[Batch]:
        """No more bytes follow; what cannot be read has no batches."""
        try:
            document = json_spans.decode(b"".join(self._kept))
        except InvalidJson:
            return []
        listed = objects(document.get("data"))
        found = map(_batch, listed if document.get("object") == "list" else [document])
        return [each for each in found if each.id]


class Results:
    """The results of a batch of Anthropic's messages: a line for each request, in any pieces."""

    __slots__ = ("_is_passed_over", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Of the line that has not ended."""
        self._size = 0
        self._is_passed_over = False
        """This line is larger than is read."""

    def feed(self, data: bytes) -> list[Work]:
        """What the lines say that these bytes complete."""
        *lines, rest = data.split(b"\n")
        found: list[Work] = []
        for line in lines:
            self._keep(line)
            found += self.end()
        self._keep(rest)
        return found

    def end(self) -> list[Work]:
        """The line is whole, or no more bytes follow."""
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._is_passed_over = False
        work = _work_of_line(line) if line else None
        return [] if work is None else [work]

    def _keep(self, data: bytes) -> None:
        if not data or self._is_passed_over:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > LARGEST_LINE_BYTES:
            self._pieces.clear()
            self._is_passed_over = True


class _Message(msgspec.Struct):
    usage: dict[str, object] | None = None
    model: str | None = None


class _Result(msgspec.Struct):
    message: _Message | None = None


class _Line(msgspec.Struct):
    result: _Result


_line = msgspec.json.Decoder(_Line)
"""Passes over all that is not asked for, above all what the model has said."""


def _work_of_line(line: bytes) -> Work | None:
    """None: the request failed, or was never begun, and costs nothing."""
    try:
        message = _line.decode(line).result.message
    except (msgspec.DecodeError, RecursionError):
        return None
    usage = anthropic.usage_of(message.usage) if message is not None else None
    if message is None or usage is None:
        return None
    model = (message.model or "")[:_LONGEST_NAME]
    return Work(model, replace(usage, service_tier=BATCH_TIER, reported=()))


def _batch(document: Mapping[str, object]) -> Batch:
    usage = _summed(mapping(document, "usage"))
    return Batch(
        string(document, "id")[:_LONGEST_NAME],
        _number(document, "created_at"),
        None if usage is None else Work(string(document, "model")[:_LONGEST_NAME], usage),
    )


def _summed(told: Mapping[str, object]) -> Usage | None:
    """Of all requests together, which may be more than one request can have."""
    read = _number(told, "input_tokens") or _number(told, "prompt_tokens")
    written = _number(told, "output_tokens") or _number(told, "completion_tokens")
    if not read and not written:
        return None
    return Usage(
        read,
        written,
        cached_input_tokens=_part(told, ("input_tokens_details", "cached_tokens")),
        reasoning_tokens=_part(told, ("output_tokens_details", "reasoning_tokens")),
        service_tier=BATCH_TIER,
    )


def _part(told: Mapping[str, object], path: tuple[str, str]) -> int:
    return _number(mapping(told, path[0]), path[1])


def _number(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    return value if type(value) is int and 0 <= value <= _MOST else 0
