"""OpenAI's Responses API as a dialect of chats.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from extproc.llm.dialect import Codec
from extproc.llm.openai_chat.errors import decode_error, encode_error
from extproc.llm.openai_responses.answers import decode_answer, encode_answer
from extproc.llm.openai_responses.capabilities import CALLED, TOOL_NAMES
from extproc.llm.openai_responses.request_writer import encode_request
from extproc.llm.openai_responses.requests import decode_request
from extproc.llm.openai_responses.stream_reader import ResponsesDecoding
from extproc.llm.openai_responses.stream_writer import ResponsesEncoding

CODEC = Codec(
    name="OpenAI Responses",
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decoding=ResponsesDecoding,
    encoding=ResponsesEncoding,
    decode_error=decode_error,
    encode_error=encode_error,
    stream_type="text/event-stream",
    tool_names=TOOL_NAMES,
    called=CALLED,
)
