"""Chat completions, read into the canonical answer and written from it.

https://platform.openai.com/docs/api-reference/chat/object, with the reasoning of `reasoning.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import assert_never

from extproc.llm.answer import (
    Answer,
    AnswerPart,
    Candidate,
    Citation,
    Speech,
)
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.faults import Unfit
from extproc.llm.identifiers import call_id
from extproc.llm.lenient import string
from extproc.llm.openai_chat import reasoning
from extproc.llm.openai_chat.attachments import data_url, source_of
from extproc.llm.openai_chat.logprobs import logprobs_object, logprobs_of
from extproc.llm.openai_chat.stops import finish_reason, is_legacy, stop_of
from extproc.llm.openai_chat.usage import openai_tier, usage_in, usage_object
from extproc.llm.request import Image, Inline, Refusal, Remote, Text, Thinking, ToolCall
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

Json = dict[str, object]


def decode_answer(body: bytes) -> Answer:
    """Raises `UnreadableAnswer`."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        raise UnreadableAnswer(f"not a chat completion: {error}") from error
    choices = document.get("choices")
    if type(choices) is not list:
        raise UnreadableAnswer("not a chat completion: it has no choices")
    answer_id = string(document, "id")
    candidates = [
        _candidate(choice, f"{answer_id}/{index}")
        for index, choice in enumerate(choices)
        if type(choice) is dict
    ]
    return Answer(answer_id, string(document, "model"), tuple(candidates), usage_in(document))


def encode_answer(answer: Answer, asked: Asked) -> bytes:
    """A chat completion; with `function_call` for a client that offered `functions`."""
    legacy = is_legacy(asked.document)
    document: Json = {
        "id": answer.answer_id or f"chatcmpl-{asked.answer_id}",
        "object": "chat.completion",
        "created": asked.created,
        "model": answer.model or asked.model,
        "choices": [
            _choice(candidate, index, legacy=legacy)
            for index, candidate in enumerate(answer.candidates)
        ],
    }
    if answer.usage is not None:
        document["usage"] = usage_object(answer.usage)
        tier = openai_tier(answer.usage.service_tier)
        if tier is not None:
            document["service_tier"] = tier
    return json_spans.encode(document)


def arguments_of(function: Mapping[str, object]) -> str:
    """Of a call: JSON as text, or, of some servers, as it is."""
    arguments = function.get("arguments")
    if type(arguments) is str:
        return arguments
    return json_spans.encode(arguments).decode() if type(arguments) is dict else ""


def citation_of(annotation: object) -> Citation | None:
    """Where a text was taken from."""
    told = annotation.get("url_citation") if type(annotation) is dict else None
    if type(told) is not dict:
        return None
    start, end = told.get("start_index"), told.get("end_index")
    return Citation(
        string(told, "url"),
        string(told, "title"),
        start if type(start) is int else 0,
        end if type(end) is int else 0,
    )


