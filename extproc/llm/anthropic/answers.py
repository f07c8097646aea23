"""A message of Claude's, whole: https://docs.claude.com/en/api/messages#response-id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec

from extproc.llm.answer import (
    Answer,
    AnswerPart,
    Candidate,
    Citation,
    Speech,
    Stop,
)
from extproc.llm.anthropic import sealed
from extproc.llm.anthropic.usage import USAGE_MEMBER, usage_object, usage_of
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.request import Image, Refusal, Signature, Text, Thinking, ToolCall
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.model import Dialect

_STOPS: Mapping[str, Stop] = {
    "end_turn": Stop.END,
    "max_tokens": Stop.MAX_TOKENS,
    "stop_sequence": Stop.SEQUENCE,
    "tool_use": Stop.TOOL_CALLS,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSAL,
    "model_context_window_exceeded": Stop.CONTEXT,
}
_REASONS: Mapping[Stop, str] = {
    **{stop: reason for reason, stop in _STOPS.items()},
    Stop.CONTENT_FILTER: "refusal",
    Stop.OTHER: "end_turn",
}


def decode_answer(body: bytes) -> Answer:
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        raise UnreadableAnswer(str(error)) from None
    content = document.get("content")
    if type(content) is not list:
        raise UnreadableAnswer("an answer without content")
    parts: list[AnswerPart] = []
    length = 0
    for block in content:
        if type(block) is dict:
            length = _add(parts, block, length)
    stop = stop_of(document, has_calls=any(isinstance(part, ToolCall) for part in parts))
    refusal = refusal_of(document)
    if stop is Stop.REFUSAL and refusal:
        parts.append(Refusal(refusal))
    candidate = Candidate(tuple(parts), stop, text_of(document, "stop_sequence"))
    return Answer(
        text_of(document, "id"),
        text_of(document, "model"),
        (candidate,),
        usage_of(document.get(USAGE_MEMBER)),
    )


def encode_answer(answer: Answer, asked: Asked) -> bytes:
    """Of the first of the choices: Anthropic has no others."""
    candidate = answer.candidates[0] if answer.candidates else Candidate(())
    content: list[dict[str, object]] = []
    refusal = ""
    for part in candidate.parts:
        if isinstance(part, Refusal):
            refusal = part.text
        _say(content, part)
    document = message_of(answer.answer_id, answer.model, asked)
    document["content"] = content
    document |= ending_of(candidate.stop, candidate.sequence, refusal)
    document["usage"] = usage_object(answer.usage)
    return json_spans.encode(document)


def message_of(answer_id: str, model: str, asked: Asked) -> dict[str, object]:
    """A message without its content."""
    return {
        "id": answer_id or f"msg_{asked.answer_id}",
        "type": "message",
        "role": "assistant",
        "model": model or asked.model,
    }


def ending_of(stop: Stop, sequence: str, refusal: str) -> dict[str, object]:
    """Why it ended; a refusal with what was said of it."""
    if refusal and stop is Stop.END:
        stop = Stop.REFUSAL
    ending: dict[str, object] = {"stop_reason": _REASONS[stop], "stop_sequence": sequence or None}
    if stop is Stop.REFUSAL:
        ending["stop_details"] = {
            "type": "refusal",
            "category": None,
            "explanation": refusal or None,
        }
    return ending


def stop_of(said: Mapping[str, object], *, has_calls: bool) -> Stop:
    """Of an answer, or of the `delta` that ends a stream."""
    reason = said.get("stop_reason")
    if type(reason) is not str:
        return Stop.TOOL_CALLS if has_calls else Stop.END
    return _STOPS.get(reason, Stop.OTHER)


def refusal_of(said: Mapping[str, object]) -> str:
    """What is said of a refusal, where something is."""
    details = said.get("stop_details")
    return text_of(details, "explanation") if type(details) is dict else ""


def text_of(said: Mapping[str, object], name: str) -> str:
    value = said.get(name)
    return value if type(value) is str else ""


def citation_of(cited: object, start: int, end: int) -> Citation | None:
    """Where it leads somewhere: what a request holds itself has no address."""
    if type(cited) is not dict:
        return None
    url = text_of(cited, "url") or text_of(cited, "source")
    return Citation(url, text_of(cited, "title"), start, end) if url else None


def said_citation(citation: Citation) -> dict[str, object]:
    """Without the passage that is cited, which only Anthropic tells."""
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "encrypted_index": "",
        "cited_text": "",
    }


def arguments_of(block: Mapping[str, object]) -> str:
    """Of a `tool_use` block."""
    given = block.get("input")
    return json_spans.encode(given).decode() if type(given) is dict else "{}"


def seal_of(value: str) -> Signature | None:
    return Signature(value, Dialect.ANTHROPIC) if value else None


def _add(parts: list[AnswerPart], block: dict[str, object], length: int) -> int:
    """`length` is that of all text so far, before and after."""
    match block.get("type"):
        case "text":
            text = text_of(block, "text")
            end = length + len(text)
            if text:
                parts.append(Text(text))
            citations = block.get("citations")
            for cited in citations if type(citations) is list else ():
                citation = citation_of(cited, length, end)
                if citation is not None:
                    parts.append(citation)
            return end
        case "thinking":
            parts.append(Thinking(text_of(block, "thinking"), seal_of(text_of(block, "signature"))))
        case "redacted_thinking":
            parts.append(Thinking("", seal_of(text_of(block, "data")), is_redacted=True))
        case "tool_use":
            parts.append(
                ToolCall(text_of(block, "id"), text_of(block, "name"), arguments_of(block))
            )
    return length


def _say(content: list[dict[str, object]], part: AnswerPart) -> None:
    match part:
        case Text():
            if part.text:
                content.append({"type": "text", "text": part.text})
            if part.signature is not None:
                content.append(sealed.text_seal(part.signature))
        case Refusal():
            is_told = any(block["type"] == "text" for block in content)
            if part.text and not is_told:
                content.append({"type": "text", "text": part.text})
        case Thinking():
            content.append(sealed.thinking_block(part))
        case ToolCall():
            if part.signature is not None:
                content.append(sealed.call_seal(part.signature))
            content.append(
                {
                    "type": "tool_use",
                    "id": part.call_id,
                    "name": part.name,
                    "input": given(part.arguments),
                }
            )
        case Speech():
            if part.transcript:
                content.append({"type": "text", "text": part.transcript})
        case Citation():
            _cite(content, part)
        case Image():
            pass  # Claude does not draw: there is no block for it
        case _:
            assert_never(part)


def given(arguments: str) -> object:
    """The object that a model wrote; what is none becomes a member of one."""
    try:
        json_spans.decode(arguments.encode())
    except InvalidJson:
        return {"arguments": arguments} if arguments.strip() else {}
    return msgspec.Raw(arguments.encode())


def _cite(content: list[dict[str, object]], citation: Citation) -> None:
    if not content or content[-1].get("type") != "text":
        return
    citations = content[-1].setdefault("citations", [])
    if type(citations) is list:
        citations.append(said_citation(citation))
