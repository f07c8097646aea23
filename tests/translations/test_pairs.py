"""Every sample of every dialect in every other, as it was when somebody last looked.

`REWRITE=1` writes tests/golden/translations anew: what a provider is asked, and what a client is
answered. Each file is one pair of dialects, each entry one sample.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from botocore.eventstream import EventStreamBuffer
from msgspec import structs

from extproc.llm.answer import ENDED_EARLY, Answer, AnswerPart, Fault, ProviderError
from extproc.llm.losses import Feature
from extproc.llm.request import Text, Thinking, ToolCall
from extproc.protocols.sse import SseDecoder
from gateway.model import Dialect
from tests.kit import matrix
from tests.kit.cuts import cut
from tests.kit.folded import folded
from tests.kit.golden import GOLDEN, matches
from tests.kit.matrix import ASKED, PAIRS, names, sample

FOLDER = GOLDEN / "translations"
LINE_ENDS = (b"\n", b"\r\n", b"\r")


def written(entries: dict[str, Any]) -> str:
    """As YAML: blocks, but what holds nothing further in one line."""
    return yaml.dump(
        entries,
        Dumper=yaml.CSafeDumper,
        default_flow_style=None,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


UNNAMED: Mapping[Dialect, tuple[Fault, ...]] = {
    **dict.fromkeys(Dialect, ()),
    Dialect.OPENAI_RESPONSES: (Fault.OVERLOADED,),
}
"""What streams of a dialect have no word for; that it is the server's fault they say."""


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_requests(client: Dialect, provider: Dialect) -> None:
    entries: dict[str, Any] = {}
    for name in names(client, "requests"):
        told = matrix.said(matrix.read(client, sample(client, "requests", name)), provider)
        entry: dict[str, Any] = {}
        if told.losses.features:
            entry["loses"] = sorted(told.losses.features)
        if told.refused:
            entry["refused"] = sorted(told.refused)
        entries[name] = plain({**entry, "body": json.loads(told.body)})
    assert matches(written(entries), FOLDER / f"{client}-asks-{provider}.yaml")


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_answers_and_errors(provider: Dialect, client: Dialect) -> None:
    entries: dict[str, Any] = {}
    for name in names(provider, "answers"):
        body = sample(provider, "answers", name)
        entries[name] = json.loads(matrix.answered(provider, client, body))
    for name in names(provider, "errors"):
        body = sample(provider, "errors", name)
        entries[name] = json.loads(matrix.refused(provider, client, int(name[:3]), body))
    assert matches(written(entries), FOLDER / f"{provider}-answers-{client}.yaml")


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_streams(provider: Dialect, client: Dialect) -> None:
    lines: list[str] = []
    for name in names(provider, "streams"):
        stream = matrix.streamed(provider, client, [sample(provider, "streams", name)])
        lines += [f"# {name}", *shown(client, stream), ""]
    assert matches("\n".join(lines), FOLDER / f"{provider}-streams-to-{client}.txt")


@pytest.mark.parametrize(("provider", "client"), PAIRS)
def test_no_cut_and_no_line_end_changes_a_stream(provider: Dialect, client: Dialect) -> None:
    chance = random.Random(f"{provider} {client}")
    for name in names(provider, "streams"):
        stream = sample(provider, "streams", name)
        whole = matrix.streamed(provider, client, [stream])
        plain_stream = stream.replace(b"\r\n", b"\n")
        for end in LINE_ENDS if provider is not Dialect.BEDROCK else (b"",):
            sent = plain_stream.replace(b"\n", end) if end else stream
            cuts = [chance.randrange(len(sent)) for _ in range(9)]
            assert matrix.streamed(provider, client, cut(sent, cuts)) == whole, (name, end)
            assert matrix.streamed(provider, client, [bytes([b]) for b in sent]) == whole, name


