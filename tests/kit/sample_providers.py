"""Providers of every dialect on one port, who answer with the samples of `tests/translations`.

Which sample is the model's name: `text` is `answers/text.json`, or `streams/text.sse` when a stream
was asked for; `429-rate_limit` is `errors/429-rate_limit.json`. What was asked is kept.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

SAMPLES = Path(__file__).parents[1] / "translations"
_PIECE_BYTES = 37
"""Streams come in pieces that cut events, and characters, anywhere."""

_PATHS: tuple[tuple[str, str, bool | None], ...] = (  # the last: whether the path says "stream"
    (r".*/chat/completions", "openai_chat", None),
    (r".*/responses", "openai_responses", None),
    (r".*/messages", "anthropic", None),
    (r".*/models/(?P<model>[^:]+):generateContent", "gemini", False),
    (r".*/models/(?P<model>[^:]+):streamGenerateContent\?alt=sse", "gemini", True),
    (r".*/model/(?P<model>[^/]+)/converse", "bedrock", False),
    (r".*/model/(?P<model>[^/]+)/converse-stream", "bedrock", True),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    dialect: str
    model: str
    is_stream: bool
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class SampleProviders:
    """Where they are, and what they were asked."""

    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@contextmanager
def sample_providers() -> Iterator[SampleProviders]:
    """Serve until the block ends."""
    found = SampleProviders(0)

    class Handler(_Handler):
        providers = found

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def stream_of(dialect: str, name: str) -> bytes:
    """The bytes of a streamed sample."""
    if dialect == "bedrock":
        return base64.b64decode((SAMPLES / dialect / "streams" / f"{name}.b64").read_bytes())
    return (SAMPLES / dialect / "streams" / f"{name}.sse").read_bytes()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    providers: SampleProviders

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(size) if size else self._chunked()
        body = json.loads(raw)
        for pattern, dialect, is_stream in _PATHS:
            match = re.fullmatch(pattern, self.path)
            if match is not None:
                model = unquote(match.groupdict().get("model") or body.get("model", ""))
                streams = body.get("stream") is True if is_stream is None else is_stream
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(dialect, model, streams, self.path, headers, body)
                self.providers.asked.append(asked)
                self._sample(asked)
                return
        self._answer(404, b'{"error": {"message": "no such path"}}', "application/json")

    def _sample(self, asked: Asked) -> None:
        folder = SAMPLES / asked.dialect
        error = folder / "errors" / f"{asked.model}.json"
        if error.exists():
            self._answer(int(asked.model[:3]), error.read_bytes(), "application/json")
        elif asked.is_stream:
            kind = "application/vnd.amazon.eventstream"
            self._stream(
                stream_of(asked.dialect, asked.model),
                kind if asked.dialect == "bedrock" else "text/event-stream",
            )
        else:
            answer = folder / "answers" / f"{asked.model}.json"
            self._answer(200, answer.read_bytes(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), _PIECE_BYTES):
            piece = body[start : start + _PIECE_BYTES]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _chunked(self) -> bytes:
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
