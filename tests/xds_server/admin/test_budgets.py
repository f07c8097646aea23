"""Top-ups and resets over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.xds_server.admin.test_api import Running
from tests.xds_server.budgets.test_desk import CONFIG, World, loaded
from tests.xds_server.keys.test_desk import World as Keys
from xds_server.admin.api import admin_app
from xds_server.admin.budgets import budget_routes

TOKEN = "the-token"
PATHS = [
    ("POST", "/api/budgets/top-up"),
    ("POST", "/api/budgets/reset"),
    ("GET", "/api/budget-log"),
]
TOP_UP = {"budget": "company", "amount": "5 USD", "why": "a launch", "request_id": "r1"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Keys(tmp_path), loaded(CONFIG))


def ask(
    world: World, method: str, path: str, body: object = None, token: str = TOKEN
) -> httpx.Response:
    async def asking() -> httpx.Response:
        app = admin_app(Running().view(), further=budget_routes(world.desk(), TOKEN))
        transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 5))
        sent = {"authorization": f"Bearer {token}", "x-dragoman-user": "ann"}
        if method != "GET":
            sent["content-type"] = "application/json"
        base = "http://127.0.0.1:15000"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(
                method, path, headers=sent, content=json.dumps(body or {}).encode()
            )

    return asyncio.run(asking())


def test_a_budget_is_topped_up_and_reset_and_the_log_says_by_whom(world: World) -> None:
    first = ask(world, "POST", "/api/budgets/top-up", TOP_UP)
    assert (first.status_code, first.json()["is_repeated"]) == (200, False)
    again = ask(world, "POST", "/api/budgets/top-up", TOP_UP)
    assert (again.status_code, again.json()["is_repeated"]) == (200, True)
    reset = ask(world, "POST", "/api/budgets/reset", {"budget": "company", "why": "a mistake"})
    assert (reset.status_code, reset.json()["limit"]) == (200, "5005 USD")
    entries = ask(world, "GET", "/api/budget-log?budget=company").json()["entries"]
    assert [(each["what"], each["who"]) for each in entries] == [
        ("reset", "ann@192.0.2.7"),
        ("top-up", "ann@192.0.2.7"),
    ]
    assert ask(world, "GET", "/api/budget-log?budget=other").json() == {"entries": []}
    assert len(ask(world, "GET", "/api/budget-log?before=2").json()["entries"]) == 1


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("token", ["", "wrong", f"{TOKEN}x"])
def test_nothing_is_told_or_done_without_the_token(
    world: World, method: str, path: str, token: str
) -> None:
    answer = ask(world, method, path, TOP_UP, token)
    assert answer.status_code == 401
    assert world.desk().log(None, "")["entries"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/api/budgets/top-up", {**TOP_UP, "amout": 1}, 400, "amout"),
        ("POST", "/api/budgets/top-up", {**TOP_UP, "budget": "x"}, 400, "no budget 'x'"),
        ("POST", "/api/budgets/reset", {"budget": "company"}, 400, "why"),
        ("GET", "/api/budget-log?before=x", None, 400, "before: not a number: x"),
    ],
)
def test_every_mistake_is_told(
    world: World, method: str, path: str, body: object, status: int, said: str
) -> None:
    answer = ask(world, method, path, body)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_a_ledger_that_gives_no_answer_is_a_503(world: World) -> None:
    (world.keys.folder / "ledger.db").write_bytes(b"no database" * 100)
    answer = ask(world, "POST", "/api/budgets/top-up", TOP_UP)
    assert answer.status_code == 503
    assert "ledger.db" in answer.json()["error"]
