"""The list of agents, as one caller sees it."""

from __future__ import annotations

import asyncio
import json

import pytest

from extproc.a2a.registry import Query, Registry, View
from extproc.a2a_serving.listing import listing, seen_by
from extproc.facts import Facts, McpCall
from extproc.ports import Answered, Asked
from tests.kit.a2a_exchange import TWO, agents, card, program
from tests.kit.mcp_exchange import NOW

RULE = "authorize: [{name: no, for: {a2a: hotels}, deny: 'true'}]\n"
CARDS = {"travel": card(), "hotels": card("hotels", "hotels")}


def listed(registry: Registry, view: View) -> list[str]:
    return [each["name"] for each in json.loads(registry.search(Query(), view)[0])["agents"]]


def facts() -> Facts:
    head = {":scheme": "https", ":authority": "gw"}
    return Facts(now=NOW, headers=head, mcp=McpCall("tools/call", "find"))


@pytest.mark.parametrize(("rules", "found"), [("", ["travel", "hotels"]), (RULE, ["travel"])])
def test_rules_say_which_agents_are_listed_and_those_are_asked(
    rules: str, found: list[str]
) -> None:
    peers = agents(**CARDS)
    of = program(TWO + rules, peers)
    assert of.a2a is not None
    about = facts()
    registry, view = asyncio.run(listing(of.a2a, of.rules.of_entries, about))
    assert listed(registry, view) == found
    assert view.url_of("travel") == "https://gw/a2a/travel"
    assert [name for name, _ in peers.asked] == [f"service/a2a/{name}" for name in found]
    assert about == facts()  # what the caller asks of whom is as it was


@pytest.mark.parametrize("rules", ["", RULE])
def test_an_agent_that_is_no_more_is_seen_by_nobody(rules: str) -> None:
    of = program(TWO + rules, agents(**CARDS))
    assert of.a2a is not None
    is_seen = seen_by(of.a2a.directory, of.rules.of_entries, facts())
    assert [name for name in ("travel", "gone") if is_seen(name)] == ["travel"]


def test_who_takes_too_long_is_listed_without_a_card() -> None:
    peers = agents(**CARDS)

    class Slow:
        async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
            if cluster.endswith("hotels"):
                await asyncio.sleep(60)
            return await peers.ask(cluster, asked, timeout_seconds)

    of = program(TWO, Slow())  # type: ignore[arg-type]
    assert of.a2a is not None
    registry, view = asyncio.run(listing(of.a2a, of.rules.of_entries, facts(), 0.01))
    told = json.loads(registry.search(Query(), view)[0])["agents"]
    assert {each["name"]: "skills" in each for each in told} == {"travel": True, "hotels": False}
