"""Providers of every dialect on one port, who answer with the samples of `tests/translations`.

Which sample is the model's name: `text` is `answers/text.json`, or `streams/text.sse` when a stream
was asked for; `429-rate_limit` is `errors/429-rate_limit.json`. What was asked is kept, with all
that its provider would have against it. A script says what happens to the next requests instead.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

from tests.kit.provider_rules import faults

SAMPLES = Path(__file__).parents[1] / "translations"
_PIECE_BYTES = 37
"""Streams come in pieces that cut events, and characters, anywhere."""
_JSON = "application/json"

_PATHS: tuple[tuple[str, str, bool | None], ...] = (  # the last: whether the path says "stream"
    (r".*/chat/completions", "openai_chat", None),
    (r".*/responses", "openai_responses", None),
    (r".*/messages(\?beta=true)?", "anthropic", None),
    (r".*/models/(?P<model>[^:]+):generateContent", "gemini", False),
    (r".*/models/(?P<model>[^:]+):streamGenerateContent\?alt=sse", "gemini", True),
    (r".*/model/(?P<model>[^/]+)/converse", "bedrock", False),
    (r".*/model/(?P<model>[^/]+)/converse-stream", "bedrock", True),
    (r".*/model/(?P<model>[^/]+)/invoke", "anthropic", False),
    (r".*/anthropic/models/(?P<model>[^:]+):rawPredict", "anthropic", False),
    (r".*/anthropic/models/(?P<model>[^:]+):streamRawPredict", "anthropic", True),
)
_BEDROCK_ERRORS = {  # what `x-amzn-ErrorType` says, by the sample
    "400-context_length": "ValidationException",
    "400-validation": "ValidationException",
    "403-access_denied": "AccessDeniedException",
    "403-signature": "InvalidSignatureException",
    "404-not_found": "ResourceNotFoundException",
    "408-model_timeout": "ModelTimeoutException",
    "424-model_error": "ModelErrorException",
    "429-throttling": "ThrottlingException",
    "429-tokens_per_day": "ThrottlingException",
    "500-internal_server": "InternalServerException",
    "503-service_unavailable": "ServiceUnavailableException",
}


@dataclass(frozen=True, slots=True)
class Fail:
    """With an error among the samples."""

    name: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hang:
    """The request is read, and nothing is said."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks after so many bytes of a stream, once they were heard."""

    after: int


@dataclass(frozen=True, slots=True)
class End:
    """The stream ends as if it were whole, after so many bytes."""

    after: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more is said after so many bytes, and the connection stays."""

    after: int


@dataclass(frozen=True, slots=True)
class Slow:
    """A stream whose pieces take their time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gzip:
    """The answer is compressed, whether it was asked for or not."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The answer, which is no stream, has these headers, too."""

    headers: tuple[tuple[str, str], ...]


Turn: TypeAlias = Fail | Hang | Cut | End | Pause | Slow | Gzip | Labelled


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    dialect: str
    model: str
    is_stream: bool
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    faults: tuple[str, ...] = ()
    """What its provider has against it."""


@dataclass(slots=True)
class SampleProviders:
    """Where they are, and what they were asked."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    script: deque[Turn] = field(default_factory=deque)
    """What happens to the next requests; those after them are answered by their sample."""
    heard: threading.Event = field(default_factory=threading.Event)
    """Set by a test when what came before a cut has reached it."""
    abandoned: int = 0
    """How many answers were given up by who asked."""

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

    server = _Server(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away is no error here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
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
                found = faults(dialect, self.path, self.headers.items(), body)
                asked = Asked(dialect, model, streams, self.path, headers, body, tuple(found))
                self.providers.asked.append(asked)
                try:
                    self._play(asked)
                except ConnectionError:
                    self.providers.abandoned += 1
                    self.close_connection = True
                return
        self._answer(404, b'{"error": {"message": "no such path"}}')

    def _play(self, asked: Asked) -> None:
        script = self.providers.script
        turn = script.popleft() if script else None
        if isinstance(turn, Fail):
            self._fail(asked.dialect, turn.name, turn.headers)
        elif isinstance(turn, Hang):
            self._wait()
        elif (SAMPLES / asked.dialect / "errors" / f"{asked.model}.json").exists():
            self._fail(asked.dialect, asked.model)
        elif asked.is_stream:
            self._stream(asked, turn)
        else:
            self._whole(asked, turn)

    def _fail(self, dialect: str, name: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        body = (SAMPLES / dialect / "errors" / f"{name}.json").read_bytes()
        if dialect == "bedrock":
            headers = (*headers, ("x-amzn-errortype", _BEDROCK_ERRORS[name]))
        self._answer(int(name[:3]), body, headers)

    def _whole(self, asked: Asked, turn: Turn | None) -> None:
        body = (SAMPLES / asked.dialect / "answers" / f"{asked.model}.json").read_bytes()
        match turn:
            case Gzip():
                self._answer(200, gzip.compress(body), (("content-encoding", "gzip"),))
            case Labelled():
                self._answer(200, body, turn.headers)
            case _:
                self._answer(200, body)

    def _answer(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._begin(status, _JSON, (*headers, ("content-length", str(len(body)))))
        self.wfile.write(body)

    def _begin(self, status: int, kind: str, headers: tuple[tuple[str, str], ...]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, asked: Asked, turn: Turn | None) -> None:
        body = stream_of(asked.dialect, asked.model)
        is_framed = asked.dialect == "bedrock"
        kind = "application/vnd.amazon.eventstream" if is_framed else "text/event-stream"
        encoding = (("content-encoding", "gzip"),) if isinstance(turn, Gzip) else ()
        self._begin(200, kind, (*encoding, ("transfer-encoding", "chunked")))
        if isinstance(turn, Gzip):
            body = gzip.compress(body)
        elif isinstance(turn, Cut | End | Pause):
            body = body[: turn.after]
        for start in range(0, len(body), _PIECE_BYTES):
            piece = body[start : start + _PIECE_BYTES]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if isinstance(turn, Slow):
                time.sleep(turn.seconds)
        if isinstance(turn, Cut):
            self.providers.heard.wait(10)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif isinstance(turn, Pause):
            self._wait()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _wait(self) -> None:
        """Until who asked goes away."""
        self.close_connection = True
        readable, _, _ = select.select([self.connection], [], [], 30)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError

    def _chunked(self) -> bytes:
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
