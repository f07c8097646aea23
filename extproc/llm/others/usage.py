"""What answers that are no conversation say that they used, whole or streamed.

https://platform.openai.com/docs/api-reference (embeddings, images, audio),
https://docs.cohere.com/reference/rerank, https://api.jina.ai/redoc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, isfinite

from msgspec.structs import replace

from extproc.llm.answer import StreamEvent
from extproc.llm.counts import MOST_TOKENS, reported
from extproc.llm.lenient import mapping
from extproc.llm.others.kinds import image_kind
from extproc.llm.usage_reader import Told
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway.usage import Usage

_USAGE = "usage"
_META = "meta"
_MILLISECONDS = 1000


def images(answer: Mapping[str, object]) -> Usage | None:
    """Tokens where they are told, and the images that came."""
    made = answer.get("data")
    count = len(made) if type(made) is list else 0
    usage = _drawn(mapping(answer, _USAGE))
    if usage is None and not count:
        return None
    return replace(usage or Usage(0, 0), images=count, image_kind=image_kind(answer))


def transcriptions(answer: Mapping[str, object]) -> Usage | None:
    """Tokens or a duration; of older models, the duration of what was heard."""
    usage = _heard(mapping(answer, _USAGE))
    if usage is None and (milliseconds := _duration(answer.get("duration"))):
        return Usage(0, 0, milliseconds=milliseconds)
    return usage


def speech(answer: Mapping[str, object]) -> Usage | None:
    """Of its last event; sound itself says nothing."""
    return _spoken(mapping(answer, _USAGE))


def with_demands(usage: Usage | None, demands: Usage) -> Usage | None:
    """What was told, and what was asked for where nothing is told of it: images, characters, sound
    and searches. None: nothing at all is known."""
    if usage is None:
        paid = demands.images or demands.characters or demands.milliseconds or demands.searches
        return replace(demands, is_estimated=True) if paid else None
    return replace(
        usage,
        images=usage.images or demands.images,
        image_kind=usage.image_kind or demands.image_kind,
        characters=usage.characters or demands.characters,
        milliseconds=usage.milliseconds or (0 if usage.input_tokens else demands.milliseconds),
        searches=usage.searches or (0 if usage.input_tokens else demands.searches),
    )


class EventUsage:
    """Reads a stream of OpenAI's images or audio for its usage alone; `Decoding` without events."""

    __slots__ = ("_of_event", "_sse", "usage")

    def __init__(self, of_event: Callable[[Mapping[str, object]], Usage | None]) -> None:
        self._of_event = of_event
        self._sse: SseDecoder | None = SseDecoder()
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._sse is not None:
            try:
                self._read([event.data for event in self._sse.feed(data)])
            except EventTooLarge:
                self._sse = None
        return ()

    def end(self) -> Sequence[StreamEvent]:
        if self._sse is not None:
            self._read([event.data for event in self._sse.end()])
            self._sse = None
        return ()

    def _read(self, events: Sequence[bytes]) -> None:
        for data in events:
            if b'"usage"' not in data:
                continue
            try:
                found = self._of_event(json_spans.decode(data))
            except InvalidJson:
                continue
            if found is not None:
                made = self.usage.images if self.usage is not None else 0
                self.usage = replace(found, images=found.images + made)


def _image_event(event: Mapping[str, object]) -> Usage | None:
    """Each image that is whole has an event."""
    usage = _drawn(mapping(event, _USAGE))
    kind = str(event.get("type", ""))
    return replace(usage, images=1) if usage is not None and kind.endswith(".completed") else usage


def _embedded(usage: Mapping[str, object]) -> Usage | None:
    read = (
        _count(usage, "prompt_tokens")
        or _count(usage, "input_tokens")
        or _count(usage, "total_tokens")
    )
    parts = mapping(usage, "prompt_tokens_details")
    seen, heard = _count(parts, "image_tokens"), _count(parts, "audio_tokens")
    if not read:
        return None
    return Usage(
        read,
        0,
        image_input_tokens=seen,
        audio_input_tokens=heard,
        reported=reported(usage),
    )


def _ranked(told: Mapping[str, object]) -> Usage | None:
    billed, counted = mapping(told, "billed_units"), mapping(told, "tokens")
    searches = _count(billed, "search_units")
    read = (
        _count(billed, "input_tokens")
        or _count(counted, "input_tokens")
        or _count(told, "prompt_tokens")
        or _count(told, "total_tokens")
    )
    written = _count(billed, "output_tokens")
    if not (searches or read or written):
        return None
    return Usage(read, written, searches=searches, reported=reported(told))


def _drawn(usage: Mapping[str, object]) -> Usage | None:
    read, written = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if not (read or written):
        return None
    details_in = mapping(usage, "input_tokens_details")
    details_out = mapping(usage, "output_tokens_details")
    return Usage(
        read,
        written,
        cached_input_tokens=_count(details_in, "cached_tokens"),
        image_input_tokens=_count(details_in, "image_tokens"),
        image_output_tokens=_count(details_out, "image_tokens") if details_out else written,
        reported=reported(usage),
    )


def _heard(usage: Mapping[str, object]) -> Usage | None:
    milliseconds = _duration(usage.get("seconds"))
    read = _count(usage, "input_tokens") or _count(usage, "prompt_tokens")
    written = _count(usage, "output_tokens") or _count(usage, "completion_tokens")
    if not (read or written or milliseconds):
        return None
    parts = mapping(usage, "input_token_details")
    return Usage(
        read,
        written,
        audio_input_tokens=_count(parts, "audio_tokens"),
        milliseconds=milliseconds,
        reported=reported(usage),
    )


def _spoken(usage: Mapping[str, object]) -> Usage | None:
    read, written = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if not (read or written):
        return None
    return Usage(read, written, audio_output_tokens=written, reported=reported(usage))


def _count(document: Mapping[str, object], name: str) -> int:
    """Cohere's counts are numbers, some with a fraction of nothing: `1.0`."""
    value = document.get(name)
    if type(value) is bool or value is None:
        return 0
    number = _number(value)
    return ceil(number) if 0 <= number <= MOST_TOKENS else 0


def _duration(value: object) -> int:
    """Of seconds, also as text, as whisper's first servers have them."""
    number = _number(value)
    return ceil(number * _MILLISECONDS) if 0 < number <= MOST_TOKENS else 0


def _number(value: object) -> float:
    """0 of what is none."""
    if value is None or type(value) in (bool, dict, list):
        return 0
    try:
        number = float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return 0
    return number if isfinite(number) else 0


EMBEDDINGS = Told(_USAGE, _embedded)
RERANK = Told(_META, _ranked, others=(_USAGE,))
"""Of Cohere, in `meta`; of Jina and servers like it, in `usage`."""
IMAGES = Told(_USAGE, _drawn, lambda: EventUsage(_image_event), of_whole=images)
"""How many images came, nobody sees in a large answer: `with_demands`."""
TRANSCRIPTIONS = Told(_USAGE, _heard, lambda: EventUsage(transcriptions), of_whole=transcriptions)
SPEECH = Told(_USAGE, _spoken, lambda: EventUsage(speech))
