"""Anthropic's Messages API, as one of the chat dialects."""

from __future__ import annotations

from extproc.llm.anthropic.answers import decode_answer, encode_answer
from extproc.llm.anthropic.capabilities import CALLED, TOOL_NAMES
from extproc.llm.anthropic.errors import decode_error, encode_error
from extproc.llm.anthropic.request_writer import encode_request
from extproc.llm.anthropic.requests import decode_request
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.anthropic.stream_writer import MessagesEncoding
from extproc.llm.dialect import Codec

CODEC = Codec(
    name="Anthropic Messages",
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decoding=MessagesDecoding,
    encoding=MessagesEncoding,
    decode_error=decode_error,
    encode_error=encode_error,
    stream_type="text/event-stream",
    tool_names=TOOL_NAMES,
    called=CALLED,
)
