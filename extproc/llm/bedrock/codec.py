"""Bedrock's Converse as a `Codec`."""

from __future__ import annotations

from extproc.llm.bedrock.answers import decode_answer, encode_answer
from extproc.llm.bedrock.capabilities import CALLED, TOOL_NAMES
from extproc.llm.bedrock.errors import decode_error, encode_error
from extproc.llm.bedrock.requests import decode_request, encode_request
from extproc.llm.bedrock.streams import BedrockDecoding, BedrockEncoding
from extproc.llm.dialect import Codec
from extproc.protocols import event_stream

CODEC = Codec(
    name="Bedrock Converse",
    decode_request=decode_request,
    encode_request=encode_request,
    decode_answer=decode_answer,
    encode_answer=encode_answer,
    decoding=BedrockDecoding,
    encoding=BedrockEncoding,
    decode_error=decode_error,
    encode_error=encode_error,
    stream_type=event_stream.CONTENT_TYPE,
    tool_names=TOOL_NAMES,
    called=CALLED,
)
