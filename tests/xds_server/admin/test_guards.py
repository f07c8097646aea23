"""What a page in an operator's browser may not do."""

from __future__ import annotations

import pytest

from xds_server.admin.guards import reason_against, without_port

HOST = (b"host", b"127.0.0.1:15000")
JSON = (b"content-type", b"application/json")


def status(*headers: tuple[bytes, bytes]) -> int | None:
    refusal = reason_against(headers)
    return None if refusal is None else refusal.status_code


@pytest.mark.parametrize("kind", [b"application/json", b"Application/JSON; charset=utf-8"])
def test_a_program_that_sends_json_may(kind: bytes) -> None:
    assert status(HOST, (b"content-type", kind)) is None


@pytest.mark.parametrize(
    "kind",
    [
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=application/json",
        b"text/plain; application/json",
        b"",
    ],
)
def test_what_a_form_can_send_may_not(kind: bytes) -> None:
    assert status(HOST, (b"content-type", kind)) == 415


def test_no_kind_or_two_of_them_may_not() -> None:
    assert status(HOST) == 415
    assert status(HOST, JSON, (b"content-type", b"text/plain")) == 415


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"", b"same-origin, none"])
def test_another_site_may_not(site: bytes) -> None:
    assert status(HOST, JSON, (b"sec-fetch-site", site)) == 403


@pytest.mark.parametrize(
    "origin",
    [b"https://evil.example", b"http://127.0.0.1:8080", b"http://127.0.0.1", b"null", b""],
)
def test_another_origin_may_not(origin: bytes) -> None:
    assert status(HOST, JSON, (b"origin", origin)) == 403


@pytest.mark.parametrize("site", [b"same-origin", b"none"])
def test_a_page_of_our_own_may(site: bytes) -> None:
    own = (b"origin", b"http://127.0.0.1:15000")
    assert status(HOST, JSON, own, (b"sec-fetch-site", site)) is None


@pytest.mark.parametrize(
    ("header", "host"),
    [("a:1", "a"), ("a", "a"), ("[::1]", "[::1]"), ("[::1]:2", "[::1]"), ("A:b", "a:b")],
)
def test_the_port_is_no_part_of_the_host(header: str, host: str) -> None:
    assert without_port(header) == host
