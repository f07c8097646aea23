"""The webhook is told once of each share, whoever looks, whatever fails on the way."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Charge, Exhausted
from gateway.model import AlertsTo
from tests.xds_server.budgets.test_desk import World, done, loaded
from tests.xds_server.keys.test_desk import World as Keys
from xds_server.budgets.alerting import Alerting, budget_figures
from xds_server.budgets.alerts import headers
from xds_server.budgets.desk import Reset
from xds_server.http_edge import listening_socket, serving
from xds_server.metrics import Figures, exposition

CONFIG = """
gateways: {default: {port: 8080}}
llm: {providers: {p: {type: openai, key: k}}, models: {m: p/gpt-5}}
alerts: {webhook: {url: "http://127.0.0.1:1"}}
budgets:
  - {name: each, for: {team: "*"}, limit: 100 tokens, per: total, alerts: [{at: 50%}, {at: 100%}]}
  - {name: quiet, limit: 100 USD, per: total}
"""
SECRET = base64.b64encode(b"0123456789abcdef01234567").decode()


@dataclass(slots=True)
class Hook:
    """A service that takes what it gets, or answers what it is told to."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def shares(self) -> list[tuple[str, str]]:
        told = [json.loads(body)["data"] for _, body in self.got]
        return sorted((each["of"]["team"], each["at"]) for each in told)

    async def take(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        status = self.answers.pop(0) if self.answers else 204
        where = {"location": "/elsewhere"} if status == 307 else {}
        return Response(status_code=status, headers=where)


@asynccontextmanager
async def hooked(hook: Hook) -> AsyncIterator[AlertsTo]:
    paths = [Route(each, hook.take, methods=["POST"]) for each in ("/", "/elsewhere")]
    socket = listening_socket("127.0.0.1", 0)
    hook.port = socket.getsockname()[1]
    async with serving(Starlette(routes=paths), socket):
        yield AlertsTo(f"http://127.0.0.1:{hook.port}/", SECRET)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Keys(tmp_path), loaded(CONFIG))


async def spend(world: World, team: str, tokens: int, budget: str = "each|tokens") -> None:
    counter = f"{budget}|team={team}" if team else budget
    ledger = await open_ledger(world.keys.folder / "ledger.db", worker="w")
    try:
        taken = ledger.reserve([Charge(counter, 0, 10**12, tokens)])
        held = await taken if isinstance(taken, Awaitable) else taken
        assert not isinstance(held, Exhausted)
        held.settle([tokens])
    finally:
        await ledger.close()


def alerting(world: World, to: AlertsTo | None, **changes: Any) -> Alerting:
    return Alerting(world.desk(), lambda: to, lambda: world.now, **changes)


def play(scene: Callable[[Hook, AlertsTo], Awaitable[None]], *answers: int) -> Hook:
    hook = Hook(list(answers))

    async def main() -> None:
        async with asyncio.timeout(60), hooked(hook) as to:
            await scene(hook, to)

    asyncio.run(main())
    return hook


