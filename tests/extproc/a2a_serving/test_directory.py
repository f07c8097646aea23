"""The agents and their cards: when they are asked, and what of a card counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from extproc.a2a.cards import Card, read_card
from extproc.a2a.registry import Status
from extproc.a2a_serving.agent_events import Noticed
from extproc.a2a_serving.directory import Directory, NoCard, ways_of
from gateway.a2a import A2aAgent, Binding, Member, Pool, Revision
from tests.kit.a2a_exchange import Clock, agents, card
from tests.kit.mcp_exchange import Servers

TRAVEL = A2aAgent("travel", "travel:9999", "/card", "travel:50051", refresh_seconds=60.0)


def opened(peers: Servers, clock: Clock) -> Directory:
    return Directory((TRAVEL,), peers, clock.times)


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_card_is_asked_for_once_however_many_want_it_and_kept() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        directory = opened(peers, clock)
        first, second = await asyncio.gather(directory.found("travel"), directory.found("travel"))
        assert first is second
        clock.now += 59
        assert directory.known("travel") is first
        ((cluster, asked),) = peers.asked
        assert (cluster, asked.method, asked.path) == ("service/a2a/travel", "GET", "/card")

    run(scene())


def test_a_card_that_is_old_is_asked_for_again_while_it_still_counts() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        directory = opened(peers, clock)
        old = await directory.found("travel")
        peers.answers = agents(travel=card(version="2")).answers
        clock.now += 60
        assert directory.known("travel") is old
        await settled()
        new = directory.known("travel")
        assert new is not None
        assert (old.card.version, new.card.version) == ("1.0", "2")
        assert (old.changed_at, new.changed_at) == ("2026-11-26T12:00:00Z", "2026-11-26T12:00:60Z")

    run(scene())


def test_an_agent_that_is_away_keeps_its_card_and_is_told_to_be_unhealthy() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        directory = opened(peers, clock)
        assert directory.health("travel").status is Status.UNKNOWN
        await directory.found("travel")
        assert directory.health("travel").status is Status.HEALTHY
        peers.answers = {}
        clock.now += 60
        assert directory.known("travel") is not None
        await settled()
        assert directory.known("travel") is not None
        assert directory.health("travel").status is Status.UNHEALTHY
        assert "nobody is at" in directory.health("travel").reason

    run(scene())


def test_an_agent_that_told_no_card_is_left_alone_for_a_while() -> None:
    async def scene() -> None:
        peers, clock = Servers(), Clock()
        directory = opened(peers, clock)
        for _ in range(3):
            with pytest.raises(NoCard):
                await directory.found("travel")
        assert len(peers.asked) == 1
        clock.now += 5
        peers.answers = agents(travel=card()).answers
        assert (await directory.found("travel")).card.name == "travel"

    run(scene())


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"name":"a"}', b"[]"])
def test_what_is_no_card_is_none(body: bytes) -> None:
    async def scene() -> None:
        with pytest.raises(NoCard):
            await opened(agents(travel=body), Clock()).found("travel")

    run(scene())


def test_the_list_is_made_anew_when_a_card_has_changed() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        directory = opened(peers, clock)
        empty = directory.registry()
        assert directory.registry() is empty
        await directory.asked_all(["travel"])
        assert directory.registry() is not empty

    run(scene())


def read(*interfaces: tuple[str, str, str]) -> Card:
    said = [
        {"url": url, "protocolBinding": binding, "protocolVersion": revision}
        for url, binding, revision in interfaces
    ]
    found = read_card(json.dumps(card(supportedInterfaces=said)).encode())
    assert isinstance(found, Card)
    return found


def test_of_a_cards_addresses_only_paths_count() -> None:
    found = ways_of(
        TRAVEL,
        read(
            ("https://public.example/rpc", "JSONRPC", "1.0"),
            ("https://public.example/rest/", "HTTP+JSON", "1.0"),
            ("grpc.example:443", "GRPC", "1.0"),
            ("http://travel:9999/old", "JSONRPC", "0.3"),
            ("https://elsewhere.example/rest", "HTTP+JSON", "0.3"),
        ),
    )
    assert {each: way.path for each, way in found.items()} == {
        (Binding.JSONRPC, Revision.V1_0): "/rpc",
        (Binding.HTTP_JSON, Revision.V1_0): "/rest",
        (Binding.GRPC, Revision.V1_0): "",
        (Binding.JSONRPC, Revision.V0_3): "/old",
    }


def test_what_is_common_to_all_is_known_once_all_have_told_their_cards() -> None:
    async def scene() -> None:
        hotels = replace(TRAVEL, name="hotels", authority="hotels")
        place = {"url": "http://hotels/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        peers = agents(travel=card(), hotels=card("hotels", supportedInterfaces=[place]))
        directory = Directory((TRAVEL, hotels), peers, Clock().times)
        assert directory.common == frozenset()
        await directory.found("travel")
        assert directory.common == frozenset()
        await directory.found("hotels")
        assert directory.common == {(Binding.JSONRPC, Revision.V1_0)}

    run(scene())


def test_without_a_place_for_grpc_there_is_none() -> None:
    agent = replace(TRAVEL, grpc_authority="")
    interfaces = ("http://travel:9999/rpc", "JSONRPC", "1.0"), ("travel:1", "GRPC", "1.0")
    assert set(ways_of(agent, read(*interfaces))) == {(Binding.JSONRPC, Revision.V1_0)}


POOLED = replace(
    TRAVEL,
    pool=Pool(
        tuple(
            Member(replace(TRAVEL, name=f"travel~{key}", authority=f"{key}:9999"), key, "travel")
            for key in ("blue", "green")
        )
    ),
)


def telling(**cards: object) -> Servers:
    found = {name: {"name": name, **card(), **each} for name, each in cards.items()}  # type: ignore[dict-item]
    return agents(**{f"travel~{name}": each for name, each in found.items()})


def test_of_several_each_is_asked_and_clients_see_the_first_that_is_known() -> None:
    async def scene() -> None:
        peers = telling(blue={"version": "1"}, green={"version": "2"})
        directory = Directory((POOLED,), peers, Clock().times)
        assert [*directory.agents] == ["travel"]
        assert [*directory.places] == ["travel~blue", "travel~green"]
        assert directory.known("travel") is None
        front = await directory.found("travel")
        assert (front.agent, front.card.version) == (POOLED, "1")
        assert directory.known("travel") is front
        assert len(peers.asked) == 2

    run(scene())


def test_several_are_as_well_as_the_best_of_them() -> None:
    async def scene() -> None:
        directory = Directory((POOLED,), telling(green={}), Clock().times)
        assert directory.health("travel").status is Status.UNKNOWN
        assert (await directory.found("travel")).card is not None
        assert directory.health("travel").status is Status.HEALTHY
        each = directory.instances("travel")
        assert [health.status for health in each.values()] == ["unhealthy", "healthy"]

    run(scene())


def test_where_none_of_several_tells_a_card_there_is_none() -> None:
    async def scene() -> None:
        directory = Directory((POOLED,), Servers(), Clock().times)
        with pytest.raises(NoCard, match="nobody is at"):
            await directory.found("travel")
        assert directory.known("travel") is None

    run(scene())


def test_what_several_have_in_common_is_offered_or_what_the_first_speaks() -> None:
    async def scene(speaks: str, common: set[str]) -> None:
        place = {"url": "http://x/rpc", "protocolBinding": speaks, "protocolVersion": "1.0"}
        peers = telling(blue={}, green={"supportedInterfaces": [place]})
        front = await Directory((POOLED,), peers, Clock().times).found("travel")
        assert {binding.value for binding, _ in front.ways} == common

    run(scene("JSONRPC", {"JSONRPC"}))
    run(scene("HTTP+JSON", {"HTTP+JSON"}))

    async def apart() -> None:
        only = [{"url": "http://x/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
        old = [{"url": "http://x/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}]
        peers = telling(blue={"supportedInterfaces": only}, green={"supportedInterfaces": old})
        front = await Directory((POOLED,), peers, Clock().times).found("travel")
        assert {*front.ways} == {(Binding.JSONRPC, Revision.V1_0)}

    run(apart())


def test_who_is_doubted_is_asked_unless_it_was_a_moment_ago() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        directory = opened(peers, clock)
        await directory.found("travel")
        peers.answers = {}
        directory.doubt("travel")
        await settled()
        assert directory.health("travel").status is Status.HEALTHY
        clock.now += 1
        directory.doubt("travel")
        await settled()
        assert directory.health("travel").status is Status.UNHEALTHY

    run(scene())


def test_what_happens_to_an_agent_is_kept_and_counted() -> None:
    async def scene() -> None:
        peers, clock = agents(travel=card()), Clock()
        counts: list[tuple[str, str]] = []
        looks: list[tuple[str, bool]] = []
        noticed = Noticed(
            lambda agent, what: counts.append((agent, what)),
            lambda agent, is_well: looks.append((agent, is_well)),
        )
        directory = Directory((TRAVEL,), peers, clock.times, noticed)
        await directory.found("travel")
        for answers in ({}, {}, agents(travel=card(version="2")).answers):
            peers.answers = answers
            clock.now += 60
            directory.known("travel")
            await settled()
        assert counts == [
            ("travel", "card_changed"),
            ("travel", "unhealthy"),
            ("travel", "healthy"),
            ("travel", "card_changed"),
        ]
        assert looks == [("travel", is_well) for is_well in (True, False, False, True)]
        after = opened(peers, clock)
        after.adopt(directory)
        assert after.events.told(lambda _: True) == directory.events.told(lambda _: True)

    run(scene())
