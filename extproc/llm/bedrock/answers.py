"""Converse answers: read into the canonical form, and written from it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseResponse.html. Metrics
and traces are passed over; neither of them is known of another provider's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from extproc.llm import identifiers
from extproc.llm.answer import Answer, AnswerPart, Candidate, Citation, Speech, Stop
from extproc.llm.bedrock import sealed
from extproc.llm.bedrock.blocks import arguments_of, texts_in
from extproc.llm.bedrock.turns import encode_call
from extproc.llm.bedrock.usage import USAGE_MEMBER, encode_tier, encode_usage, tier_of, usage_of
from extproc.llm.bedrock.words import (
    IMAGE_TYPES,
    STOP_REASONS,
    STOP_SEQUENCE_PATH,
    STOPS,
    image_format,
)
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.lenient import mapping, objects, string
from extproc.llm.request import Image, Inline, Refusal, Text, Thinking, ToolCall
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

_MODEL_RESPONSE_FIELDS = "additionalModelResponseFields"


def decode_answer(body: bytes) -> Answer:
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        raise UnreadableAnswer(str(error)) from None
    message = mapping(mapping(document, "output"), "message")
    content = message.get("content")
    if not isinstance(content, list):
        raise UnreadableAnswer("no output.message.content in the answer")
    parts: list[AnswerPart] = []
    told = 0
    for index, block in enumerate(objects(content)):
        found = _parts(block, index)
        begun, told = told, told + sum(len(part.text) for part in found if isinstance(part, Text))
        parts += [
            placed(part, begun, told) if isinstance(part, Citation) else part for part in found
        ]
    sequence = stop_sequence_of(document)
    stop = stop_of(document)
    router = mapping(mapping(document, "trace"), "promptRouter")
    return Answer(
        "",
        string(router, "invokedModelId"),
        (Candidate(tuple(parts), stop, sequence),),
        usage_of(mapping(document, USAGE_MEMBER), tier_of(document)),
    )


def encode_answer(answer: Answer, asked: Asked) -> bytes:
    """The first candidate: Bedrock's clients ask for no more."""
    candidate = answer.candidates[0] if answer.candidates else Candidate(())
    document: dict[str, object] = {
        "output": {"message": {"role": "assistant", "content": _blocks(candidate.parts)}},
        "stopReason": STOP_REASONS[candidate.stop],
        "usage": encode_usage(answer.usage),
        "metrics": UNMEASURED,
    }
    document.update(response_fields(candidate.sequence, asked))
    document.update(encode_tier(answer.usage))
    return json_spans.encode(document)


UNMEASURED: Mapping[str, object] = {"latencyMs": 0}
"""Required, and what Bedrock alone could tell: how long its model took."""


def stop_of(document: Mapping[str, object]) -> Stop:
    """Of an answer, or of a `messageStop`."""
    return STOPS.get(string(document, "stopReason"), Stop.OTHER)


def stop_sequence_of(document: Mapping[str, object]) -> str:
    """Which one was met, where the client asked for it."""
    return string(mapping(document, _MODEL_RESPONSE_FIELDS), STOP_SEQUENCE_PATH[1:])


def response_fields(sequence: str, asked: Asked) -> dict[str, object]:
    """What the client asked to be told of it."""
    paths = asked.document.get("additionalModelResponseFieldPaths")
    if not sequence or not isinstance(paths, list) or STOP_SEQUENCE_PATH not in paths:
        return {}
    return {_MODEL_RESPONSE_FIELDS: {STOP_SEQUENCE_PATH[1:]: sequence}}


def citation_of(cited: Mapping[str, object]) -> Citation:
    """Of an entry of `citations`, or of a `citation` in a stream."""
    web = mapping(mapping(cited, "location"), "web")
    return Citation(string(web, "url") or string(cited, "source"), string(cited, "title"))


def placed(citation: Citation, start: int, end: int) -> Citation:
    """What is cited is the text of the block, which begins and ends there."""
    return replace(citation, start=start, end=end) if end > start else citation


def encode_citation(citation: Citation) -> dict[str, object]:
    encoded: dict[str, object] = {"location": {"web": {"url": citation.url}}}
    if citation.title:
        encoded["title"] = citation.title
    return encoded


def image_of(block: Mapping[str, object]) -> Image | None:
    """Of an image block; None: its bytes lie elsewhere, or it failed."""
    data = string(mapping(block, "source"), "bytes")
    name = string(block, "format")
    return Image(Inline(IMAGE_TYPES.get(name, f"image/{name}"), data)) if data else None


def image_block(source: Inline) -> dict[str, object]:
    """An image block; what Bedrock has no word for is said to be a PNG, as most are."""
    return {"format": image_format(source.media_type) or "png", "source": {"bytes": source.data}}


def _parts(block: Mapping[str, object], index: int) -> list[AnswerPart]:
    text = block.get("text")
    if isinstance(text, str):
        return [Text(text)]
    for name, value in block.items():
        if not isinstance(value, dict):
            continue
        if name == "toolUse" and not value.get("type"):
            name_of_tool, arguments = string(value, "name"), arguments_of(value.get("input"))
            given = string(value, "toolUseId") or identifiers.call_id(name_of_tool, index)
            return [ToolCall(given, name_of_tool, arguments)]
        if name == "reasoningContent":
            thinking = sealed.played_back(value)
            return [thinking] if isinstance(thinking, Thinking) else []
        if name == "citationsContent":
            citations = [citation_of(each) for each in objects(value.get("citations"))]
            return [Text(texts_in(value.get("content"), "")), *citations]
        if name == "image":
            image = image_of(value)
            return [] if image is None else [image]
    return []  # what the provider's own tools were asked and gave


def _blocks(parts: tuple[AnswerPart, ...]) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    for part in parts:
        match part:
            case Text():
                blocks.append({"text": part.text})
                if part.signature is not None:
                    seal = sealed.seal_block(sealed.OF_TEXT, part.signature)
                    blocks.append({"reasoningContent": seal})
            case Thinking():
                blocks.append({"reasoningContent": sealed.thinking_block(part)})
            case ToolCall():
                if part.signature is not None:
                    seal = sealed.seal_block(sealed.OF_CALL, part.signature)
                    blocks.append({"reasoningContent": seal})
                blocks.append({"toolUse": encode_call(part)})
            case Refusal():
                blocks.append({"text": part.text})
            case Speech():
                if part.transcript:
                    blocks.append({"text": part.transcript})
            case Citation():
                _cite(part, blocks)
            case Image(Inline() as source):
                blocks.append({"image": image_block(source)})
            case Image():
                pass
    return blocks


def _cite(citation: Citation, blocks: list[dict[str, object]]) -> None:
    """The text before becomes one with citations."""
    last = blocks[-1] if blocks else {}
    cited = last.get("citationsContent")
    if isinstance(cited, dict):
        cited["citations"].append(encode_citation(citation))
        return
    content = [blocks.pop()] if "text" in last else []
    citations = [encode_citation(citation)]
    blocks.append({"citationsContent": {"content": content, "citations": citations}})
