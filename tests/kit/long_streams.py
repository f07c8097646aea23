"""A provider of several dialects on one port, whose streams are as long as it is asked for.

`3000 wait`: 3000 events of text, then silence; `reset`: then its connection breaks; `end`: then all
that a whole stream ends with.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INPUT_TOKENS = 11


@dataclass(frozen=True, slots=True)
class Spoken:
    """A dialect, in the form of its vendor's documentation."""

    path: str
    path_end: str
    """Of its provider's."""
    event: bytes
    tokens: int
    """In one event."""
    ending: str
    """After so many tokens."""
    request: Callable[[str], dict[str, Any]]
    """That says this."""


def _event(document: str, kind: str = "") -> bytes:
    named = f"event: {kind}\n" if kind else ""
    return f"{named}data: {document}\n\n".encode()


_CHUNK = (
    '{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk",'
    '"created":1741569952,"model":"gpt-5-mini-2025-08-07","service_tier":"default",'
    '"system_fingerprint":"fp_44709d6fcb","choices":%s,"usage":%s}'
)
_DELTA = '[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]'
_CHAT_USAGE = '{"prompt_tokens":11,"completion_tokens":%d,"total_tokens":0}'
_GEMINI = (
    '{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"},"index":0}],'
    '"usageMetadata":{"promptTokenCount":11%s},"modelVersion":"gemini-2.5-flash",'
    '"responseId":"mAitaLmkHPPlz7IPvtfUqQ4"}'
)
_WORDS = "the whole of it is said in a few plain words, one after the other, as they come to mind. "


def _conversation(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "stream": True}


def _message(text: str) -> dict[str, Any]:
    return {**_conversation(text), "max_tokens": 100_000}


def _contents(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


SPOKEN: dict[str, Spoken] = {
    "chat": Spoken(
        "/v1/chat/completions",
        "/chat/completions",
        _event(_CHUNK % (_DELTA, "null")),
        1,
        f"data: {_CHUNK % ('[]', _CHAT_USAGE)}\n\ndata: [DONE]\n\n",
        _conversation,
    ),
    "messages": Spoken(
        "/v1/messages",
        "/messages",
        _event(
            '{"type":"content_block_delta","index":0,'
            '"delta":{"type":"text_delta","text":" and so it goes on"}}',
            "content_block_delta",
        ),
        5,
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        '"stop_sequence":null},"usage":{"output_tokens":%d}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        _message,
    ),
    "gemini": Spoken(
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        ":streamGenerateContent",
        _event(_GEMINI % (_WORDS, "")),
        21,
        "data: " + _GEMINI % ("", ',"candidatesTokenCount":%d') + "\n\n",
        _contents,
    ),
}
_ANTHROPIC_START = _event(
    '{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant",'
    '"model":"claude","content":[],"stop_reason":null,"stop_sequence":null,'
    '"usage":{"input_tokens":11,"output_tokens":1}}}',
    "message_start",
)


@dataclass(slots=True)
class LongStreams:
    """Where they are."""

    url: str
    heard: threading.Event = field(default_factory=threading.Event)
    """Set when what comes before a break has reached who asked."""


@contextmanager
def long_streams() -> Iterator[LongStreams]:
    """Serve until the block ends."""
    found = LongStreams("")

    class Handler(_Handler):
        heard = found.heard

    server = _Server(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    heard: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        asked = re.search(r"(\d+) (wait|reset|end)", body)
        assert asked is not None
        count, ending = asked.groups()
        name = next(name for name, each in SPOKEN.items() if each.path_end in self.path)
        spoken = SPOKEN[name]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if name == "messages":
            self._send(_ANTHROPIC_START)
        left = int(count)
        while left:
            events = min(left, 20)
            self._send(spoken.event * events)
            left -= events
        match ending:
            case "wait":
                select.select([self.connection], [], [], 30)
                self.close_connection = True
            case "reset":
                self.heard.wait(10)
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            case _:
                self._send((spoken.ending % (int(count) * spoken.tokens)).encode())
                self.wfile.write(b"0\r\n\r\n")

    def _send(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def log_message(self, *_: object) -> None:
        """Says nothing."""
