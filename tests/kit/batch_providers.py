"""Providers that remember their batches: OpenAI's below `/openai`, Anthropic's below `/anthropic`.

They answer in the forms of https://platform.openai.com/docs/api-reference/batch and
https://docs.claude.com/en/api/creating-message-batches; when a batch ends, the test says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEYS = {
    "openai": ("authorization", "Bearer sk-openai"),
    "anthropic": ("x-api-key", "sk-ant"),
}
CREATED = 1_795_600_000


@dataclass(slots=True)
class BatchProviders:
    """Where they are, what they keep, and what they were asked."""

    port: int = 0
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[bytes]] = field(default_factory=dict)
    """The results of Anthropic's, by batch."""
    results_below: str = ""
    """What stands before the path in `results_url`."""
    asked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    created: int = CREATED

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def made(self, provider: str) -> dict[str, Any]:
        """A new batch."""
        number = len(self.batches) + 1
        made = _openai(number, self.created) if provider == "openai" else _anthropic(number)
        self.batches[made["id"]] = made
        return made

    def uses(self, batch: str, model: str, usage: dict[str, Any], status: str) -> None:
        """OpenAI's has done so much."""
        self.batches[batch] |= {"status": status, "model": model, "usage": usage}

    def ends(self, batch: str, lines: list[bytes]) -> None:
        """Anthropic's has these results."""
        self.lines[batch] = lines
        path = f"/v1/messages/batches/{batch}/results"
        ended = {"processing_status": "ended", "results_url": self.results_below + path}
        self.batches[batch] |= ended


@contextmanager
def batch_providers() -> Iterator[BatchProviders]:
    """Serve until the block ends."""
    found = BatchProviders()

    class Handler(_Handler):
        providers = found

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def result(model: str, usage: dict[str, Any], text: str = "Hi") -> bytes:
    """A line of results."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {**usage, "service_tier": "batch"},
    }  # fmt: skip
    line = {"custom_id": "1", "result": {"type": "succeeded", "message": message}}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _openai(number: int, created: int) -> dict[str, Any]:
    return {
        "id": f"batch_{number}", "object": "batch", "endpoint": "/v1/responses", "model": None,
        "errors": None, "input_file_id": "file-1", "completion_window": "24h",
        "status": "validating", "output_file_id": None, "error_file_id": None,
        "created_at": created, "expires_at": created + 86400, "metadata": {"é": "ü"},
        "request_counts": {"total": 3, "completed": 0, "failed": 0}, "usage": None,
    }  # fmt: skip


def _anthropic(number: int) -> dict[str, Any]:
    counts = {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return {
        "id": f"msgbatch_{number}", "type": "message_batch", "processing_status": "in_progress",
        "request_counts": counts, "created_at": "2026-11-25T12:00:00Z",
        "expires_at": "2026-11-26T12:00:00Z", "ended_at": None, "archived_at": None,
        "cancel_initiated_at": None, "results_url": None,
    }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    providers: BatchProviders

    def do_GET(self) -> None:
        _, path = self._asked()
        name, _, rest = path.partition("/")
        if not name:
            data = [each for each in self.providers.batches.values() if "object" in each]
            self._say({"object": "list", "data": data, "has_more": False})
        elif rest == "results":
            self._stream(self.providers.lines[name])
        else:
            self._say(self.providers.batches[name])

    def do_POST(self) -> None:
        provider, path = self._asked()
        json.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or b"{}")
        name = path.partition("/")[0]
        if not name:
            self._say(self.providers.made(provider))
            return
        batch = self.providers.batches[name]
        batch["status" if provider == "openai" else "processing_status"] = "cancelling"
        self._say(batch)

    def _asked(self) -> tuple[str, str]:
        """The provider, and what follows the path of its batches."""
        target = urlsplit(self.path).path
        self.providers.asked.append(f"{self.command} {self.path}")
        provider = target.split("/")[1]
        name, value = KEYS[provider]
        if self.headers[name] != value:
            self.providers.faults.append(f"{name}: {self.headers[name]}")
        is_counted = provider == "openai" or target.endswith("/results")
        if is_counted and self.headers["accept-encoding"]:
            self.providers.faults.append("a compressed answer is asked for")
        start = "/openai/v1/batches" if provider == "openai" else "/anthropic/v1/messages/batches"
        assert target.startswith(start), target
        return provider, target.removeprefix(start).strip("/")

    def _say(self, document: object) -> None:
        body = json.dumps(document, indent=1).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, lines: list[bytes]) -> None:
        """In pieces that end anywhere."""
        self.send_response(200)
        self.send_header("content-type", "application/binary")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        data, size = b"".join(lines), 60_001
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Says nothing."""
