"""Web sites of tests: what is said at which path, and what was asked."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.kit.http_server import Handler, HttpServer


@dataclass(slots=True)
class Say:
    """An answer."""

    status: int = 200
    body: bytes = b"openapi: 3.1.0"
    headers: dict[str, str] = field(default_factory=dict)


class Site(HttpServer):
    """Says `says(path)`; keeps the headers of what it was asked. With TLS, if it has a context."""

    def __init__(self, says: Callable[[str], Say], context: ssl.SSLContext | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        site = self

        class Saying(Handler):
            def do_GET(self) -> None:
                site.asked.append({name.lower(): each for name, each in self.headers.items()})
                said = says(self.path)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(said.body)))
                self.end_headers()
                try:
                    self.wfile.write(said.body)
                except ConnectionError:  # too long to be read whole
                    self.close_connection = True

        super().__init__(Saying)
        self._is_secure = context is not None
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._is_secure else 'http'}://127.0.0.1:{self.port}"
