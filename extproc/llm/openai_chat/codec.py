"""OpenAI's chat dialect as one value for each kind of server that speaks it."""

from __future__ import annotations

from functools import partial

from extproc.llm.dialect import Codec
from extproc.llm.openai_chat.answers import decode_answer, encode_answer
from extproc.llm.openai_chat.capabilities import CALLED, TOOL_NAMES
from extproc.llm.openai_chat.errors import decode_error, encode_error
from extproc.llm.openai_chat.request_writer import encode_request
from extproc.llm.openai_chat.requests import decode_request
from extproc.llm.openai_chat.servers import OPENAI, Server
from extproc.llm.openai_chat.stream_reader import Decoding
from extproc.llm.openai_chat.stream_writer import Encoding


def codec_for(server: Server) -> Codec:
    """The codec whose requests this server takes."""
    return Codec(
        name="OpenAI Chat Completions",
        decode_request=decode_request,
        encode_request=partial(encode_request, server=server),
        decode_answer=decode_answer,
        encode_answer=encode_answer,
        decoding=Decoding,
        encoding=Encoding,
        decode_error=decode_error,
        encode_error=encode_error,
        stream_type="text/event-stream",
        tool_names=TOOL_NAMES,
        called=CALLED,
    )


CODEC = codec_for(OPENAI)
