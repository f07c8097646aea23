"""Gemini's chat dialect, whole."""

from __future__ import annotations

from dataclasses import replace

from extproc.llm.dialect import Codec
from extproc.llm.gemini.answers import decode_answer, encode_answer
from extproc.llm.gemini.capabilities import CALLED, TOOL_NAMES
from extproc.llm.gemini.errors import decode_error, encode_error
from extproc.llm.gemini.requests import decode_request, encode_request
from extproc.llm.gemini.streams import GeminiArrayEncoding, GeminiDecoding, GeminiEncoding

CODEC = Codec(
    name="Gemini",
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decoding=GeminiDecoding,
    encoding=GeminiEncoding,
    decode_error=decode_error,
    encode_error=encode_error,
    stream_type="text/event-stream",
    tool_names=TOOL_NAMES,
    called=CALLED,
)
"""With `alt=sse`, as providers are always asked."""

ARRAY_CODEC = replace(CODEC, encoding=GeminiArrayEncoding, stream_type="application/json")
"""For clients that stream without `alt=sse`."""
