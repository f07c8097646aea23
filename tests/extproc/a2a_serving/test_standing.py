"""How those are that an agent stands for."""

from __future__ import annotations

import asyncio

from extproc.a2a_serving.directory import Directory
from extproc.a2a_serving.standing import Standing, Standings
from tests.kit.a2a_exchange import Clock
from tests.kit.a2a_pools import INSTANCES, instances, telling
from tests.kit.gateways import gateway_of
from tests.kit.in_a_loop import in_a_loop

DRAINING = INSTANCES.replace('blue:50051"', 'blue:50051", drain: true')


def keys(standing: Standing) -> list[str]:
    return [member.key for member, _ in standing.told]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@in_a_loop
async def test_it_is_found_out_again_when_something_has_changed() -> None:
    (agent,), clock, peers = gateway_of(INSTANCES).a2a.agents, Clock(), instances()
    directory = Directory((agent,), peers, clock.times)
    standings = Standings(directory)
    before = standings.of(agent)
    assert (keys(before), before.is_known) == ([], False)
    assert standings.of(agent) is before
    await directory.asked_all(["travel"])
    after = standings.of(agent)
    assert (keys(after), after.is_known) == (["blue", "green"], True)
    assert standings.of(agent) is after
    clock.now += 2.0
    directory.doubt("travel~blue")
    await settled()
    assert standings.of(agent) is not after
    assert keys(standings.of(agent)) == ["blue", "green"]


@in_a_loop
async def test_cards_that_are_old_are_asked_for_again() -> None:
    (agent,), clock, peers = gateway_of(INSTANCES).a2a.agents, Clock(), instances()
    directory = Directory((agent,), peers, clock.times)
    standings = Standings(directory)
    await directory.asked_all(["travel"])
    standings.of(agent)
    asked = len(peers.asked)
    clock.now += agent.refresh_seconds - 1.0
    standings.of(agent)
    await settled()
    assert len(peers.asked) == asked
    clock.now += 1.0
    standings.of(agent)
    await settled()
    assert len(peers.asked) == asked + 2
    standings.of(agent)
    await settled()
    assert len(peers.asked) == asked + 2


@in_a_loop
async def test_who_drains_or_has_told_no_card_gets_nothing_new() -> None:
    (agent,) = gateway_of(DRAINING).a2a.agents
    directory = Directory((agent,), instances(green=telling("green")), Clock().times)
    await directory.asked_all(["travel"])
    assert keys(Standings(directory).of(agent)) == ["green"]
    (agent,), peers = gateway_of(INSTANCES).a2a.agents, instances()
    del peers.answers["service/a2a/travel~blue"]  # type: ignore[attr-defined]
    directory = Directory((agent,), peers, Clock().times)
    await directory.asked_all(["travel"])
    standing = Standings(directory).of(agent)
    assert (keys(standing), standing.is_known) == (["green"], True)
    assert directory.ill == {"travel~blue"}


@in_a_loop
async def test_what_was_known_before_is_known_in_the_next() -> None:
    (agent,) = gateway_of(INSTANCES).a2a.agents
    first, second = (Directory((agent,), instances(), Clock().times) for _ in range(2))
    await first.asked_all(["travel"])
    standings = Standings(second)
    assert not standings.of(agent).is_known
    second.adopt(first)
    assert keys(standings.of(agent)) == ["blue", "green"]
