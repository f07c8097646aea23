"""What backends of plain routes answer, through a real Envoy, past the guards that read it."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.codings import CODINGS, packed
from tests.kit.http_server import Handler, HttpServer
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}", max_request_bytes: 4MiB}}
routes:
  - {name: read, match: {path: {prefix: /read}}, backend: "http://127.0.0.1:%(port)d", auth: none}
  - {name: kept, match: {path: {prefix: /kept}}, backend: "http://127.0.0.1:%(port)d", auth: none}
  - {name: free, match: {path: {prefix: /free}}, backend: "http://127.0.0.1:%(port)d", auth: none}
  - {name: asked, match: {path: {prefix: /asked}}, backend: "http://127.0.0.1:%(port)d", auth: none}
  - {name: held, match: {path: {prefix: /held}}, backend: "http://127.0.0.1:%(port)d"}
limits: [{name: one, concurrent: 1, for: {route: held}}]
authorize:
  - {name: etags, for: {route: held}, require: 'has(response.headers.etag)', phase: response}
guardrails:
  - {name: service, type: webhook, url: "http://127.0.0.1:%(service)d/", phase: response,
     for: {route: asked}}
  - {name: held, type: regex, patterns: [for.idden], phase: both, for: {route: held}}
  - {name: people, type: pii, kinds: [contact], action: mask, phase: both, for: {route: read}}
  - {name: words, type: regex, patterns: [for.idden], phase: response, for: {route: read}}
  - {name: tried, type: regex, patterns: [tried], phase: response, mode: audit, for: {route: read}}
  - {name: kept, type: pii, kinds: [payment], action: tokenise, for: {route: kept}}
"""
JSON = "application/json"


class Backend(HttpServer):
    """Answers as it is told, or with what it was sent."""

    def __init__(self) -> None:
        self.head: dict[str, str] = {}
        self.status = 200
        self.pieces: list[bytes | threading.Event] = []
        self.is_sized = True
        self.seen: dict[str, str] = {}
        self.body = b""
        self.trailers = b""
        backend = self

        class Answering(Handler):
            def do_GET(self) -> None:
                backend.seen = {name.lower(): value for name, value in self.headers.items()}
                backend.body = self.rfile.read(int(self.headers.get("content-length", "0")))
                self.send_response(backend.status)
                for name, value in backend.head.items():
                    self.send_header(name, value)
                whole = b"".join(each for each in backend.pieces if isinstance(each, bytes))
                if backend.is_sized:
                    self.send_header("content-length", str(len(whole)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(whole)
                    return
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for each in backend.pieces:
                    if isinstance(each, threading.Event):
                        each.wait(20)
                        continue
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(each), each))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n%b\r\n" % backend.trailers)

            do_POST = do_HEAD = do_GET

        super().__init__(Answering)

    def says(
        self, *pieces: bytes | threading.Event, kind: str = JSON, status: int = 200, **head: str
    ) -> None:
        named = {name.replace("_", "-"): value for name, value in head.items()}
        self.head = {**({"content-type": kind} if kind else {}), **named}
        self.status, self.pieces, self.is_sized = status, list(pieces), True

    def streams(self, *pieces: bytes | threading.Event, kind: str, **head: str) -> None:
        self.says(*pieces, kind=kind, **head)
        self.is_sized = False


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


