"""An authorization server that is asked about tokens (RFC 7662), and wants to know by whom."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tests.kit.http_server import Handler, HttpServer

CLIENT, SECRET = "the gateway", "s3cr+t/=&"
"""With what must be encoded in a header and in a form."""


class AuthorizationServer(HttpServer):
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

        class Answering(Handler):
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

        super().__init__(Answering)

    def answer(self, token: str) -> bytes:
        if self.body is not None:
            return self.body
        said = self.tokens.get(token)
        return json.dumps({"active": False} if said is None else {"active": True, **said}).encode()

    @property
    def url(self) -> str:
        return f"{super().url}/introspect"


def _is_known(header: str, form: dict[str, list[str]]) -> bool:
    """RFC 6749 §2.3.1: in the header or in the body, and not in both."""
    scheme, _, encoded = header.partition(" ")
    in_body = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
    if scheme.lower() != "basic":
        return in_body == (CLIENT, SECRET)
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return in_body == ("", "") and (unquote_plus(user), unquote_plus(password)) == (CLIENT, SECRET)
