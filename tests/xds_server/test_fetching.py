"""One fetch, of real HTTP servers: what is taken, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.fetched import Wanted
from tests.kit.certificates import Authority
from tests.kit.sites import Say, Site
from xds_server import fetching
from xds_server.fetching import CannotBeFetched, Document, fetch


def got(url: str, known: Document | None = None, **wanted: object) -> Document | None:
    return asyncio.run(fetch(Wanted(url, **wanted), known))  # type: ignore[arg-type]


def refused(url: str, known: Document | None = None, seconds: float = 5.0) -> str:
    with pytest.raises(CannotBeFetched) as caught:
        asyncio.run(fetch(Wanted(url), known, seconds))
    return str(caught.value)


@pytest.fixture
def other() -> Iterator[Site]:
    with Site(lambda path: Say()) as site:
        yield site


def test_a_document_comes_with_what_tells_whether_it_has_changed() -> None:
    known = Document("openapi: 3.1.0", '"7"', "Thu, 01 Jan 2026 00:00:00 GMT")

    def says(path: str) -> Say:
        if site.asked[-1].get("if-none-match") == '"7"':
            return Say(304, b"")
        return Say(headers={"etag": known.etag, "last-modified": known.last_modified})

    with Site(says) as site:
        headers = (("authorization", "Bearer x"),)
        assert got(f"{site.url}/a?format=json", headers=headers) == known
        assert got(site.url, known) is None
    assert site.asked[0]["authorization"] == "Bearer x"
    assert "if-none-match" not in site.asked[0]
    assert site.asked[1]["if-modified-since"] == known.last_modified


def test_encoded_answers_are_decoded() -> None:
    said = Say(body=gzip.compress(b"\xef\xbb\xbfopenapi: 3.1.0"))
    said.headers["content-encoding"] = "gzip"
    with Site(lambda path: said) as site:
        assert got(site.url) == Document("openapi: 3.1.0")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Say(404), "the answer is 404"),
        (Say(304, b""), "the answer is 304"),
        (Say(204, b""), "the answer is 204"),
        (Say(body=b"a: \xff"), "it is not utf-8: byte 3 is invalid"),
        (Say(body=bytes(fetching.MAX_BYTES + 1)), "it is larger than 16 MiB"),
        (Say(body=gzip.compress(bytes(fetching.MAX_BYTES + 1))), "it is larger than 16 MiB"),
    ],
    ids=["missing", "unchanged", "empty", "bytes", "large", "bomb"],
)
def test_what_is_no_document_is_refused(said: Say, why: str) -> None:
    if said.body[:2] == b"\x1f\x8b":
        said.headers["content-encoding"] = "gzip"
    with Site(lambda path: said) as site:
        assert refused(site.url) == why


def test_redirects_are_followed_at_the_same_host_alone(other: Site) -> None:
    def says(path: str) -> Say:
        to = {"/": "/doc", "/away": f"{other.url}/doc", "/round": "/round"}.get(path)
        return Say() if to is None else Say(302, b"", {"location": to})

    with Site(says) as site:
        assert got(f"{site.url}/") == Document("openapi: 3.1.0")
        assert refused(f"{site.url}/away") == "it redirects to another host, '127.0.0.1'"
        assert refused(f"{site.url}/round") == "more than 3 redirects"
    assert other.asked == []


def test_a_safer_place_of_the_same_host_may_be_redirected_to() -> None:
    redirected = fetching.redirected
    assert redirected("http://a.example/x", "https://a.example/y") == "https://a.example/y"
    for to in ("https://b.example/", "https://a.example:8443/", "//b.example/"):
        with pytest.raises(CannotBeFetched):
            redirected("http://a.example/x", to)
    with pytest.raises(CannotBeFetched):
        redirected("https://a.example/x", "http://a.example/x")


def test_nobody_and_silence_are_told() -> None:
    with Site(lambda path: Say()) as site:
        url = site.url
    assert "connect" in refused(url)

    def slow(path: str) -> Say:
        time.sleep(1.0)
        return Say()

    with Site(slow) as site:
        assert refused(site.url, seconds=0.2) == "no answer within 0.2 s"


def test_certificates_are_checked(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.server()
    (tmp_path / "both.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with Site(lambda path: Say(), context) as site:
        assert "certificate" in refused(site.url)
        assert got(site.url, ca=authority.pem) == Document("openapi: 3.1.0")
    with pytest.raises(CannotBeFetched, match="ca cannot be read"):
        got("https://127.0.0.1:1/", ca="-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----")
