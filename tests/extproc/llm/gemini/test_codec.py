"""The dialect as a whole: seals survive a client of Gemini's, whoever made them."""

from __future__ import annotations

import base64
import json

from extproc.llm.answer import Answer, Candidate, Stop
from extproc.llm.dialect import Asked, Call
from extproc.llm.gemini.codec import ARRAY_CODEC, CODEC
from extproc.llm.gemini.reading import READING
from extproc.llm.request import Request, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect

ASKED = Asked("m", "answer-1", 0)


def test_both_forms_of_streams_have_their_content_type() -> None:
    assert (CODEC.stream_type, ARRAY_CODEC.stream_type) == ("text/event-stream", "application/json")
    assert CODEC.encoding is not ARRAY_CODEC.encoding


def test_an_answer_that_is_played_back_is_what_it_was() -> None:
    seal = Signature(base64.b64encode(b"\xff\xfe" * 9).decode(), Dialect.ANTHROPIC)
    parts = (
        Thinking("I see.", seal),
        Thinking("", seal, is_redacted=True),
        Text("Looking it up."),
        ToolCall("call_1", "f", '{"a":1}', Signature("QUJD", Dialect.GEMINI)),
    )
    answer = Answer("a", "m", (Candidate(parts, Stop.TOOL_CALLS),), None)
    said = json.loads(CODEC.encode_answer(answer, ASKED))
    content = said["candidates"][0]["content"]
    for part in content["parts"]:  # as Google's client does
        if "thoughtSignature" in part:
            data = base64.b64decode(part["thoughtSignature"])
            part["thoughtSignature"] = base64.urlsafe_b64encode(data).decode()
    body = json.dumps({"contents": [content]}).encode()
    call = READING.decode(body, "m", is_stream=False)
    assert isinstance(call, Call)
    request = CODEC.decode_request(call)
    assert isinstance(request, Request)
    assert request.messages[0].parts == parts
