"""The API of `examples/openapi/library.yaml`: books in memory, and what it was asked.

What ends with `slow-3` takes three seconds.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import time
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.kit.http_server import Handler, HttpServer
from tests.kit.recorder import Recorded

KEY = "the-librarys-key"
READER = "Bearer a-reader"
"""Who may read its document, at `/openapi.yaml`."""
DOCUMENT = Path(__file__).parents[2] / "examples" / "openapi" / "library.yaml"
PNG = b"\x89PNG\r\n\x1a\n\x00picture"


class Library(HttpServer):
    """`with Library() as library: library.url, library.requests`."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, object]] = {
            "1": {"isbn": "1", "title": "Emma", "genre": "novel", "added": "2026-01-01"},
            "a/b": {"isbn": "a/b", "title": "Odes", "genre": "poems", "added": "2026-01-02"},
            "broken": {"isbn": "broken"},
        }
        self.covers: dict[str, bytes] = {}
        self.requests: list[Recorded] = []
        library = self

        class Answering(Handler):
            def do_GET(self) -> None:
                library.answer(self)

            do_POST = do_PUT = do_DELETE = do_GET

        super().__init__(Answering)

    def answer(self, handler: Handler) -> None:
        """One request."""
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Recorded(handler.command, handler.path, headers, body))
        status, kind, said = self._said(self.requests[-1])
        handler.send_response(status)
        if kind:
            handler.send_header("content-type", kind)
        if status != 204:
            handler.send_header("content-length", str(len(said)))
        try:
            handler.end_headers()
            handler.wfile.write(said)
        except ConnectionError:  # who asked has gone
            handler.close_connection = True

    def _said(self, asked: Recorded) -> tuple[int, str, bytes]:
        if slow := re.search(r"/slow-(\d+)$", asked.path):
            time.sleep(int(slow[1]))
        if asked.path == "/openapi.yaml" and asked.headers.get("authorization") == READER:
            return 200, "application/yaml", DOCUMENT.read_bytes()
        if asked.headers.get("x-library-key") != KEY:
            return 401, "text/plain", b"no key"
        parts = urlsplit(asked.path)
        segments = [unquote(each) for each in parts.path.split("/")[1:]]
        match asked.method, segments:
            case "GET", ["api", "books"]:
                genres = parse_qs(parts.query).get("genre", [])
                found = [
                    each
                    for each in self.books.values()
                    if "title" in each and (not genres or each.get("genre") in genres)
                ]
                return _json(200, found)
            case "POST", ["api", "books"]:
                book = {**json.loads(asked.body), "added": "2026-11-26"}
                self.books[book["isbn"]] = book
                return _json(201, book)
            case "GET", ["api", "books", isbn]:
                book = self.books.get(isbn)
                return _json(200, book) if book else (404, "text/plain", b"no such book")
            case "GET", ["api", "books", isbn, "cover"]:
                return 200, "image/png", self.covers.get(isbn, PNG)
            case "PUT", ["api", "books", isbn, "cover"]:
                self.covers[isbn] = _file(asked)
                return 204, "", b""
            case "POST", ["api", "loans"]:
                days = parse_qs(asked.body.decode()).get("days", ["14"])[0]
                return 200, "text/plain", f"for {days} days".encode()
        return 404, "text/plain", b"no such path"


def _json(status: int, value: object) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(value).encode()


def _file(asked: Recorded) -> bytes:
    text = b"Content-Type: " + asked.headers["content-type"].encode() + b"\r\n\r\n" + asked.body
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        if part.get_filename():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return content
    raise AssertionError("no file came")