@pytest.mark.parametrize("provider", Dialect)
def test_a_stream_that_is_cut_says_that_and_nothing_of_its_form(provider: Dialect) -> None:
    stream = sample(provider, "streams", "tool_calls")
    for size in range(len(stream)):
        told = said_in(provider, stream[:size])
        assert isinstance(told, Answer) or told.message == ENDED_EARLY, size


STREAMED = [(a, name) for a in Dialect for name in names(a, "streams")]


@pytest.mark.parametrize("client", Dialect)
@pytest.mark.parametrize(("provider", "name"), STREAMED)
def test_a_stream_says_what_the_whole_answer_would(
    provider: Dialect, name: str, client: Dialect
) -> None:
    """To whom reads it in the client's dialect; of a stream that breaks off, the same error."""
    told = said_in(provider, sample(provider, "streams", name))
    mine = matrix.SPEAKERS[client].codec
    again = said_in(client, matrix.streamed(provider, client, [sample(provider, "streams", name)]))
    if isinstance(told, ProviderError):
        assert isinstance(again, ProviderError)
        assert again.message == told.message
        assert again.fault is told.fault or told.fault in UNNAMED[client]
        return
    assert isinstance(again, Answer)
    whole = mine.decode_answer(mine.encode_answer(told, ASKED))
    assert comparable(again) == comparable(whole)


def said_in(dialect: Dialect, stream: bytes) -> Answer | ProviderError:
    """The answer or the error that a stream of a dialect tells."""
    decoding = matrix.SPEAKERS[dialect].codec.decoding()
    return folded([*decoding.feed(stream), *decoding.end()])


def comparable(answer: Answer) -> Any:
    """Without seals, which are read where they come back, and how texts are divided.

    Arguments are JSON, however it is spaced; a provider's own names of counts are not told on.
    """
    candidates = [
        replace(candidate, parts=_joined(candidate.parts)) for candidate in answer.candidates
    ]
    usage = answer.usage and structs.replace(answer.usage, reported=())
    return answer.answer_id, answer.model, candidates, usage


def _joined(parts: tuple[AnswerPart, ...]) -> tuple[AnswerPart, ...]:
    found: list[AnswerPart] = []
    for part in parts:
        before = found[-1] if found else None
        match part:
            case Text() if isinstance(before, Text):
                found[-1] = Text(before.text + part.text)
            case Text():
                found.append(Text(part.text))
            case Thinking():
                found += [Thinking(part.text)] if part.text else []
            case ToolCall():
                arguments = json.dumps(json.loads(part.arguments))
                found.append(ToolCall(part.call_id, part.name, arguments))
            case _:
                found.append(part)
    return tuple(found)


def plain(value: Any) -> Any:
    """Without our own kinds of text, which YAML does not know."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Feature) else value


def shown(client: Dialect, stream: bytes) -> Iterator[str]:
    """Each event in a line, without what is the same in all of them."""
    if client is Dialect.BEDROCK:
        buffer = EventStreamBuffer()
        buffer.add_data(stream)
        for message in buffer:
            name = message.headers.get(":event-type") or message.headers[":exception-type"]
            yield f"{name} {message.payload.decode()}"
        return
    for number, event in enumerate(SseDecoder().feed(stream)):
        if event.data == b"[DONE]":
            yield "[DONE]"
            continue
        document = json.loads(event.data)
        if client is Dialect.OPENAI_CHAT and "error" not in document:
            assert document.pop("object") == "chat.completion.chunk"
            assert document.pop("created") == ASKED.created
        if client is Dialect.OPENAI_RESPONSES:
            assert document.pop("sequence_number") == number
            if "response" in document:
                document["response"] = brief(document["response"])
        yield json.dumps(document, ensure_ascii=False)


def brief(response: dict[str, Any]) -> dict[str, Any]:
    """What changes in a response while it is streamed; the rest is among the answers."""
    kept = ("id", "model", "status", "error", "incomplete_details", "usage")
    return {name: response[name] for name in kept if response[name] is not None}
