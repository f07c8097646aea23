"""What callers have agreed to at MCP servers, over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from gateway.mcp_consents import FILE
from tests.kit.agreed import SINCE, agreed
from tests.xds_server.admin.test_api import Running
from xds_server.admin.api import admin_app
from xds_server.admin.mcp_consents import mcp_consent_routes
from xds_server.consents.desk import ConsentStore
from xds_server.consents.rows import SqliteConsentRows
from xds_server.deeds import Deeds

TOKEN = "the-token"
SHOWN, END = ("GET", "/api/mcp/connections"), ("POST", "/api/mcp/disconnect")
ANN = "aa" * 16


def ask(
    folder: Path, asked: tuple[str, str], body: object = None, token: str = TOKEN
) -> httpx.Response:
    async def asking() -> httpx.Response:
        store = ConsentStore(
            lambda: SqliteConsentRows(folder / FILE), Deeds(folder), lambda _: None
        )
        app = admin_app(Running().view(), further=mcp_consent_routes(store, TOKEN))
        transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5))
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        base = "http://127.0.0.1:15000"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            content = None if body is None else json.dumps(body).encode()
            return await client.request(*asked, headers=sent, content=content)

    return asyncio.run(asking())


def test_connections_are_shown_without_tokens_and_ended(tmp_path: Path) -> None:
    agreed(tmp_path, (ANN, "a", "key ann", 5))
    shown = ask(tmp_path, SHOWN)
    (row,) = shown.json()["connections"]
    assert row == {"id": ANN, "who": "key ann", "server": "a", "since": SINCE, "expires": 5}
    assert "sealed" not in shown.text
    assert ask(tmp_path, END, {"server": "a", "id": "c"}).status_code == 409
    assert ask(tmp_path, END, {"server": "a", "id": ANN}).json()["who"] == "key ann"
    assert ask(tmp_path, SHOWN).json() == {"connections": []}


@pytest.mark.parametrize("asked", [SHOWN, END])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_nothing_is_told_or_done_without_the_token(
    tmp_path: Path, asked: tuple[str, str], token: str
) -> None:
    agreed(tmp_path, (ANN, "a", "key ann", 5))
    body = {"server": "a", "id": ANN} if asked is END else None
    assert ask(tmp_path, asked, body, token).status_code == 401
    assert len(ask(tmp_path, SHOWN).json()["connections"]) == 1


def test_what_is_no_ending_is_refused(tmp_path: Path) -> None:
    assert ask(tmp_path, END, {"server": "a"}).status_code == 400
    (tmp_path / FILE).write_text("no database " * 100)
    assert ask(tmp_path, SHOWN).status_code == 503
    assert ask(tmp_path, END, {"server": "a", "id": "x"}).status_code == 503