def annotation_of(citation: Citation) -> Json:
    """The annotation that says it."""
    told = {
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    return {"type": "url_citation", "url_citation": told}


def images_of(message: Mapping[str, object]) -> list[Image]:
    """Those of a message, or of a piece of one, as OpenRouter and those like it tell them."""
    images = message.get("images")
    found: list[Image] = []
    for each in images if type(images) is list else ():
        told = each.get("image_url") if type(each) is dict else None
        url = string(told, "url") if type(told) is dict else ""
        if url:
            with suppress(Unfit):  # no data URL, although it begins like one
                found.append(Image(source_of(url, "images")))
    return found


def image_object(image: Image, index: int) -> Json:
    """The image that says it: numbered, since libraries put lists of pieces together by that."""
    source = image.source
    url = source.url if isinstance(source, Remote) else ""
    if isinstance(source, Inline):
        url = data_url(source)
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def _candidate(choice: Mapping[str, object], seed: str) -> Candidate:
    message = choice.get("message")
    parts = _parts(message, seed) if type(message) is dict else _text(choice)
    stop, sequence = stop_of(
        choice,
        calls_tools=any(isinstance(part, ToolCall) for part in parts),
        refuses=any(isinstance(part, Refusal) for part in parts),
    )
    return Candidate(tuple(parts), stop, sequence, logprobs_of(choice))


def _text(choice: Mapping[str, object]) -> list[AnswerPart]:
    """Of a legacy completion."""
    text = string(choice, "text")
    return [Text(text)] if text else []


def _parts(message: Mapping[str, object], seed: str) -> list[AnswerPart]:
    parts: list[AnswerPart] = list(reasoning.thinking_of(message))
    content = message.get("content")
    seal = reasoning.seal_of(message)
    if type(content) is str:
        if content:
            parts.append(Text(content, signature=seal))
    elif type(content) is list:
        parts += _pieces(content)
    annotations = message.get("annotations")
    if type(annotations) is list:
        parts += [found for each in annotations if (found := citation_of(each)) is not None]
    parts += images_of(message)
    refusal = string(message, "refusal")
    if refusal:
        parts.append(Refusal(refusal))
    audio = message.get("audio")
    if type(audio) is dict:
        parts.append(_speech(audio))
    parts += _calls(message, seed)
    return parts


def _pieces(content: list[object]) -> list[AnswerPart]:
    """Of a content in parts, as Mistral's reasoning models answer."""
    parts: list[AnswerPart] = []
    for piece in content:
        if type(piece) is not dict:
            continue
        if piece.get("type") == "thinking":
            thinking = reasoning.thinking_part(piece)
            if thinking is not None:
                parts.append(thinking)
        elif text := string(piece, "text"):
            parts.append(Text(text))
    return parts


def _speech(audio: Mapping[str, object]) -> Speech:
    expires = audio.get("expires_at")
    return Speech(
        string(audio, "data"),
        string(audio, "transcript"),
        string(audio, "id"),
        expires if type(expires) is int else 0,
    )


def _calls(message: Mapping[str, object], seed: str) -> list[ToolCall]:
    found: list[ToolCall] = []
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if type(calls) is list else []):
        function = call.get("function") if type(call) is dict else None
        if type(function) is dict:
            identifier = string(call, "id") or call_id(seed, number)
            name, arguments = string(function, "name"), arguments_of(function) or "{}"
            found.append(ToolCall(identifier, name, arguments, reasoning.seal_of(call)))
    legacy = message.get("function_call")
    if type(legacy) is dict and not found:
        arguments = arguments_of(legacy) or "{}"
        found.append(ToolCall(call_id(seed, 0), string(legacy, "name"), arguments))
    return found


def _choice(candidate: Candidate, index: int, *, legacy: bool) -> Json:
    message = _message(candidate, legacy=legacy)
    reason = finish_reason(
        candidate.stop, has_refused=message["refusal"] is not None, is_legacy=legacy
    )
    logprobs = candidate.logprobs
    choice: Json = {
        "index": index,
        "message": message,
        "logprobs": None if logprobs is None else logprobs_object(logprobs),
        "finish_reason": reason,
    }
    if candidate.sequence:
        choice["stop_reason"] = candidate.sequence
    return choice


def _message(candidate: Candidate, *, legacy: bool) -> Json:
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[ToolCall] = []
    thinking: list[Thinking] = []
    annotations: list[Json] = []
    images: list[Json] = []
    others: Json = {}
    for part in candidate.parts:
        match part:
            case Text():
                texts.append(part.text)
                if part.signature is not None:
                    others["extra_content"] = reasoning.extra_content(part.signature)
            case Thinking():
                thinking.append(part)
            case ToolCall():
                calls.append(part)
            case Refusal():
                refusals.append(part.text)
            case Speech():
                others["audio"] = {
                    "id": part.audio_id,
                    "data": part.data,
                    "expires_at": part.expires_at,
                    "transcript": part.transcript,
                }
            case Citation():
                annotations.append(annotation_of(part))
            case Image():
                images.append(image_object(part, len(images)))
            case _:
                assert_never(part)
    message: Json = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
        **reasoning.reasoning_fields(thinking),
        **others,
    }
    if annotations:
        message["annotations"] = annotations
    if images:
        message["images"] = images
    if calls and legacy:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _call(call: ToolCall) -> Json:
    written: Json = {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature is not None:
        written["extra_content"] = reasoning.extra_content(call.signature)
    return written
