"""Tools of MCP servers over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from gateway.mcp_pins import FILE
from tests.kit.tool_pins import seen
from tests.xds_server.admin.test_api import Running
from xds_server.admin.api import admin_app
from xds_server.admin.mcp_tools import mcp_tool_routes
from xds_server.deeds import Deeds
from xds_server.tool_pins import ToolPinStore

TOKEN = "the-token"
TOOLS, APPROVE = ("GET", "/api/mcp/tools"), ("POST", "/api/mcp/approve")


def ask(
    folder: Path, asked: tuple[str, str], body: object = None, token: str = TOKEN
) -> httpx.Response:
    async def asking() -> httpx.Response:
        store = ToolPinStore(folder, Deeds(folder), lambda _: None)
        app = admin_app(Running().view(), further=mcp_tool_routes(store, TOKEN))
        transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5))
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        base = "http://127.0.0.1:15000"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            content = None if body is None else json.dumps(body).encode()
            return await client.request(*asked, headers=sent, content=content)

    return asyncio.run(asking())


def test_what_waits_is_shown_and_approved(tmp_path: Path) -> None:
    seen(tmp_path, "a", x="1 2")
    (row,) = ask(tmp_path, TOOLS).json()["tools"]
    assert (row["state"], row["digest"], row["approved_digest"]) == ("changed", "2", "1")
    assert row["definition"] == {"name": "x", "description": "2"}
    wrong = ask(tmp_path, APPROVE, {"server": "a", "tool": "x", "digest": "3"})
    assert (wrong.status_code, wrong.json()["error"]) == (
        409,
        "the definition is another by now: 2",
    )
    done = ask(tmp_path, APPROVE, {"server": "a", "tool": "x", "digest": "2"})
    assert done.json() == {"server": "a", "tool": "x", "digest": "2"}
    assert ask(tmp_path, TOOLS).json()["tools"][0]["state"] == "known"


@pytest.mark.parametrize("asked", [TOOLS, APPROVE])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_nothing_is_told_or_done_without_the_token(
    tmp_path: Path, asked: tuple[str, str], token: str
) -> None:
    seen(tmp_path, "a", x="1 2")
    body = {"server": "a", "tool": "x"} if asked is APPROVE else None
    assert ask(tmp_path, asked, body, token).status_code == 401
    assert ask(tmp_path, TOOLS).json()["tools"][0]["state"] == "changed"


def test_what_is_no_approval_is_refused(tmp_path: Path) -> None:
    assert ask(tmp_path, APPROVE, {"server": "a"}).status_code == 400
    assert ask(tmp_path, APPROVE, {"server": "a", "tool": "x", "all": True}).status_code == 400
    (tmp_path / FILE).write_text("no database " * 100)
    assert ask(tmp_path, TOOLS).status_code == 503
    assert ask(tmp_path, APPROVE, {"server": "a", "tool": "x"}).status_code == 503
