"""Providers on one port, for all that is no conversation: OpenAI, Azure, Anthropic, Gemini, Bedrock
and Cohere, each below a path of its own.

They speak as their public references say, hold what they are asked to them, and keep it. What they
answer, `tests.kit.other_answers` knows; this file knows HTTP and websockets.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.kit import other_answers
from tests.kit.codings import packed
from tests.kit.other_answers import Answer, Said

KEYS: Mapping[str, tuple[str, str]] = {
    "openai": ("authorization", "Bearer sk-openai"),
    "azure": ("api-key", "azure-key"),
    "anthropic": ("x-api-key", "sk-ant"),
    "gemini": ("x-goog-api-key", "AIza"),
    "bedrock": ("authorization", "Bearer bedrock-key"),
    "cohere": ("authorization", "Bearer co-key"),
}
"""The header, and its whole value, by which each knows who asks."""
CLIENT_KEY = "sk-client-of-the-gateway"
_CREDENTIALS = frozenset(name for name, _ in KEYS.values())
_LARGEST_KEPT = 1 << 20
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class File:
    """Of a form."""

    filename: str
    content_type: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Got:
    """A request as it arrived."""

    provider: str
    method: str
    path: str
    """After the provider's own."""
    query: dict[str, str]
    headers: dict[str, str]
    size: int
    digest: str
    """SHA-256 of the body as it came."""
    document: dict[str, Any]
    """The JSON object, or the fields of the form."""
    files: dict[str, File]
    faults: tuple[str, ...]
    """What its provider has against it."""


@dataclass(slots=True)
class OtherProviders:
    """Where they are, and what they were asked."""

    port: int
    got: list[Got] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    """Streams wait for it after their first piece, if `is_slow`."""
    is_slow: bool = False
    coding: str = ""
    """Of answers, whatever was asked for; empty: none."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Got:
        return self.got[-1]

    def forget(self) -> None:
        self.got.clear()
        self.heard.clear()
        self.is_slow = False
        self.coding = ""


@contextmanager
def other_providers() -> Iterator[OtherProviders]:
    """Serve until the block ends."""
    found = OtherProviders(0)

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
    providers: OtherProviders

    def do_GET(self) -> None:
        got = self._read()
        if self.headers.get("upgrade", "").lower() == "websocket":
            self._websocket(got)
        else:
            self._answer(other_answers.answer(_said(got)))

    def do_POST(self) -> None:
        self._answer(other_answers.answer(_said(self._read())))

    do_DELETE = do_PUT = do_PATCH = do_POST

    def _read(self) -> Got:
        size = int(self.headers.get("content-length") or 0)
        is_chunked = self.headers.get("transfer-encoding") == "chunked"
        body = self._chunked() if is_chunked else self.rfile.read(size)
        headers = {name.lower(): value for name, value in self.headers.items()}
        got = got_of(self.command, self.path, headers, body)
        self.providers.got.append(got)
        return got

    def _answer(self, answer: Answer) -> None:
        if answer.pieces:
            return self._stream(answer)
        body, headers = answer.body, dict(answer.headers)
        if coding := self.providers.coding:
            body, headers["content-encoding"] = packed(coding, body), coding
        self._begin(answer, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _stream(self, answer: Answer) -> None:
        self._begin(answer, {**dict(answer.headers), "transfer-encoding": "chunked"})
        for index, piece in enumerate(answer.pieces):
            if index and self.providers.is_slow:
                self.providers.heard.wait(10)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _begin(self, answer: Answer, headers: Mapping[str, str]) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _websocket(self, got: Got) -> None:
        """RFC 6455: each event of a realtime session is a text message."""
        key = got.headers["sec-websocket-key"].encode() + _WEBSOCKET
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest())
        self.send_header("sec-websocket-accept", accept.decode())
        self.end_headers()
        model = got.query.get("model", "")
        self._say(other_answers.session_created(model))
        while (event := self._heard_event()) is not None:
            for said in other_answers.realtime(event, model):
                self._say(said)
        self.close_connection = True

    def _say(self, event: Mapping[str, Any]) -> None:
        data = json.dumps(event).encode()
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        self.wfile.write(b"\x81" + length + data)

    def _heard_event(self) -> dict[str, Any] | None:
        """None: the other side has closed."""
        start = self.rfile.read(2)
        if len(start) < 2 or start[0] & 0x0F == 8:
            if start:
                self.wfile.write(b"\x88\x02\x03\xe8")
            return None
        size = start[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
        mask = self.rfile.read(4)
        data = bytes(each ^ mask[i % 4] for i, each in enumerate(self.rfile.read(size)))
        event: dict[str, Any] = json.loads(data)
        return event

    def _chunked(self) -> bytes:
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def got_of(method: str, target: str, headers: dict[str, str], body: bytes) -> Got:
    """A request, read as its provider would."""
    parts = urlsplit(target)
    _, provider, *below = parts.path.split("/")
    document, files, faults = _content(headers, body)
    path = "/" + "/".join(below)
    faults += _about_credentials(provider, headers)
    said = Said(provider, method, unquote(path), document, frozenset(files))
    faults += other_answers.faults(said)
    return Got(
        provider, method, path, dict(parse_qsl(parts.query)), headers,
        len(body), hashlib.sha256(body).hexdigest(), document, files, tuple(faults),
    )  # fmt: skip


def _said(got: Got) -> Said:
    return Said(got.provider, got.method, unquote(got.path), got.document, frozenset(got.files))


def _about_credentials(provider: str, headers: Mapping[str, str]) -> Iterable[str]:
    if provider not in KEYS:
        yield f"no provider {provider!r}"
        return
    name, value = KEYS[provider]
    if headers.get(name) != value:
        yield f"{name}: {headers.get(name)!r}"
    for each in _CREDENTIALS - {name}:
        if each in headers:
            yield f"a foreign credential in {each}"
    if any(CLIENT_KEY in value for value in headers.values()):
        yield "the client's key"


def _content(
    headers: Mapping[str, str], body: bytes
) -> tuple[dict[str, Any], dict[str, File], list[str]]:
    kind = headers.get("content-type", "")
    if "content-encoding" in headers or "x-goog-upload-offset" in headers:  # of a file, a piece
        return {}, {}, []
    if kind.startswith("multipart/form-data"):
        return _form(kind, body)
    if not body or not kind.startswith("application/json"):
        return {}, {}, []
    try:
        document = json.loads(body)
    except ValueError:
        return {}, {}, ["no JSON"]
    return document, {}, []


def _form(kind: str, body: bytes) -> tuple[dict[str, Any], dict[str, File], list[str]]:
    """RFC 7578."""
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if found is None:
        return {}, {}, ["a form without a boundary"]
    mark = b"--" + found[1].encode()
    start, *parts, end = body.split(mark)
    faults = [] if not start and end.startswith(b"--") else ["a form that does not end"]
    fields: dict[str, Any] = {}
    files: dict[str, File] = {}
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        lines = head.decode()
        name = re.search(r'\bname="([^"]*)"', lines)
        filename = re.search(r'\bfilename="([^"]*)"', lines)
        if name is None:
            faults.append("a part without a name")
        elif filename is not None:
            typed = re.search(r"content-type: *(\S+)", lines, re.IGNORECASE)
            digest = hashlib.sha256(content).hexdigest()
            files[name[1]] = File(filename[1], typed[1] if typed else "", len(content), digest)
        else:
            fields[name[1]] = content[:_LARGEST_KEPT].decode()
    return fields, files, faults
