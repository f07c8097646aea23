"""Virtual keys over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.virtual_keys import parse
from tests.xds_server.admin.test_api import Running
from tests.xds_server.keys.test_desk import World
from xds_server.admin.api import admin_app
from xds_server.admin.asked import LIMIT_BYTES
from xds_server.admin.keys import key_routes
from xds_server.keys.store import KeysUnavailable

TOKEN = "the-token"
PATHS = [
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("GET", "/api/keys/ci"),
    ("PATCH", "/api/keys/ci"),
    ("DELETE", "/api/keys/ci"),
    ("POST", "/api/keys/ci/rotate"),
    ("POST", "/api/keys/ci/revoke"),
    ("GET", "/api/key-log"),
    ("GET", "/api/key-export"),
    ("POST", "/api/key-import"),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ask(
    world: World,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str = TOKEN,
    content: bytes | None = None,
    **headers: str,
) -> httpx.Response:
    async def asking() -> httpx.Response:
        app = admin_app(Running().view(), further=key_routes(world.desk(), TOKEN))
        transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5))
        sent = {"authorization": f"Bearer {token}"} if token else {}
        if method != "GET":
            sent["content-type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        base = "http://127.0.0.1:15000"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            whole = content if content is not None else json.dumps(body or {}).encode()
            return await client.request(method, path, headers=sent, content=whole)

    return asyncio.run(asking())


def test_a_key_lives_and_dies(world: World) -> None:
    made = ask(world, "POST", "/api/keys", {"name": "ci", "team": "red"})
    assert made.status_code == 201
    text = made.json()["key"]
    assert parse(text) is not None
    listed = ask(world, "GET", "/api/keys?team=red").json()
    assert [each["name"] for each in listed["keys"]] == ["ci"]
    assert ask(world, "GET", "/api/keys?team=blue").json() == {"keys": [], "next": None}
    changed = ask(world, "PATCH", "/api/keys/ci", {"team": "blue"})
    assert (changed.status_code, changed.json()["team"]) == (200, "blue")
    rotated = ask(world, "POST", "/api/keys/ci/rotate")
    assert rotated.json()["key"] != text
    assert rotated.json()["previous_works_until"] == "2027-01-16T08:00:00Z"
    assert ask(world, "POST", "/api/keys/ci/revoke").json()["state"] == "revoked"
    assert ask(world, "GET", "/api/keys/ci").json()["state"] == "revoked"
    assert ask(world, "DELETE", "/api/keys/ci").status_code == 200
    gone = ask(world, "GET", "/api/keys/ci")
    assert (gone.status_code, gone.json()["error"]) == (404, "no key 'ci'")


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("token", ["", "wrong", f"{TOKEN}x"])
def test_nothing_is_told_or_done_without_the_token(
    world: World, method: str, path: str, token: str
) -> None:
    ask(world, "POST", "/api/keys", {"name": "ci"})
    answer = ask(world, method, path, {"name": "other"}, token=token)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "ci" not in answer.text.replace("directory", "")
    entries = world.desk().log(None, "")["entries"]
    assert [each["what"] for each in entries] == ["create"]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_pages_of_other_sites_are_kept_away(world: World, method: str, path: str) -> None:
    rebound = ask(world, method, path, host="evil.example")
    assert rebound.status_code == 421
    if method != "GET":
        assert ask(world, method, path, sec_fetch_site="cross-site").status_code == 403


def test_every_mistake_is_told(world: World) -> None:
    answer = ask(world, "POST", "/api/keys", {"name": "-", "teem": "a"})
    assert answer.status_code == 400
    assert len(answer.json()["problems"]) == 2
    assert answer.json()["error"] == "; ".join(answer.json()["problems"])


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/api/keys", b"{"),
        ("POST", "/api/keys", b'{"name": "a", "name": '),
        ("POST", "/api/keys/ci/rotate", b'{"keep": 5}'),
        ("POST", "/api/keys/ci/rotate", b'{"keeep": "1h"}'),
        ("POST", "/api/keys/ci/revoke", b'{"when": "later"}'),
        ("POST", "/api/key-import", b'{"keys": {}}'),
        ("GET", "/api/key-log?before=x", b""),
    ],
)
def test_what_is_not_understood_does_nothing(
    world: World, method: str, path: str, content: bytes
) -> None:
    ask(world, "POST", "/api/keys", {"name": "ci"})
    assert ask(world, method, path, content=content).status_code == 400
    assert len(world.desk().log(None, "")["entries"]) == 1


def test_no_more_is_read_than_an_import_may_have(world: World) -> None:
    answer = ask(world, "POST", "/api/key-import", content=b" " * (LIMIT_BYTES + 1))
    assert answer.status_code == 413


def test_who_asked_is_written_down_and_from_where(world: World) -> None:
    ask(world, "POST", "/api/keys", {"name": "a"}, x_dragoman_user="ann")
    ask(world, "POST", "/api/keys", {"name": "b"})
    ask(world, "POST", "/api/keys", {"name": "c"}, x_dragoman_user="x" * 65)
    entries = ask(world, "GET", "/api/key-log").json()["entries"]
    assert [each["who"] for each in entries] == [
        "admin@192.0.2.7",
        "admin@192.0.2.7",
        "ann@192.0.2.7",
    ]
    older = ask(world, "GET", f"/api/key-log?before={entries[1]['seq']}").json()["entries"]
    assert older == entries[2:]
    assert ask(world, "GET", "/api/key-log?key=b").json()["entries"] == entries[1:2]


def test_an_export_is_lines_that_can_be_imported(world: World, tmp_path: Path) -> None:
    assert ask(world, "GET", "/api/key-export").text == ""
    texts = [ask(world, "POST", "/api/keys", {"name": n}).json()["key"] for n in "ab"]
    exported = ask(world, "GET", "/api/key-export")
    assert exported.headers["content-type"] == "application/jsonl"
    assert not any(text[21:] in exported.text for text in texts)
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there")
    keys = [json.loads(line) for line in exported.text.splitlines()]
    assert ask(there, "POST", "/api/key-import", {"keys": keys}).json() == {"imported": 2}
    assert ask(there, "GET", "/api/key-export").text == exported.text


def test_a_store_that_cannot_be_asked_is_said(world: World) -> None:
    (world.folder / "ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(KeysUnavailable):
        world.desk().page("", {})
    for method, path in PATHS:
        body: dict[str, Any] = {
            "POST /api/keys": {"name": "a"},
            "PATCH /api/keys/ci": {"team": "a"},
        }
        answer = ask(world, method, path, body.get(f"{method} {path}", {"keys": []})
                     if "revoke" not in path and "rotate" not in path else {})  # fmt: skip
        assert answer.status_code == 503, (method, path)
