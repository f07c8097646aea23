"""An authorization server that is asked about tokens (RFC 7662), and wants to know by whom."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote_plus

CLIENT, SECRET = "the gateway", "s3cr+t/=&"
"""With what must be encoded in a header and in a form."""


class AuthorizationServer:
    """`with AuthorizationServer() as server: server.url`; `tokens` are those that it has issued."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        """Tokens, by clients that it knows."""
        self.status = 200
        self.body: bytes | None = None
        """Instead of what is right."""
        self.hang_seconds = 0.0
        self.failures = 0
        """How many of the next answers are a 503."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
                is_form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
                if not is_form or self.path != "/introspect":
                    return self._say(400, b"{}")
                if not _is_known(self.headers.get("authorization", ""), form):
                    return self._say(401, b'{"error": "invalid_client"}')
                token = form["token"][0]
                outer.asked.append(token)
                time.sleep(outer.hang_seconds)
                if outer.failures:
                    outer.failures -= 1
                    return self._say(503, b"")
                self._say(outer.status, outer.answer(token))

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def answer(self, token: str) -> bytes:
        if self.body is not None:
            return self.body
        said = self.tokens.get(token)
        return json.dumps({"active": False} if said is None else {"active": True, **said}).encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/introspect"

    def __enter__(self) -> AuthorizationServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _is_known(header: str, form: dict[str, list[str]]) -> bool:
    """RFC 6749 §2.3.1: in the header or in the body, and not in both."""
    scheme, _, encoded = header.partition(" ")
    in_body = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
    if scheme.lower() != "basic":
        return in_body == (CLIENT, SECRET)
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return in_body == ("", "") and (unquote_plus(user), unquote_plus(password)) == (CLIENT, SECRET)
