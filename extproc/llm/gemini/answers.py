"""Answers of generateContent as canonical ones, and back.

https://ai.google.dev/api/generate-content#response-body. A prompt that was blocked is answered
without candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from extproc.llm.answer import (
    Answer,
    AnswerPart,
    Candidate,
    Citation,
    Logprob,
    Speech,
    Stop,
)
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.gemini import citations, sealed
from extproc.llm.gemini.base64_forms import standard
from extproc.llm.gemini.usage import USAGE_MEMBER, encode_usage, usage_of
from extproc.llm.identifiers import call_id
from extproc.llm.request import Image, Inline, Refusal, Remote, Text, Thinking, ToolCall
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

MALFORMED_CALL = "MALFORMED_FUNCTION_CALL"
_STOPS: Mapping[str, Stop] = {
    "STOP": Stop.END,
    "MAX_TOKENS": Stop.MAX_TOKENS,
    "SAFETY": Stop.CONTENT_FILTER,
    "RECITATION": Stop.CONTENT_FILTER,
    "BLOCKLIST": Stop.CONTENT_FILTER,
    "PROHIBITED_CONTENT": Stop.CONTENT_FILTER,
    "SPII": Stop.CONTENT_FILTER,
    "IMAGE_SAFETY": Stop.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": Stop.CONTENT_FILTER,
    "IMAGE_RECITATION": Stop.CONTENT_FILTER,
    "MODEL_ARMOR": Stop.CONTENT_FILTER,
}
_REASONS: Mapping[Stop, str] = {
    Stop.END: "STOP",
    Stop.MAX_TOKENS: "MAX_TOKENS",
    Stop.SEQUENCE: "STOP",
    Stop.TOOL_CALLS: "STOP",
    Stop.CONTENT_FILTER: "SAFETY",
    Stop.REFUSAL: "SAFETY",
    Stop.CONTEXT: "MAX_TOKENS",
    Stop.PAUSE: "OTHER",
    Stop.OTHER: "OTHER",
}
_SOUND = "audio/wav"
_IMAGE = "image/png"
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


def decode_answer(body: bytes) -> Answer:
    try:
        document = json_spans.decode(body)
    except (InvalidJson, UnicodeDecodeError) as error:
        raise UnreadableAnswer(f"no answer of generateContent: {error}") from None
    if not (document.keys() & {"candidates", "promptFeedback", USAGE_MEMBER}):
        raise UnreadableAnswer("an answer of generateContent without candidates")
    answer_id = text_member(document, "responseId")
    read = tuple(
        _candidate(candidate, f"{answer_id or body.decode()}/{index}")
        for index, candidate in enumerate(candidates_of(document))
    )
    if not read:
        read = (Candidate((), Stop.CONTENT_FILTER if is_blocked(document) else Stop.OTHER),)
    usage = usage_of(document.get(USAGE_MEMBER))
    return Answer(answer_id, text_member(document, "modelVersion"), read, usage)


def encode_answer(answer: Answer, asked: Asked) -> bytes:
    said: dict[str, object] = {
        "candidates": [
            _written(candidate, index) for index, candidate in enumerate(answer.candidates)
        ],
        "modelVersion": answer.model or asked.model,
        "responseId": answer.answer_id or asked.answer_id,
    }
    if answer.usage is not None:
        said[USAGE_MEMBER] = encode_usage(answer.usage)
    return json_spans.encode(said)


def candidates_of(document: Mapping[str, object]) -> Iterator[dict[str, object]]:
    candidates = document.get("candidates")
    for candidate in candidates if type(candidates) is list else ():
        if type(candidate) is dict:
            yield candidate


def parts_of(candidate: Mapping[str, object]) -> Iterator[dict[str, object]]:
    content = candidate.get("content")
    parts = content.get("parts") if type(content) is dict else None
    for part in parts if type(parts) is list else ():
        if type(part) is dict:
            yield part


def is_blocked(document: Mapping[str, object]) -> bool:
    """The prompt was."""
    feedback = document.get("promptFeedback")
    return type(feedback) is dict and bool(feedback.get("blockReason"))


def stop_of(reason: str, *, has_calls: bool) -> Stop:
    stop = _STOPS.get(reason, Stop.OTHER)
    return Stop.TOOL_CALLS if has_calls and stop is Stop.END else stop


def reason_of(stop: Stop) -> str:
    return _REASONS[stop]


def finish_reason(candidate: Mapping[str, object]) -> str:
    """Empty: it goes on."""
    reason = candidate.get("finishReason")
    return reason if type(reason) is str and reason != _UNSPECIFIED else ""


def call_of(part: Mapping[str, object], seed: str, number: int) -> ToolCall | None:
    call = part.get("functionCall")
    if type(call) is not dict:
        return None
    name, arguments, known = call.get("name"), call.get("args"), call.get("id")
    if type(name) is not str:
        return None
    written = json_spans.encode(arguments).decode() if type(arguments) is dict else "{}"
    identifier = known if type(known) is str and known else call_id(seed, number)
    return ToolCall(identifier, name, written, sealed.of_provider(part))


def call_object(call_id: str, name: str, arguments: str) -> dict[str, object] | None:
    """The value of `functionCall`; None where the arguments are no object, or were cut off."""
    encoded = arguments.encode("utf-8", "replace") or b"{}"
    try:
        args: object = json_spans.decode(encoded)
    except InvalidJson:
        return None
    if b"\n" not in encoded and b"\r" not in encoded:  # else it would end a line of an event
        args = msgspec.Raw(encoded)
    return {"id": call_id, "name": name, "args": args}


def read_logprobs(candidate: Mapping[str, object]) -> tuple[Logprob, ...] | None:
    result = candidate.get("logprobsResult")
    if type(result) is not dict:
        return None
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    alternatives = top if type(top) is list else []
    found: list[Logprob] = []
    for index, token in enumerate(chosen if type(chosen) is list else ()):
        beside = alternatives[index] if index < len(alternatives) else None
        others = beside.get("candidates") if type(beside) is dict else None
        found.append(
            replace(
                _logprob(token), top=tuple(map(_logprob, others)) if type(others) is list else ()
            )
        )
    return tuple(found)


def write_logprobs(logprobs: Sequence[Logprob]) -> dict[str, object]:
    """The value of `logprobsResult`."""
    said: dict[str, object] = {"chosenCandidates": [_token(each) for each in logprobs]}
    if any(each.top for each in logprobs):
        said["topCandidates"] = [
            {"candidates": [_token(other) for other in each.top]} for each in logprobs
        ]
    return said


def text_member(value: Mapping[str, object], name: str) -> str:
    member = value.get(name)
    return member if type(member) is str else ""


def _candidate(candidate: Mapping[str, object], seed: str) -> Candidate:
    parts: list[AnswerPart] = []
    texts: list[str] = []
    calls = 0
    for part in parts_of(candidate):
        text = part.get("text")
        texts.append("")
        if type(text) is str:
            signature = sealed.of_provider(part)
            if part.get("thought") is True:
                parts.append(Thinking(text, signature))
            elif text or signature is not None:
                parts.append(Text(text, signature=signature))
                texts[-1] = text
        else:
            call = call_of(part, seed, calls)
            image = image_of(part)
            if call is not None:
                calls += 1
                parts.append(call)
            elif image is not None:
                parts.append(image)
    parts.extend(citations.read(candidate, texts))
    stop = stop_of(finish_reason(candidate), has_calls=calls > 0)
    return Candidate(tuple(parts), stop, logprobs=read_logprobs(candidate))


def _written(candidate: Candidate, index: int) -> dict[str, object]:
    parts: list[dict[str, object]] = []
    texts: list[str] = []
    cited: list[Citation] = []
    reason = _REASONS[candidate.stop]
    for part in candidate.parts:
        match part:
            case Text():
                texts.append(part.text)
                parts.append({"text": part.text, **_sealed(part)})
            case Thinking():
                parts.append({"text": part.text, "thought": True, **_sealed(part)})
            case ToolCall():
                call = call_object(part.call_id, part.name, part.arguments)
                if call is not None:
                    parts.append({"functionCall": call, **_sealed(part)})
                elif candidate.stop is not Stop.MAX_TOKENS:
                    reason = MALFORMED_CALL
            case Refusal():
                texts.append(part.text)
                parts.append({"text": part.text})
            case Speech():
                parts.extend(speech_parts(part.transcript, part.data))
            case Citation():
                cited.append(part)
            case Image():
                parts.extend(image_parts(part))
    said: dict[str, object] = {
        "content": {"parts": parts, "role": "model"},
        "finishReason": reason,
        "index": index,
    }
    if cited:
        said["groundingMetadata"] = citations.write(cited, texts)
    if candidate.logprobs is not None:
        said["logprobsResult"] = write_logprobs(candidate.logprobs)
    return said


def image_of(part: Mapping[str, object]) -> Image | None:
    """None: it is none, or one that the model drew while it thought."""
    blob = part.get("inlineData")
    if type(blob) is not dict or part.get("thought") is True:
        return None
    media_type, data = text_member(blob, "mimeType"), text_member(blob, "data")
    if not data or not media_type.startswith("image/"):
        return None
    return Image(Inline(media_type, standard(data)), signature=sealed.of_provider(part))


def image_parts(image: Image) -> Iterator[dict[str, object]]:
    """The part that says it, if there is one."""
    seal = {} if image.signature is None else {"thoughtSignature": sealed.shown(image.signature)}
    match image.source:
        case Inline(media_type, data):
            yield {"inlineData": {"mimeType": media_type or _IMAGE, "data": data}, **seal}
        case Remote(url, media_type):
            yield {"fileData": {"mimeType": media_type or _IMAGE, "fileUri": url}, **seal}
        case _:
            pass


def speech_parts(transcript: str, data: str) -> Iterator[dict[str, object]]:
    if transcript:
        yield {"text": transcript}
    if data:
        yield {"inlineData": {"mimeType": _SOUND, "data": data}}


def _sealed(part: Text | Thinking | ToolCall) -> dict[str, object]:
    if part.signature is None:
        return {}
    is_redacted = isinstance(part, Thinking) and part.is_redacted
    return {"thoughtSignature": sealed.shown(part.signature, is_redacted=is_redacted)}


def _logprob(token: object) -> Logprob:
    if type(token) is not dict:
        return Logprob("", 0.0)
    value = token.get("logProbability")
    return Logprob(
        text_member(token, "token"),
        float(value) if type(value) is float or type(value) is int else 0.0,
    )


def _token(logprob: Logprob) -> dict[str, object]:
    return {"token": logprob.token, "logProbability": logprob.logprob}
