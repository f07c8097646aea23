from __future__ import annotations

import json

from extproc.llm.anthropic.codec import CODEC
from extproc.llm.anthropic.decoding import MessagesDecoding
from extproc.llm.anthropic.encoding import MessagesEncoding
from extproc.llm.anthropic.reading import READING
from extproc.llm.dialect import Asked, Call
from extproc.llm.losses import Losses
from extproc.llm.request import Request


def test_the_dialect_is_whole() -> None:
    body = b'{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
    call = READING.decode(body, "", is_stream=False)
    assert isinstance(call, Call)
    request = CODEC.decode_request(call)
    assert isinstance(request, Request)
    assert json.loads(CODEC.encode_request(request, Losses()))["messages"][0]["content"] == "hi"
    assert isinstance(CODEC.decoding(), MessagesDecoding)
    assert isinstance(CODEC.encoding(Asked("m", "1", 0)), MessagesEncoding)
    assert (CODEC.name, CODEC.stream_type) == ("Anthropic Messages", "text/event-stream")
