"""A provider that costs next to nothing: constant answers in OpenAI's format and in Anthropic's.

`python -m benchmarks.load.upstream PORT` answers POST …/chat/completions and …/messages with one
JSON body, or, when the request says `"stream":true`, with 200 chunks, one each millisecond.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import cast

import uvloop

CHUNKS = 200
_USAGE = {"prompt_tokens": 210, "completion_tokens": 40, "total_tokens": 250}
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The quick brown fox jumps. " * 8},
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
).encode()
_MESSAGE = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": "bench",
    "content": [{"type": "text", "text": "The quick brown fox jumps. " * 8}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 210, "output_tokens": 40},
}


def _whole(answer: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(answer) + answer


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _chunk(event: str) -> bytes:
    data = f"data: {event}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta(choices: list[object], **more: object) -> bytes:
    event = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1}
    return _chunk(json.dumps({**event, "model": "bench", "choices": choices, **more}))


_TOKEN = _delta([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])
_LAST = (
    _delta([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _delta([], usage=_USAGE)
    + _chunk("[DONE]")
    + b"0\r\n\r\n"
)


def _event(name: str, **fields: object) -> bytes:
    data = json.dumps({"type": name, **fields})
    event = f"event: {name}\ndata: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


@dataclass(frozen=True, slots=True)
class Answers:
    """What one API answers."""

    whole: bytes
    first: bytes
    """Of a stream, with its head."""
    token: bytes
    last: bytes


OPENAI = Answers(_whole(_ANSWER), _STREAM_HEAD, _TOKEN, _LAST)
ANTHROPIC = Answers(
    _whole(json.dumps(_MESSAGE).encode()),
    _STREAM_HEAD
    + _event("message_start", message={**_MESSAGE, "content": [], "stop_reason": None})
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "}),
    _event("content_block_stop", index=0)
    + _event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 40},
    )
    + _event("message_stop")
    + b"0\r\n\r\n",
)


class Provider(asyncio.Protocol):
    """Reads requests with a content-length; does not look at more than it must."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own type
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head_end + 4 + length:
            return
        answers = ANTHROPIC if b"/messages " in head else OPENAI
        is_stream = b'"stream":true' in self._buffer
        self._buffer.clear()
        if is_stream:
            self._transport.write(answers.first)
            self._stream(answers, CHUNKS)
        else:
            self._transport.write(answers.whole)

    def _stream(self, answers: Answers, left: int) -> None:
        if self._transport.is_closing():
            return
        if left == 0:
            self._transport.write(answers.last)
            return
        self._transport.write(answers.token)
        asyncio.get_running_loop().call_later(0.001, self._stream, answers, left - 1)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
