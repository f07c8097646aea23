"""Whole answers of the Responses API, read leniently and written.

https://platform.openai.com/docs/api-reference/responses/object. What OpenAI's own tools did on the
way is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from extproc.llm.answer import Answer, AnswerPart, Candidate, Citation, Logprob, Stop
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.identifiers import call_id
from extproc.llm.openai_responses.drawing import image_of
from extproc.llm.openai_responses.errors import decode_failure
from extproc.llm.openai_responses.items import CUSTOM_INPUT
from extproc.llm.openai_responses.output import Output
from extproc.llm.openai_responses.response_object import (
    name_of,
    response_object,
    settings,
    status_of,
)
from extproc.llm.openai_responses.sealed import Sealed, read_seal, thinking_of
from extproc.llm.openai_responses.usage import usage_in
from extproc.llm.request import Image, Refusal, Signature, Text, ToolCall
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

_LARGEST_INTEGER = 2**53
_REASONS: Mapping[str, Stop] = {
    "max_output_tokens": Stop.MAX_TOKENS,
    "content_filter": Stop.CONTENT_FILTER,
}


def decode_answer(body: bytes) -> Answer:
    """Raises `UnreadableAnswer`, also for a response that failed."""
    try:
        response = json_spans.decode(body)
    except InvalidJson as error:
        raise UnreadableAnswer(f"the answer is not valid JSON: {error}") from None
    output = response.get("output")
    if response.get("status") == "failed":
        raise UnreadableAnswer(decode_failure(response.get("error")).message)
    if type(output) is not list:
        raise UnreadableAnswer("the answer has no output")
    parts, logprobs = read_output(output, word(response, "id"))
    stop = stop_of(
        response,
        has_calls=any(isinstance(part, ToolCall) for part in parts),
        is_refusal=any(isinstance(part, Refusal) for part in parts),
    )
    candidate = Candidate(tuple(parts), stop, logprobs=tuple(logprobs) if logprobs else None)
    return Answer(word(response, "id"), word(response, "model"), (candidate,), usage_in(response))


def encode_answer(answer: Answer, asked: Asked) -> bytes:
    """The first of the choices: this API has no more."""
    candidate = answer.candidates[0] if answer.candidates else Candidate(())
    response_id = name_of(answer.answer_id, asked)
    output = Output(response_id, asked.document)
    for part in candidate.parts:
        output.add(part)
    status = status_of(
        candidate.stop, is_refusal=any(isinstance(part, Refusal) for part in candidate.parts)
    )
    items = output.items(candidate.logprobs or ())
    identity = (response_id, answer.model or asked.model, asked.created)
    return json_spans.encode(
        response_object(settings(asked), identity, status, items, answer.usage)
    )


def stop_of(response: Mapping[str, object], *, has_calls: bool, is_refusal: bool) -> Stop:
    """Why a response ended, in which this was told."""
    details = response.get("incomplete_details")
    status = response.get("status", "completed")
    if status == "incomplete" or type(details) is dict:
        reason = word(details, "reason") if type(details) is dict else ""
        return _REASONS.get(reason, Stop.OTHER)
    if status != "completed":
        return Stop.OTHER
    if has_calls:
        return Stop.TOOL_CALLS
    return Stop.REFUSAL if is_refusal else Stop.END


def read_output(items: Sequence[object], seed: str) -> tuple[list[AnswerPart], list[Logprob]]:
    """The parts of an output, and all the logprobs of its texts."""
    parts: list[AnswerPart] = []
    logprobs: list[Logprob] = []
    call_seal: Signature | None = None
    characters = 0
    for index, item in enumerate(items):
        if type(item) is not dict:
            continue
        match item.get("type"):
            case "message":
                for part in listed(item, "content"):
                    characters += _content(part, characters, parts)
                    logprobs += logprobs_of(part.get("logprobs"))
            case "function_call" | "custom_tool_call":
                parts.append(_call(item, call_id(seed, index), call_seal))
                call_seal = None
            case "reasoning":
                call_seal = _reasoning(item, parts) or call_seal
            case "image_generation_call":
                image = image_of(item)
                if image is not None:
                    parts.append(image)
            case _:
                continue
    return parts, logprobs


def listed(holder: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """The objects of an array; none when there is no array."""
    value = holder.get(name)
    return [each for each in value if type(each) is dict] if type(value) is list else []


def word(holder: Mapping[str, object], name: str) -> str:
    """A string; empty when there is none."""
    value = holder.get(name)
    return value if type(value) is str else ""


def custom_arguments(text: str) -> str:
    """The arguments of the function that stands for a custom tool."""
    return json_spans.encode({CUSTOM_INPUT: text}).decode()


def citation_of(annotation: Mapping[str, object], before: int) -> Citation | None:
    """Of an annotation of a text with so many characters before it; None: it has no address."""
    url = word(annotation, "url")
    if not url:
        return None
    start, end = annotation.get("start_index"), annotation.get("end_index")
    if type(start) is not int or type(end) is not int or end <= start:
        return Citation(url, word(annotation, "title"))
    return Citation(url, word(annotation, "title"), start + before, end + before)


def logprobs_of(value: object) -> list[Logprob]:
    """Of the text of a part, or of a piece of one."""
    if not value or type(value) is not list:
        return []
    return [_logprob(each) for each in value if type(each) is dict]


def reasoning_texts(item: Mapping[str, object]) -> list[str]:
    """The reasoning itself where it is shown, else its summary."""
    shown = [word(part, "text") for part in listed(item, "content")]
    return shown or [word(part, "text") for part in listed(item, "summary")]


def _content(part: Mapping[str, object], before: int, parts: list[AnswerPart]) -> int:
    """Adds a part of a message; the number of characters of its text."""
    if part.get("type") == "refusal":
        parts.append(Refusal(word(part, "refusal")))
        return 0
    text = word(part, "text")
    parts.append(Text(text))
    for annotation in listed(part, "annotations"):
        citation = citation_of(annotation, before)
        if citation is not None:
            parts.append(citation)
    return len(text)


def _call(item: Mapping[str, object], made_id: str, seal: Signature | None) -> ToolCall:
    if item.get("type") == "custom_tool_call":
        arguments = custom_arguments(word(item, "input"))
    else:
        arguments = word(item, "arguments") or "{}"
    identifier = word(item, "call_id") or word(item, "id") or made_id
    return ToolCall(identifier, word(item, "name"), arguments, seal)


def _reasoning(item: Mapping[str, object], parts: list[AnswerPart]) -> Signature | None:
    """Adds reasoning, or seals the text before; gives the seal of the call that follows."""
    encrypted = word(item, "encrypted_content")
    seal = read_seal(encrypted) if encrypted else None
    if seal is not None and seal.sealed is Sealed.NEXT_CALL:
        return seal.signature
    if seal is not None and seal.sealed is Sealed.LAST_TEXT:
        for index in range(len(parts) - 1, -1, -1):
            last = parts[index]
            if isinstance(last, Text | Image):
                parts[index] = replace(last, signature=seal.signature)
                break
        return None
    thinking = thinking_of(reasoning_texts(item), None if seal is None else seal.signature)
    if thinking is not None:
        parts.append(thinking)
    return None


def _logprob(value: Mapping[str, object]) -> Logprob:
    raw = value.get("bytes")
    return Logprob(
        word(value, "token"),
        _number(value.get("logprob")),
        _raw(raw) if type(raw) is list else None,
        tuple(_logprob(each) for each in listed(value, "top_logprobs")),
    )


def _number(value: object) -> float:
    """Integers of up to 4300 digits may come."""
    if type(value) is int and abs(value) <= _LARGEST_INTEGER:
        return float(value)
    return value if type(value) is float else 0.0


def _raw(numbers: list[object]) -> bytes | None:
    try:
        return bytes(numbers)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return None
