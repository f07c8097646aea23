"""Documents at URLs: what is asked for, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.config.fetched import Documents, Fetched, Found, NotAsked, NotFetched, Wanted
from gateway.config.gathering import Content
from gateway.config.load import load
from gateway.config.openapi import OpenApiBlock
from gateway.config.published import for_workers, published
from gateway.config.sources import Loaded, Loader
from gateway.openapi.values import Api
from gateway.resolve import resolve
from tests.kit.openapi_documents import SHOP_31, document

URL = "https://shop.example:8443/docs/openapi.json?format=json"
NOWHERE = document("/x", "get", {})


class Answers:
    """Documents by URL."""

    def __init__(self, folder: Path, **texts: str) -> None:
        self.folder = folder
        self.texts = texts
        self.asked: list[Wanted] = []

    def file(self, wanted: Wanted) -> Path | None:
        return self.folder / f"{wanted.refresh_seconds:g}.json"

    def accept(self, digests: Mapping[str, str]) -> None:
        raise AssertionError

    def fall_back(self) -> bool:
        raise AssertionError

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        self.asked += wanted
        found: dict[Wanted, Found] = {}
        for each in wanted:
            host = each.url.split("/")[2].split(".")[0]
            text = self.texts.get(host)
            found[each] = "cannot be fetched: no" if text is None else Content(text, f"of {host}")
        return found


def loaded(folder: Path, server: str, documents: Documents | None = None) -> Loaded:
    (folder / "gateway.yaml").write_text(f"mcp: {{servers: {{shop: {server}}}}}\n")
    documents = documents or Answers(folder, shop=SHOP_31)
    return Loader(folder / "gateway.yaml", {"TOKEN": "tok"}, documents=documents).load()


def told(found: Loaded) -> list[str]:
    return [f"{each.path}: {each.message}" for each in found.problems]


def test_a_document_is_what_is_at_its_url(tmp_path: Path) -> None:
    answers = Answers(tmp_path, shop=SHOP_31)
    headers = "{X-Token: 'a ${TOKEN}'}"
    server = f"{{url: 'https://a', openapi: {{url: '{URL}', refresh: 1h, headers: {headers}}}}}"
    found = loaded(tmp_path, server, answers)
    assert found.config is not None, found.problems
    assert set(answers.asked) == {Wanted(URL, (("x-token", "a tok"),), 3600.0)} == {*found.wanted}
    assert found.referenced == {URL: "of shop"}
    assert tmp_path / "3600.json" in found.watched
    (server_meant,) = resolve(found.config).mcp.servers
    assert server_meant.api is not None
    assert server_meant.api.operations[0].name == "listThings"


def test_its_ca_is_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("the ca")
    found = loaded(tmp_path, f"{{url: 'https://a', openapi: {{url: '{URL}', ca: ca.pem}}}}")
    assert [each.ca for each in found.wanted] == ["the ca"]


def test_where_the_document_does_not_say_the_api_is_where_it_is(tmp_path: Path) -> None:
    answers = Answers(tmp_path, shop=NOWHERE)
    found = loaded(tmp_path, f"{{openapi: {{url: '{URL}'}}}}", answers)
    assert found.config is not None, found.problems
    (service,) = resolve(found.config).services
    assert service.upstream.authority == "shop.example:8443"
    again = load(published(found.config), file="told", environment={})
    assert not isinstance(again, tuple)
    assert resolve(again).services == resolve(found.config).services
    workers = load(for_workers(found.config), file="told", environment={})
    assert not isinstance(workers, tuple)
    assert resolve(workers).mcp.servers == resolve(found.config).mcp.servers
    assert "shop.example" not in for_workers(found.config)


def test_a_document_sends_credentials_nowhere_else(tmp_path: Path) -> None:
    """Whoever can change it is not asked where the API is, unless it is where the document is."""

    def at(url: str, server: str = "") -> list[str]:
        answers = Answers(tmp_path, shop=document("/x", "get", {}, servers=[{"url": url}]))
        return told(loaded(tmp_path, f"{{{server} key: k, openapi: {{url: '{URL}'}}}}", answers))

    assert at("https://shop.example:8443/v1") == at("/v1") == []
    for elsewhere in ("https://evil.example", "http://shop.example:8443", "https://shop.example"):
        (one,) = at(elsewhere)
        assert one == (
            "mcp.servers.shop.openapi: the document is at 'https://shop.example:8443', and says"
            f" that the API is at '{elsewhere}'"
        )
        assert at(elsewhere, "url: 'https://api.example',") == []


def test_who_is_told_the_configuration_fetches_nothing(tmp_path: Path) -> None:
    server = f"{{url: 'https://a:1', openapi: {{url: '{URL}', headers: {{a: '${{TOKEN}}'}}}}}}"
    found = loaded(tmp_path, server)
    assert found.config is not None
    for text in (published(found.config), for_workers(found.config)):
        assert "tok" not in text.split("inline")[0]
        assert URL not in text
        again = load(text, file="told", environment={})
        assert not isinstance(again, tuple)
        assert again.mcp.servers["shop"].api == found.config.mcp.servers["shop"].api


def test_every_document_that_cannot_be_had_is_told_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        "mcp:\n  servers:\n    a: {openapi: {url: 'https://gone.example/a'}}\n"
        "    b: {openapi: {url: 'https://gone.example/b'}}\n    c: {}\n"
    )
    found = Loader(tmp_path / "gateway.yaml", {}, documents=Answers(tmp_path)).load()
    assert [(each.path, each.line) for each in found.problems] == [
        ("mcp.servers.a.openapi.url", 3),
        ("mcp.servers.b.openapi.url", 4),
        ("mcp.servers.c", 5),
    ]
    assert found.problems[0].message == "'https://gone.example/a' cannot be fetched: no"
    assert len(found.wanted) == 2, "they are asked for again"


def test_mistakes_in_it_have_its_url_and_their_line(tmp_path: Path) -> None:
    text = "openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths:\n  /a: {get: 5}\n"
    found = loaded(
        tmp_path, "{openapi: {url: 'https://shop/o.yaml'}}", Answers(tmp_path, shop=text)
    )
    (one,) = told(found)
    assert one.startswith("mcp.servers.shop.openapi: https://shop/o.yaml:4: ")


def test_without_somebody_who_fetches_it_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        f"mcp: {{servers: {{a: {{openapi: {{url: '{URL}'}}}}}}}}"
    )
    found = Loader(tmp_path / "gateway.yaml", {}).load()
    (one,) = told(found)
    assert one == (
        f"mcp.servers.a.openapi.url: '{URL}' is not fetched here: have a copy of it, as 'file'"
    )


def test_who_fetches_nothing_has_nothing_to_go_back_to() -> None:
    for documents in (NotFetched(), NotAsked()):
        documents.accept({URL: "x"})
        assert not documents.fall_back()


def test_where_it_does_not_matter_it_counts_as_empty(tmp_path: Path) -> None:
    server = f"{{openapi: {{url: '{URL}', include: [{{tags: x}}], names: {{a: b}}}}}}"
    found = loaded(tmp_path, server, NotAsked())
    assert found.config is not None, found.problems
    assert found.config.mcp.servers["shop"].api == Api("", "")
    assert found.referenced == {}


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{url: 'ftp://a/b'}", "url: must be an http or https url, not 'ftp://a/b'"),
        ("{url: 'https://u:p@a/b'}", "url: must not carry credentials"),
        ("{url: 'https://a/b#c'}", "url: must have no fragment and no spaces"),
        ("{url: 5}", "url: must be a url, not '5'"),
        ("{url: 'https://a', refresh: 1s}", "refresh: must be 10s or longer, not '1s'"),
        ("{url: 'https://a', headers: {if-match: x}}", "headers.if-match: is said by who fetches"),
        ("{url: 'https://a', headers: {a: [x]}}", "headers.a: must be text"),
        (
            "{url: 'https://a', headers: {a: ' b'}}",
            "headers.a: must be printable ascii, without spaces around it",
        ),
        ("{url: 'http://a', headers: {a: x}}", ": has headers, and a url without TLS"),
        ("{url: 'https://a', file: b.yaml}", ": needs exactly one of file, url and inline"),
        ("{inline: '', refresh: 10s}", ": has no url, and 'refresh' is for one"),
        ("{inline: '', headers: {a: b}}", ": has no url, and 'headers' is for one"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, block: str, problem: str) -> None:
    (tmp_path / "b.yaml").write_text(SHOP_31)
    answers = Answers(tmp_path, a=SHOP_31)
    found = [each.removeprefix("mcp.servers.shop.openapi") for each in
             told(loaded(tmp_path, f"{{openapi: {block}}}", answers))]  # fmt: skip
    assert [each.lstrip(".") for each in found] == [problem]


def test_a_url_on_this_machine_needs_no_tls(tmp_path: Path) -> None:
    answers = Answers(tmp_path, **{"127": SHOP_31})
    server = "{url: 'https://a', openapi: {url: 'http://127.0.0.1:1/o', headers: {a: b}}}"
    assert loaded(tmp_path, server, answers).config is not None


def test_a_block_is_written_with_its_url() -> None:
    block = OpenApiBlock(url=Fetched(URL, SHOP_31))
    assert block.model_dump(mode="json", exclude_unset=True) == {"url": URL}
    assert block.origin == "https://shop.example:8443"
