"""An HTTP server that keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from tests.kit.http_server import Handler, HttpServer


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came in."""

    method: str
    path: str
    """As it was written, with the query."""
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes


class Recorder(HttpServer):
    """`with Recorder() as server: server.port, server.requests`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.failing = 0
        """How many requests are answered with 503 before others."""
        self.requests: list[Recorded] = []
        self.status = 200
        self.answer = b"{}"
        self.kind = "application/json"
        """Of the answer."""
        self.headers: dict[str, str] = {}
        """Further ones of the answer."""
        self.is_chunked = False
        """It comes event by event."""
        recorder = self

        class Answering(Handler):
            def do_GET(self) -> None:
                self._record()

            def do_POST(self) -> None:
                self._record()

            def do_PUT(self) -> None:
                self._record()

            def _record(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.requests.append(Recorded(self.command, self.path, headers, body))
                status = 503 if recorder.failing > 0 else recorder.status
                recorder.failing -= 1
                self.send_response(status)
                self.send_header("content-type", recorder.kind)
                for name, value in recorder.headers.items():
                    self.send_header(name, value)
                if recorder.is_chunked:
                    self._write_chunks()
                    return
                self.send_header("content-length", str(len(recorder.answer)))
                self.end_headers()
                self.wfile.write(recorder.answer)

            def _write_chunks(self) -> None:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for event in recorder.answer.split(b"\n\n"):
                    if event:
                        self.wfile.write(b"%x\r\n%b\n\n\r\n" % (len(event) + 2, event))
                        self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        super().__init__(Answering, tls)

    @property
    def last(self) -> Recorded:
        return self.requests[-1]
