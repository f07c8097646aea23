"""Asking an admin API that is there, that is not, and that is something else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.model import Endpoint
from tests.kit.stack import free_ports
from xds_server.commands.asking import Asking, Unanswered, rows, table, texts


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[Endpoint, list[str]]]:
    """A server that says this to everything, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            size = int(self.headers.get("content-length", 0))
            sent = self.rfile.read(size).decode()
            asked.append(f"{self.command} {self.path} {self.headers['content-type']} {sent}")
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Endpoint("127.0.0.1", server.server_port), asked
        finally:
            server.shutdown()
            thread.join()


def test_what_is_shown_is_read() -> None:
    with answering(200, b'{"version": "a"}') as (where, asked):
        assert Asking(where).get("/api/status") == {"version": "a"}
    assert asked == ["GET /api/status None "]


def test_a_change_is_sent_as_json_and_any_answer_is_given_back() -> None:
    with answering(409, b'{"error": "no"}') as (where, asked):
        assert Asking(where).post("/api/rollback", {"version": "a"}) == (409, {"error": "no"})
    assert asked == ['POST /api/rollback application/json {"version":"a"}']


def test_nobody_there_is_said_with_the_address_and_how_to_choose_another() -> None:
    port = free_ports(1)[0]
    with pytest.raises(Unanswered) as refusal:
        Asking(Endpoint("127.0.0.1", port)).get("/api/status")
    said = str(refusal.value)
    assert said.startswith(f"no control plane answers at 127.0.0.1:{port}: ")
    assert "--admin or DRAGOMAN_ADMIN_PORT" in said


def test_an_ipv6_address_is_put_in_brackets() -> None:
    port = free_ports(1)[0]
    with pytest.raises(Unanswered, match=rf"no control plane answers at \[::1\]:{port}: "):
        Asking(Endpoint("::1", port)).get("/api/status")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"1"])
def test_somebody_else_there_is_said(body: bytes) -> None:
    with (
        answering(200, body) as (where, _),
        pytest.raises(Unanswered, match="no admin API of ours"),
    ):
        Asking(where).get("/api/status")


def test_an_unknown_path_is_said() -> None:
    with answering(404, b"{}") as (where, _), pytest.raises(Unanswered, match="answers 404"):
        Asking(where).get("/api/status")


def test_why_it_cannot_say_is_said() -> None:
    body = b'{"error": "the ledger does not answer"}'
    with (
        answering(503, body) as (where, _),
        pytest.raises(Unanswered, match="/api/budgets answers 503: the ledger does not answer"),
    ):
        Asking(where).get("/api/budgets")


def test_what_is_no_list_of_objects_is_nothing() -> None:
    assert rows([{"a": 1}, 2, "x"]) == [{"a": 1}]
    assert rows("x") == rows(None) == []
    assert texts(["a", 1]) == ["a", "1"]
    assert texts(None) == []


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert table(("A", "LONG"), [("abc", "x"), ("", "")]) == ["A    LONG", "abc  x", ""]