class Service(HttpServer):
    """A guard's: it objects to what is bad, and replaces what is secret."""

    def __init__(self) -> None:
        self.status = 200
        service = self

        class Judging(Handler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                texts = [each["text"] for each in json.loads(self.rfile.read(length))["texts"]]
                said: dict[str, Any] = {"verdict": "pass"}
                if any("bad" in text for text in texts):
                    said = {"verdict": "block", "reason": "it is bad"}
                elif any("secret" in text for text in texts):
                    new = [text.replace("secret", "[s]") for text in texts]
                    said = {"verdict": "replace", "texts": new}
                body = json.dumps(said).encode()
                self.send_response(service.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Judging)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as server:
        yield server


@pytest.fixture(scope="module")
def guarded(
    backend: Backend, service: Service, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("answers")
    file = folder / "gateway.yaml"
    file.write_text(YAML % {"port": backend.port, "service": service.port})
    with serve(file, folder / "state") as stack:
        yield stack


def get(stack: Stack, path: str = "/read", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"{stack.url}{path}", headers=named, timeout=30)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("is_sized", [True, False], ids=["sized", "chunked"])
def test_what_is_masked_is_another_answer(guarded: Stack, backend: Backend, is_sized: bool) -> None:
    body = b'{"from": "jane@example.com", "n": 1.0}'
    held = {"etag": '"v1"', "content_digest": "sha-256=:AA==:", "cache_control": "private"}
    backend.says(body, **held)
    backend.is_sized = is_sized
    answer = get(guarded)
    assert (answer.status_code, answer.content) == (200, b'{"from":"[EMAIL]","n":1.0}')
    if is_sized:
        assert answer.headers["content-length"] == str(len(answer.content))
    assert not {"etag", "content-digest"} & set(answer.headers)
    assert answer.headers["cache-control"] == "private"
    assert backend.seen["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_hide_nothing_and_stay_where_nothing_is_found(
    guarded: Stack, backend: Backend, coding: str
) -> None:
    good = packed(coding, b'{"a": "good"}')
    backend.says(good, etag='"v1"', content_encoding=coding)
    with httpx.stream("GET", f"{guarded.url}/read", timeout=30) as answer:
        assert b"".join(answer.iter_raw()) == good
        assert answer.headers["content-encoding"] == coding
        assert (answer.headers["etag"], answer.headers["content-length"]) == (
            '"v1"',
            str(len(good)),
        )
    backend.says(packed(coding, b'"for\\u0062idden"'), content_encoding=coding)
    assert code(get(guarded)) == (403, "content_policy_violation")
    backend.says(packed(coding, b'"jane@example.com"'), content_encoding=coding)
    answer = get(guarded)
    assert answer.content == b'"[EMAIL]"'
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("kind", "said", "told"),
    [
        ("text/html; charset=utf-8", b"<b>jane@example.com</b>", b"<b>[EMAIL]</b>"),
        ("application/xml", b"<a>jane@example.com</a>", b"<a>[EMAIL]</a>"),
        ("application/x-www-form-urlencoded", b"a=b&m=jane%40example.com", b"a=b&m=%5BEMAIL%5D"),
        ("", b'[1, "jane@example.com"]', b'[1,"[EMAIL]"]'),
    ],
)
def test_other_forms_are_read(
    guarded: Stack, backend: Backend, kind: str, said: bytes, told: bytes
) -> None:
    backend.says(said, kind=kind)
    assert get(guarded).content == told


def test_errors_of_backends_are_read_too(guarded: Stack, backend: Backend) -> None:
    backend.says(b'{"error": "no jane@example.com"}', status=404)
    answer = get(guarded)
    assert (answer.status_code, answer.json()) == (404, {"error": "no [EMAIL]"})


@pytest.mark.parametrize(
    ("said", "head", "status"),
    [
        (b'{"a": 1, "a": 2}', {}, 200),
        (b"\xff", {"kind": "text/plain"}, 200),
        (b"x", {"kind": "text/plain; charset=latin1"}, 200),
        (b"x", {"content_encoding": "compress"}, 200),
        (b"x", {"kind": "text/plain", "content_range": "bytes 0-0/2"}, 206),
    ],
)
def test_what_guards_cannot_read_does_not_pass(
    guarded: Stack, backend: Backend, said: bytes, head: dict[str, str], status: int
) -> None:
    backend.says(said, status=status, **head)
    assert code(get(guarded)) == (502, "unreadable_answer")


@pytest.mark.parametrize("is_sized", [True, False], ids=["sized", "chunked"])
def test_what_is_too_large_to_be_read_does_not_pass(
    guarded: Stack, backend: Backend, is_sized: bool
) -> None:
    backend.says(*[b"x" * (1 << 20)] * 9, kind="text/plain")
    backend.is_sized = is_sized
    assert code(get(guarded)) == (502, "answer_too_large")
    backend.says(gzip.compress(b"x" * (20 << 20)), kind="text/plain", content_encoding="gzip")
    backend.is_sized = is_sized
    assert code(get(guarded)) == (502, "answer_too_large")


@pytest.mark.parametrize("is_sized", [True, False], ids=["sized", "chunked"])
def test_some_hundred_kilobytes_are_read(guarded: Stack, backend: Backend, is_sized: bool) -> None:
    backend.says(*[b"x" * (1 << 16)] * 12, b" jane@example.com", kind="text/plain")
    backend.is_sized = is_sized
    answer = get(guarded)
    assert answer.content == b"x" * (12 << 16) + b" [EMAIL]"


@pytest.mark.parametrize("path", ["/read", "/free"])
def test_what_is_not_read_streams_as_it_comes(guarded: Stack, backend: Backend, path: str) -> None:
    pieces = [bytes([number]) * (1 << 20) for number in range(24)]
    digest = hashlib.sha256(b"".join(pieces)).hexdigest()
    backend.says(*pieces, kind="image/png", etag='"v1"')
    answer = get(guarded, path)
    assert hashlib.sha256(answer.content).hexdigest() == digest
    assert answer.headers["etag"] == '"v1"'
    backend.says(b"part", kind="video/mp4", status=206, content_range="bytes 0-3/9")
    assert get(guarded, path, range="bytes=0-3").content == b"part"
    assert backend.seen["range"] == "bytes=0-3"


@pytest.mark.parametrize("status", [200, 204, 304])
def test_answers_without_a_body_pass(guarded: Stack, backend: Backend, status: int) -> None:
    backend.says(b"" if status != 200 else b'"jane@example.com"', status=status, etag='"v1"')
    method = "HEAD" if status == 200 else "GET"
    answer = httpx.request(method, f"{guarded.url}/read", timeout=30)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (status, b"", '"v1"')


def events(*datas: bytes) -> list[bytes]:
    return [b"data: %b\n\n" % data for data in datas]


def test_events_are_masked_as_they_come(guarded: Stack, backend: Backend) -> None:
    more = threading.Event()
    first, second = events(b'{"to": "jane@example.com"}', b'{"n": [2]}')
    backend.streams(
        b": jane@example.com\n\n", b"id: 7\n" + first, more, second, kind="text/event-stream"
    )
    with httpx.stream("GET", f"{guarded.url}/read", timeout=30) as answer:
        pieces = answer.iter_raw()
        said = b""
        while b"EMAIL" not in said:
            said += next(pieces)
        more.set()
        said += b"".join(pieces)
    comment, first, second = (
        b":\n\n",
        b'id: 7\ndata: {"to":"[EMAIL]"}\n\n',
        b'data: {"n": [2]}\n\n',
    )
    assert said.replace(comment, b"") == first + second
    assert comment in said


def test_what_lies_across_events_is_found(guarded: Stack, backend: Backend) -> None:
    backend.streams(*events(b"to jane@exa", b"mple.com", b" bye"), kind="text/event-stream")
    answer = get(guarded)
    assert answer.content == b"".join(events(b"to [EMAIL]", b"", b" bye"))


def test_a_stream_that_is_blocked_ends_with_an_error(guarded: Stack, backend: Backend) -> None:
    said = events(b'{"a": 1}', b'{"a": "forbidden"}', b'{"a": "after"}')
    backend.streams(*said, *events(b"x" * 1000) * 500, kind="text/event-stream")
    answer = get(guarded)
    head, name, data = (
        answer.content.split(b"\n\n")[:3][0],
        *answer.content.split(b"\n\n")[1].split(b"\n"),
    )
    assert head == b'data: {"a": 1}'
    assert name == b"event: error"
    error: Any = json.loads(data.removeprefix(b"data: "))["error"]
    assert error["code"] == "content_policy_violation"
    assert b"after" not in answer.content
    assert b"xxx" not in answer.content


def test_lines_are_read_one_by_one(guarded: Stack, backend: Backend) -> None:
    lines = [b'{"a": "good"}\n', b'{"a": "jane@example.com"}\n', b'{"a": "forbidden"}\n', b"{}\n"]
    backend.streams(*lines, kind="application/x-ndjson")
    found = get(guarded).content.split(b"\n")
    assert found[:2] == [b'{"a": "good"}', b'{"a":"[EMAIL]"}']
    assert json.loads(found[2])["error"]["code"] == "content_policy_violation"
    assert found[3:] == [b""]


def test_a_coded_stream_is_read(guarded: Stack, backend: Backend) -> None:
    said = gzip.compress(b"".join(events(b'["jane@example.com"]')))
    backend.streams(said[:9], said[9:], kind="text/event-stream", content_encoding="gzip")
    answer = get(guarded)
    assert answer.content == b'data: ["[EMAIL]"]\n\n'
    assert "content-encoding" not in answer.headers


def test_what_is_held_back_goes_on_before_trailers(guarded: Stack, backend: Backend) -> None:
    backend.streams(*events(b"bye"), kind="text/event-stream", trailer="x-end")
    backend.trailers = b"x-end: 1\r\n"
    try:
        assert get(guarded).content == b"data: bye\n\n"
    finally:
        backend.trailers = b""


def test_a_document_may_end_in_trailers(guarded: Stack, backend: Backend) -> None:
    backend.streams(b'{"a": "jane@example.com"}', kind=JSON, trailer="x-end")
    backend.trailers = b"x-end: 1\r\n"
    try:
        answer = get(guarded)
        assert (answer.status_code, answer.content) == (200, b'{"a":"[EMAIL]"}')
    finally:
        backend.trailers = b""


def test_values_are_tokens_for_the_backend_alone(guarded: Stack, backend: Backend) -> None:
    iban = "DE89 3704 0044 0532 0130 00"
    backend.says(b'{"paid": "<IBAN_1>"}')
    asked = httpx.post(f"{guarded.url}/kept", json={"pay": iban}, timeout=30)
    assert json.loads(backend.body) == {"pay": "<IBAN_1>"}
    assert asked.json() == {"paid": iban}
    backend.streams(*events(b"paid <IB", b"AN_1> now"), kind="text/event-stream")
    asked = httpx.post(f"{guarded.url}/kept", json={"pay": iban}, timeout=30)
    assert "".join(each[6:] for each in asked.text.split("\n\n")) == f"paid {iban} now"
    backend.says(b'{"paid": "<IBAN_1>"}', etag='"v1"')
    untouched = httpx.post(f"{guarded.url}/kept", json={"pay": "nothing"}, timeout=30)
    assert (untouched.json(), untouched.headers["etag"]) == ({"paid": "<IBAN_1>"}, '"v1"')


def test_what_is_tried_out_on_answers_is_counted(guarded: Stack, backend: Backend) -> None:
    backend.says(b'{"a": "tried"}')
    assert get(guarded).content == b'{"a": "tried"}'

    def audited() -> list[str]:
        rows = web.get(f"{guarded.admin_url}/api/status", timeout=5).json()["audits"]
        return [row["name"] for row in rows if row["verdicts"].get("deny")]

    eventually(lambda: "tried" in audited(), "it is counted")


def test_services_are_asked_about_answers(
    guarded: Stack, backend: Backend, service: Service
) -> None:
    backend.says(b'{"a": "secret"}')
    assert get(guarded, "/asked").content == b'{"a":"[s]"}'
    backend.says(b'{"a": "bad"}')
    assert code(get(guarded, "/asked")) == (403, "content_policy_violation")
    service.status = 500
    try:
        assert code(get(guarded, "/asked")) == (503, "guardrail_unavailable")
    finally:
        service.status = 200


def test_services_are_asked_about_events_in_turn(guarded: Stack, backend: Backend) -> None:
    said = [b'{"n": %d, "a": "fine"}' % number for number in range(50)]
    pieces = events(*said, b'{"a": "secret"}', b'{"a": "bad"}', b'{"a": "after"}')
    backend.streams(*pieces, kind="text/event-stream")
    found = get(guarded, "/asked").content.split(b"\n\n")
    assert found[:50] == [b"data: " + each for each in said]
    assert found[50] == b'data: {"a":"[s]"}'
    assert found[51].startswith(b"event: error")
    assert b"it is bad" in found[51]
    assert found[52:] == [b""]
    backend.streams(
        *events(b"words of a text ", b"that is secret. ", b"Bye"), kind="text/event-stream"
    )
    told = get(guarded, "/asked").content
    assert b"".join(each[6:] for each in told.split(b"\n\n")) == b"words of a text that is [s]. Bye"


def test_rules_limits_and_guards_hold_together(guarded: Stack, backend: Backend) -> None:
    for _ in range(2):
        backend.says(b'["good"]', etag='"v1"')
        assert get(guarded, "/held").status_code == 200  # so its place was given back
        backend.says(b'["forbidden"]', etag='"v1"')
        assert code(get(guarded, "/held")) == (403, "content_policy_violation")
        backend.says(b'["good"]')
        assert code(get(guarded, "/held")) == (403, "permission_denied")
        backend.streams(*events(b"good"), kind="text/event-stream", etag='"v1"')
        assert get(guarded, "/held").content == b"data: good\n\n"
    picture = {"content-type": "image/png"}
    backend.says(b"[]", etag='"v1"')
    large = b"x" * (6 << 20)
    for path in ("/held", "/read"):
        asked = httpx.post(f"{guarded.url}{path}", content=large, headers=picture, timeout=30)
        assert asked.status_code == 200
        assert backend.body == large


def test_what_guards_have_read_is_compressed_for_clients_that_take_it(
    backend: Backend, service: Service, serve_newest: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    text = YAML % {"port": backend.port, "service": service.port}
    file.write_text(text.replace("max_request_bytes: 4MiB", "compress: true"))
    said = b'{"from": "jane@example.com", "n": "%b"}' % (b"x" * 5000)
    with serve_newest(file, tmp_path / "state") as stack:
        for kind, told in ((JSON, said), ("text/event-stream", b"data: %b\n\n" % said)):
            backend.streams(told, kind=kind)
            answer = get(stack, accept_encoding="gzip")
            assert answer.headers["content-encoding"] == "gzip"
            assert b'"[EMAIL]"' in answer.content
            assert backend.seen["accept-encoding"] == "identity"