def test_each_share_is_told_once_however_many_look(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        planes = [alerting(world, to) for _ in range(3)]
        await asyncio.gather(*(each.look() for each in planes))
        assert hook.got == []
        await spend(world, "red", 60)
        await spend(world, "blue", 40)
        for _ in range(2):
            await asyncio.gather(*(each.look() for each in planes))
        assert hook.shares == [("red", "50%")]
        await spend(world, "red", 40)
        await spend(world, "blue", 70)
        await asyncio.gather(*(each.look() for each in planes))
        await alerting(world, to).look()  # after a restart
        world.now += 3600
        await asyncio.gather(*(each.look() for each in planes))

    hook = play(scene)
    assert hook.shares == [("blue", "100%"), ("blue", "50%"), ("red", "100%"), ("red", "50%")]


def test_what_is_told_is_signed_and_has_an_id_of_its_own(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        await spend(world, "red", 100)
        await alerting(world, to).look()

    hook = play(scene)
    for got, body in hook.got:
        signed = headers(got["webhook-id"], int(got["webhook-timestamp"]), body, SECRET)
        assert got.items() >= signed.items()
    assert len({got["webhook-id"] for got, _ in hook.got}) == 2


def test_what_is_not_taken_is_tried_again_under_the_same_id(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        await spend(world, "red", 50)
        await alerting(world, to).look()

    hook = play(scene, 503, 404)
    assert len(hook.got) == 3
    assert len({got["webhook-id"] for got, _ in hook.got}) == 1


def test_what_was_given_up_is_tried_again_later_by_whomever(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        await spend(world, "red", 50)
        first, second = alerting(world, to, tried_seconds=0.0), alerting(world, to)
        await first.look()
        assert (len(hook.got), first.failed) == (1, 1)
        await second.look()
        assert len(hook.got) == 1, "the claim of the first still holds"
        world.now += 61
        await second.look()
        assert (len(hook.got), second.sent) == (2, 1)
        world.now += 61
        await first.look()
        await second.look()

    hook = play(scene, 500)
    assert len(hook.got) == 2
    assert len({got["webhook-id"] for got, _ in hook.got}) == 1


def test_shares_of_keys_own_budgets_are_told_and_are_no_metrics(world: World) -> None:
    said = {
        "name": "ci",
        "budgets": [{"limit": "100 tokens", "per": "total", "alerts": [{"at": "50%"}]}],
    }
    id = done(world.keys.desk().create(said, "ann"))["id"]

    async def scene(hook: Hook, to: AlertsTo) -> None:
        await spend(world, "", 60, f"key:{id}:total|tokens")
        one = alerting(world, to)
        for _ in range(2):
            await one.look()
        (got,) = hook.got
        told = json.loads(got[1])["data"]
        assert (told["budget"], told["of"], told["at"]) == ("key:ci:total", {"key": "ci"}, "50%")
        assert budget_figures(one, Figures()).budgets == ()

    play(scene)


def test_a_redirect_is_not_followed(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        await spend(world, "red", 50)
        await alerting(world, to, tried_seconds=0.0).look()

    assert len(play(scene, 307).got) == 1


def test_a_service_that_is_down_is_waited_for(world: World) -> None:
    async def main() -> None:
        await spend(world, "red", 50)
        nowhere = alerting(world, AlertsTo("http://127.0.0.1:9/", SECRET), tried_seconds=0.0)
        await nowhere.look()
        assert (nowhere.sent, nowhere.failed) == (0, 1)

    asyncio.run(main())


def test_after_a_reset_a_share_is_told_again(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        plane = alerting(world, to)
        await spend(world, "red", 50)
        await plane.look()
        told = world.desk().reset(Reset("each", "again", {"team": "red"}), "ann")
        assert isinstance(told, dict)
        await plane.look()
        assert len(hook.got) == 1
        await spend(world, "red", 51)
        await plane.look()

    hook = play(scene)
    assert hook.shares == [("red", "50%"), ("red", "50%")]
    assert len({got["webhook-id"] for got, _ in hook.got}) == 2


def test_a_reset_is_seen_by_who_looks_when_half_is_spent_again(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        plane = alerting(world, to)
        await spend(world, "red", 70)
        await plane.look()
        assert isinstance(world.desk().reset(Reset("each", "again", {"team": "red"}), "ann"), dict)
        await spend(world, "red", 50)
        await plane.look()

    assert len(play(scene).got) == 2


def test_a_ledger_that_gives_no_answer_ends_nothing(world: World) -> None:
    async def scene(hook: Hook, to: AlertsTo) -> None:
        file = world.keys.folder / "ledger.db"
        file.write_bytes(b"no database" * 100)
        plane = alerting(world, to)
        await plane.look()
        file.unlink()
        await spend(world, "red", 50)
        await plane.look()

    assert play(scene).shares == [("red", "50%")]


def test_metrics_say_what_is_spent_of_what(world: World) -> None:
    async def main() -> None:
        await spend(world, "red", 50)
        await spend(world, "", 30 * 10**9, "quiet")
        plane = alerting(world, None)
        await plane.look()
        text = exposition(budget_figures(plane, Figures())).decode()
        assert 'dragoman_budget_spent{budget="each",of="team=red",unit="tokens"} 50.0' in text
        assert 'dragoman_budget_limit{budget="quiet",of="",unit="USD"} 100.0' in text
        assert 'dragoman_budget_spent{budget="quiet",of="",unit="USD"} 30.0' in text
        assert "dragoman_budget_counters 2.0" in text
        assert 'dragoman_budget_alerts_total{outcome="sent"} 0.0' in text

    asyncio.run(main())
