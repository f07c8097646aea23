"""An HTTP server that keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came in."""

    method: str
    path: str
    """As it was written, with the query."""
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes


class Recorder:
    """`with Recorder() as server: server.port, server.requests`."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.status = 200
        self.answer = b"{}"
        self.kind = "application/json"
        """Of the answer."""
        self.is_chunked = False
        """It comes event by event."""
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

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
                self.send_response(recorder.status)
                self.send_header("content-type", recorder.kind)
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

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
