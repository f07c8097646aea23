"""What is fetched, kept and fetched again."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.config.fetched import Wanted
from gateway.config.gathering import Content
from gateway.config.schema import Config
from gateway.config.sources import load_sources
from gateway.model import Endpoint
from tests.kit.openapi_documents import document
from tests.kit.plane import running_plane
from tests.kit.sites import Say, Site
from tests.kit.stack import eventually
from xds_server.commands.asking import Asking
from xds_server.commands.status import lines
from xds_server.documents import FOLDER, RemoteDocuments
from xds_server.fetching import CannotBeFetched, Document
from xds_server.history import History
from xds_server.publisher import Written, first_config

A = Wanted("https://a.example/openapi.json", (("authorization", "Bearer secret-1"),), 60.0)
B = Wanted("https://b.example/openapi.json")
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ONE, TWO = "openapi: 3.1.0\ninfo: {}", "openapi: 3.1.0\ninfo: {title: two}"


class Web:
    """What is at URLs; a text that begins with `!` is why there is nothing."""

    def __init__(self, **says: str) -> None:
        self.says = says
        self.asked: list[tuple[str, str]] = []
        """Host and the entity tag that is known."""
        self.now = 100.0

    async def fetch(self, wanted: Wanted, known: Document | None) -> Document | None:
        host = wanted.url.split("/")[2][0]
        self.asked.append((host, known.etag if known else ""))
        said = self.says[host]
        if said.startswith("!"):
            raise CannotBeFetched(said[1:])
        etag = f'"{len(said)}"'
        return None if known and known.etag == etag else Document(said, etag)

    def documents(self, folder: Path | None = None) -> RemoteDocuments:
        return RemoteDocuments(folder, self.fetch, lambda: self.now)


def text(documents: RemoteDocuments, wanted: Wanted = A) -> str:
    found = documents.read([wanted])[wanted]
    assert found is not None
    return found.text if isinstance(found, Content) else f"!{found}"


def kept_until(documents: RemoteDocuments, is_done: Callable[[], bool], *wanted: Wanted) -> None:
    async def keep() -> None:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(documents.keep(lambda: wanted))
            for _ in range(500):
                await asyncio.sleep(0.02)  # what is due was asked for by then
                if is_done():
                    break
            keeping.cancel()

    asyncio.run(keep())
    assert is_done()


def test_what_is_wanted_is_fetched_once() -> None:
    web = Web(a=ONE, b=TWO)
    documents = web.documents()
    found = documents.read([A, B])
    assert [each.text for each in found.values() if isinstance(each, Content)] == [ONE, TWO]
    assert documents.read([A, B]) == found
    assert sorted(web.asked) == [("a", ""), ("b", "")]
    assert documents.file(A) is None


def test_what_is_not_there_is_not_asked_for_at_once_again() -> None:
    web = Web(a="!the answer is 404")
    documents = web.documents()
    for _ in range(2):
        assert text(documents) == "!cannot be fetched: the answer is 404"
    assert len(web.asked) == 1
    web.now += 5
    web.says["a"] = ONE
    assert text(documents) == ONE


def test_a_page_of_an_outage_is_no_document(tmp_path: Path) -> None:
    web = Web(a="<html>back soon</html>")
    assert "it is no OpenAPI document: " in text(web.documents(tmp_path))
    assert not list(tmp_path.rglob("*.json"))


def test_a_document_that_has_changed_is_a_file_that_has(tmp_path: Path) -> None:
    web = Web(a=ONE)
    documents = web.documents(tmp_path)
    file = documents.file(A)
    assert file is not None
    assert not file.exists()
    assert text(documents) == ONE
    assert file.parent == tmp_path / FOLDER
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "secret-1" not in file.read_text() + file.name
    before = file.stat()
    web.now += 59
    kept_until(documents, lambda: True, A)
    assert len(web.asked) == 1
    web.now += 1
    kept_until(documents, lambda: len(web.asked) == 2, A)
    assert file.stat().st_mtime_ns == before.st_mtime_ns, "it has not changed"
    web.now += 60
    web.says["a"] = TWO
    kept_until(documents, lambda: file.stat().st_ino != before.st_ino, A)
    assert web.asked[-1] == ("a", f'"{len(ONE)}"')
    assert text(documents) == TWO


def test_the_last_one_is_used_while_there_is_no_newer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    web = Web(a=ONE)
    assert text(web.documents(tmp_path)) == ONE
    web.says["a"] = "!the answer is 503"
    documents = web.documents(tmp_path)  # after a start
    with caplog.at_level(logging.WARNING):
        assert text(documents) == ONE
    (line,) = caplog.messages
    assert f"'{A.url}' cannot be fetched: the answer is 503; the document of 20" in line
    (state,) = documents.states()
    assert (state.url, state.problem) == (A.url, "the answer is 503")
    assert state.fetched
    web.says["a"] = TWO
    web.now += 5
    kept_until(documents, lambda: text(documents) == TWO, A)
    assert documents.states()[0].problem == ""


def test_after_failures_it_is_asked_for_more_and_more_seldom(tmp_path: Path) -> None:
    web = Web(a="!no")
    documents = web.documents(tmp_path)
    assert text(documents) == "!cannot be fetched: no"
    for count, seconds in enumerate((5, 10, 20, 40, 60, 60), 2):
        web.now += seconds - 0.1
        kept_until(documents, lambda: True, A)
        assert len(web.asked) == count - 1
        web.now += 0.1
        kept_until(documents, lambda count=count: len(web.asked) == count, A)  # type: ignore[misc]


def test_with_other_headers_it_is_another_document(tmp_path: Path) -> None:
    documents = Web(a=ONE).documents(tmp_path)
    other = Wanted(A.url, (("authorization", "Bearer secret-2"),))
    assert documents.file(A) != documents.file(other)
    assert documents.file(A) == documents.file(Wanted(A.url, A.headers, 10.0, "ca"))


def test_what_nobody_wants_any_more_is_forgotten(tmp_path: Path) -> None:
    web = Web(a=ONE, b=TWO)
    documents = web.documents(tmp_path)
    documents.read([A, B])
    web.now += 400
    kept_until(documents, lambda: len(web.asked) == 3, B)
    assert [each.url for each in documents.states()] == [B.url]
    assert text(web.documents(tmp_path)) == ONE, "what is kept may be wanted again"


def test_damage_and_full_disks_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    web = Web(a=ONE)
    (tmp_path / FOLDER).write_text("not a folder")
    assert text(web.documents(tmp_path)) == ONE
    assert "it cannot be kept in" in caplog.text
    (tmp_path / FOLDER).unlink()
    documents = web.documents(tmp_path)
    assert text(documents) == ONE
    file = documents.file(A)
    assert file is not None
    file.write_text("{")
    caplog.clear()
    assert text(web.documents(tmp_path)) == ONE
    assert "what is kept of it cannot be read" in caplog.text


def test_what_cannot_be_kept_does_not_take_the_place_of_what_is(tmp_path: Path) -> None:
    web = Web(a=ONE)
    documents = web.documents(tmp_path)
    assert text(documents) == ONE
    file = documents.file(A)
    assert file is not None
    file.with_suffix(".unfinished").mkdir()
    web.now += 60
    web.says["a"] = TWO
    kept_until(documents, lambda: documents.states()[0].problem != "", A)
    assert "it cannot be kept in" in documents.states()[0].problem
    assert text(documents) == ONE


def test_faults_of_ours_are_told_and_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(wanted: Wanted, known: Document | None) -> Document | None:
        if wanted is A:
            raise ZeroDivisionError
        return Document(ONE)

    documents = RemoteDocuments(None, broken)
    found = documents.read([A, B])
    assert found[A] == "cannot be fetched: a fault of ours (ZeroDivisionError)"
    assert isinstance(found[B], Content)
    assert "ZeroDivisionError" in caplog.text


def test_a_changed_document_is_a_changed_configuration(tmp_path: Path) -> None:
    """By a whole control plane, whose clock runs a hundred times faster for documents."""
    says = {"/o": Say(body=document("/one", "get", {}).encode())}

    def fast(folder: Path) -> RemoteDocuments:
        return RemoteDocuments(folder, now=lambda: time.monotonic() * 100)

    with Site(lambda path: says[path]) as site:
        text = f"mcp: {{servers: {{shop: {{openapi: {{url: '{site.url}/o', refresh: 10s}}}}}}}}\n"
        with running_plane(tmp_path, text, fast(tmp_path / "state")) as running:
            first = running.version()
            told = json.dumps(Asking(running.admin).get("/api/resources"))
            assert "/one" in told
            says["/o"] = Say(body=document("/two", "get", {}).encode())
            eventually(lambda: running.version() != first, "the new document is in force")
            second = running.version() or ""
            running.until_remembered(second)
            assert "/two" in json.dumps(Asking(running.admin).get("/api/resources"))
            (good,) = (tmp_path / "state" / FOLDER).glob("*.good.json")
            assert b"/two" in good.read_bytes()
            (now, before) = running.plane.overview.history.entries
            assert now.sources.texts == before.sources.texts
            assert now.sources.referenced.keys() == {f"{site.url}/o"}
            assert now.sources.referenced != before.sources.referenced
            says["/o"] = Say(body=b"openapi: 3.1.0")
            eventually(lambda: running.plane.publisher.problems != (), "a wrong one is told")
            assert running.version() == second
            assert b"/two" in good.read_bytes()
            says["/o"] = Say(503)
            eventually(lambda: "503" in str(_status(running.admin)), "the status says it")


def test_what_was_in_force_is_used_where_what_is_there_cannot_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that starts again must not depend on what others publish meanwhile."""
    file = tmp_path / "gateway.yaml"
    file.write_text("mcp: {servers: {shop: {openapi: {url: 'https://a.example/openapi.json'}}}}\n")
    right, wrong = document("/one", "get", {}), document("/one", "get", {"parameters": 5})

    def start(web: Web) -> tuple[object, RemoteDocuments]:
        documents = web.documents(tmp_path)
        written = Written(file, {}, documents=documents)
        return first_config(written, History(tmp_path, lambda: NOON)), documents

    web = Web(a=right)
    config, documents = start(web)
    assert isinstance(config, Config)
    (wanted,) = load_sources(file, {}, documents=documents).wanted
    documents.accept({wanted.url: "another"})
    web.says["a"] = wrong
    assert isinstance(start(web)[0], tuple), "nothing was ever in force"
    web.says["a"] = right
    documents.read([wanted])
    _, documents = start(web)
    documents.accept({wanted.url: sha256(right.encode()).hexdigest()})
    web.says["a"] = wrong
    with caplog.at_level(logging.WARNING):
        config, documents = start(web)
    assert isinstance(config, Config)
    assert "what was in force last is used instead: " in caplog.text
    assert "parameters" in caplog.text
    assert text(documents, wanted) == right
    assert documents.states()[0].problem == "what is there now cannot be used"
    file.write_text("mcp: {servers: {shop: {}}}\n")
    found, _ = start(web)
    assert isinstance(found, tuple)


def test_status_tells_which_are_old() -> None:
    rows = [
        {"url": "https://a/o", "fetched": "", "problem": "the answer is 404"},
        {"url": "https://b/o", "fetched": "2026-01-01", "problem": "the answer is 503"},
        {"url": "https://c/o", "fetched": "2026-01-01", "problem": ""},
    ]
    assert [each for each in lines({"documents": rows}) if "document" in each] == [
        "no new document from https://a/o: the answer is 404; there is none",
        "no new document from https://b/o: the answer is 503; the one of 2026-01-01 is used",
    ]


def _status(admin: Endpoint) -> object:
    return Asking(admin).get("/api/status")["documents"]
