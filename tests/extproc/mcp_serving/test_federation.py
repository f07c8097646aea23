"""Asking all servers: who is waited for, and what is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

import pytest
from msgspec import Raw

from extproc.mcp import requests, rounds
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.lists import ListKind
from extproc.mcp.naming import Naming
from extproc.mcp.requests import Answer, Client
from extproc.mcp.sessions import ServerSession, Session
from extproc.mcp.views import Served, View
from extproc.mcp_serving.federation import (
    DEAD_SECONDS,
    GRACE_SECONDS,
    ROUTING_SECONDS,
    Federation,
    Joined,
    Worded,
)
from extproc.mcp_serving.whose import Whose, of_nobody
from extproc.ports import Answered, Asked
from gateway import names
from gateway.mcp import Prefix
from tests.kit.mcp_exchange import LEGACY, MODERN, Fake, Servers, fakes

INITIALIZE = b'{"protocolVersion":"2025-06-18","capabilities":{}}'


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def served(name: str, *, is_required: bool = True, list_seconds: float = 0.0) -> Served:
    return Served(name, f"service/mcp/{name}", "/mcp", (), is_required, 5.0, list_seconds)


def view(*servers: Served) -> View:
    naming = Naming(Prefix.ALWAYS, tuple(each.name for each in servers))
    return View("", {each.name: each for each in servers}, True, naming, naming)


def whose(**sessions: str) -> Whose:
    held = {name: ServerSession(each, "2025-06-18") for name, each in sessions.items()}
    return Whose(Session("", held, "2025-06-18", INITIALIZE, 0, "n"), "n", Client())  # type: ignore[arg-type]


def tools(of: Federation, there: View, who: Whose, *, is_routing: bool = False) -> list[str]:
    asking = of.catalogue(there, who, (ListKind.TOOLS,), is_routing=is_routing)
    found = asyncio.run(asking)
    assert isinstance(found, Catalogue)
    return [each.name for each in found.listings[ListKind.TOOLS].entries]


class Slow(Servers):
    """Servers of which one never answers."""

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        if cluster.endswith("/slow"):
            await asyncio.sleep(3600)
        return await super().ask(cluster, asked, timeout_seconds)


def test_a_slow_optional_server_is_waited_for_a_moment_and_then_left_alone() -> None:
    clock = Clock()
    there = view(served("a"), served("slow", is_required=False))
    of = Federation(Slow({"service/mcp/a": Fake("a")}), clock)

    async def timed() -> tuple[Mapping[str, Joined] | str, float]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        return await of.open(there, INITIALIZE), loop.time() - begun

    found, seconds = asyncio.run(timed())
    assert list(found) == ["a"]
    assert GRACE_SECONDS <= seconds < GRACE_SECONDS + 1
    _, again = asyncio.run(timed())
    assert again < GRACE_SECONDS / 2
    clock.seconds += DEAD_SECONDS + 1
    _, later = asyncio.run(timed())
    assert later >= GRACE_SECONDS


def test_where_all_are_optional_the_first_that_answers_is_served() -> None:
    there = view(served("slow", is_required=False), served("a", is_required=False))
    of = Federation(Slow({"service/mcp/a": Fake("a")}), Clock())
    assert list(asyncio.run(of.open(there, INITIALIZE))) == ["a"]


def test_lists_are_asked_for_anew_unless_they_may_be_kept() -> None:
    fake, clock = Fake("a"), Clock()
    of = Federation(fakes(fake), clock)
    there, who = view(served("a")), whose(a="a-1")
    for _ in range(2):
        assert tools(of, there, who) == ["a__echo"]
    assert fake.methods() == ["tools/list"] * 2
    assert tools(of, there, who, is_routing=True) == ["a__echo"]
    assert len(fake.said) == 2
    clock.seconds += ROUTING_SECONDS + 1
    tools(of, there, who, is_routing=True)
    assert len(fake.said) == 3


@pytest.mark.parametrize("ttl_ms", [5000, None])
def test_lists_are_kept_as_long_as_their_server_or_the_operator_says(ttl_ms: int | None) -> None:
    fake, clock = Fake("a", ttl_ms=ttl_ms), Clock()
    of = Federation(fakes(fake), clock)
    there = view(served("a", list_seconds=0 if ttl_ms else 5))
    tools(of, there, whose(a="a-1"))
    tools(of, there, Whose(of_nobody(INITIALIZE), "another", Client()))  # they are everybody's
    assert fake.methods() == ["tools/list"]
    clock.seconds += 6
    tools(of, there, whose(a="a-1"))
    assert fake.methods() == ["tools/list"] * 2


def test_a_server_that_was_restarted_is_begun_with_anew() -> None:
    fake = Fake("a", lost={"old"})
    of = Federation(fakes(fake), Clock())
    there, who = view(served("a")), whose(a="old")
    assert tools(of, there, who) == ["a__echo"]
    assert fake.methods() == [
        "tools/list",
        "initialize",
        "notifications/initialized",
        "tools/list",
    ]
    assert of.known(there.servers["a"], who) == ServerSession("a-1", "2025-06-18")
    asyncio.run(of.end(there, who))
    method, asked = fake.said[-1]
    assert (method, dict(asked.headers)["mcp-session-id"]) == ("DELETE", "a-1")


def test_a_server_without_a_kind_has_an_empty_list() -> None:
    of = Federation(fakes(Fake("a")), Clock())
    there = view(served("a"))
    found = asyncio.run(of.catalogue(there, whose(a="s"), (ListKind.PROMPTS,)))
    assert isinstance(found, Catalogue)
    assert found.listings[ListKind.PROMPTS].entries == ()


@pytest.mark.parametrize(("code", "has_none"), [(-32601, True), (-32602, True), (-32603, False)])
def test_a_list_that_fails_is_not_an_empty_one(code: int, has_none: bool) -> None:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no"}}
    said = Answered(200, {}, json.dumps(error).encode())
    of = Federation(Servers({"service/mcp/a": lambda _: said}), Clock())
    found = asyncio.run(of.catalogue(view(served("a")), whose(a="s"), (ListKind.TOOLS,)))
    if has_none:
        assert isinstance(found, Catalogue)
    else:
        assert found == "the server 'a' gives no answer: error -32603"


def test_a_required_server_that_says_nothing_leaves_no_list() -> None:
    of = Federation(Servers(), Clock())
    found = asyncio.run(of.catalogue(view(served("a")), whose(a="s"), (ListKind.TOOLS,)))
    assert found == "the server 'a' gives no answer: nobody is at service/mcp/a"


def test_pages_are_followed_to_the_last() -> None:
    pages = {"": ("one", "x"), "x": ("two", "")}

    def paged(asked: Asked) -> Answered:
        document = json.loads(asked.body)
        name, cursor = pages[document["params"].get("cursor", "")]
        said = {"tools": [{"name": name}], **({"nextCursor": cursor} if cursor else {})}
        body = {"jsonrpc": "2.0", "id": document["id"], "result": said}
        return Answered(200, {}, json.dumps(body).encode())

    of = Federation(Servers({"service/mcp/a": paged}), Clock())
    assert tools(of, view(served("a")), whose(a="s")) == ["a__one", "a__two"]


def in_turn(of: Federation, *servers: Served) -> Answer:
    def worded(each: Served) -> Worded:
        return lambda session: (each, requests.asked(each, session, "tools/list", b"{}", Client()))

    asked = [(each, worded(each)) for each in servers]
    found, who = asyncio.run(of.ask_in_turn(whose(a="s", b="s"), asked))
    assert (who is not None) is (found.result is not None)
    return found


def test_one_is_asked_after_the_other_until_one_knows() -> None:
    a, b = Fake("a"), Fake("b")
    found = in_turn(Federation(fakes(a, b), Clock()), served("a"), served("b"))
    assert found.result is not None
    assert (a.methods(), b.methods()) == (["tools/list"], [])


def test_where_nobody_knows_the_first_error_is_told() -> None:
    def refusing(code: int) -> Callable[[Asked], Answered]:
        error = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code}}).encode()
        return lambda _: Answered(200, {}, error)

    refusals = {"service/mcp/a": refusing(-1), "service/mcp/b": refusing(-2)}
    found = in_turn(Federation(Servers(refusals), Clock()), served("a"), served("b"))
    assert found.code == -1
    del refusals["service/mcp/a"]
    found = in_turn(Federation(Servers(refusals), Clock()), served("a"), served("b"))
    assert found.code == -2
    assert in_turn(Federation(Servers(), Clock()), served("a")).status == 0


@pytest.mark.parametrize(("revision", "told"), [(LEGACY, 1), (MODERN, 0)])
def test_a_server_with_sessions_is_told_that_nobody_waits(revision: str, told: int) -> None:
    a = Fake("a")

    async def run() -> None:
        of = Federation(fakes(a), Clock())
        session = ServerSession("s", revision)
        asked = requests.asked(served("a"), session, "resources/read", b"{}", Client())
        of.give_up(served("a"), session, asked)
        await asyncio.sleep(0.01)
        for _, each in a.said:
            wanted = json.loads(asked.body)["id"]
            assert json.loads(each.body)["params"]["requestId"] == wanted

    asyncio.run(run())
    assert a.methods() == ["notifications/cancelled"] * told


def test_the_hub_is_told_what_is_cancelled_where_calls_go_by_it() -> None:
    told: list[Asked] = []

    def hub(asked: Asked) -> Answered:
        told.append(asked)
        return Answered(202, {}, b"")

    a, b = Fake("a"), Fake("b", is_modern=True)
    servers = Servers({"service/mcp/a": a, "service/mcp/b": b, names.HUB_CLUSTER: hub})
    of, there = Federation(servers, Clock()), view(served("a"), served("b"))
    held = {"a": ServerSession("s", "2025-06-18"), "b": ServerSession("", "2026-07-28")}
    session = Session("", held, "2025-06-18", Raw(INITIALIZE), 0, "n")
    params = b'{"requestId":5}'
    for capabilities, times in ((b"{}", 0), (b'{"sampling":{}}', 1)):
        who = Whose(session, "n", Client(capabilities=Raw(capabilities)))
        asyncio.run(of.tell(there, who, "notifications/cancelled", params))
        assert len(told) == times
    (asked,) = told
    assert json.loads(asked.body)["params"] == {"requestId": 5}
    envelope = rounds.decode(dict(asked.headers)[names.MCP_ROUNDS_HEADER])
    assert envelope is not None
    assert envelope.key == "n"
    asyncio.run(of.tell(there, who, "notifications/roots/list_changed", b""))
    assert len(told) == 1  # that is nothing to the hub
    assert "notifications/cancelled" in a.methods()
    assert b.methods() == []
    asyncio.run(of.end(there, who))
    assert json.loads(told[-1].body)["method"] == "notifications/cancelled"
    assert "params" not in json.loads(told[-1].body)  # all that waits
