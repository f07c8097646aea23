"""Cards are asked for again and again, by the program that is in force alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from extproc.a2a_serving.directory import Directory
from extproc.a2a_serving.polling import Polling
from tests.kit.a2a_exchange import TWO, Clock, agents, card, program

CARDS: dict[str, Any] = {"travel": card(), "hotels": card("hotels", "hotels")}


class Played:
    """Polling, whose time is moved by hand."""

    def __init__(self) -> None:
        self.planned: list[tuple[float, Callable[[], None]]] = []
        self.clock, self.peers = Clock(), agents(**CARDS)
        self.polling = Polling(self._later, lambda: 0.5)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self.planned.append((self.clock.now + seconds, what))

    def directory(self, yaml: str = TWO) -> Directory:
        of = program(yaml, self.peers, clock=self.clock).a2a
        assert of is not None
        return of.directory

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        due = [each for each in self.planned if each[0] <= self.clock.now]
        self.planned = [each for each in self.planned if each not in due]
        for _, what in due:
            what()
        for _ in range(5):
            await asyncio.sleep(0)

    def asked(self) -> list[str]:
        found = [name.rpartition("/")[2] for name, _ in self.peers.asked]
        self.peers.asked.clear()
        return found


def test_all_are_asked_at_once_and_then_when_their_card_is_old() -> None:
    async def went() -> None:
        of = Played()
        directory = of.directory()
        of.polling.follow(directory)
        assert of.asked() == []
        await of.pass_time(3)
        assert of.asked() == ["travel", "hotels"]
        assert directory.health("travel").status == "healthy"
        await of.pass_time(5)  # they were looked at again, since nothing was known of them
        await of.pass_time(25)
        assert of.asked() == []
        await of.pass_time(41)
        assert of.asked() == ["travel", "hotels"]

    asyncio.run(went())


def test_who_was_silent_is_asked_again_soon_and_at_once_when_somebody_wants_its_card() -> None:
    async def went() -> None:
        of = Played()
        answers, of.peers.answers = of.peers.answers, {}
        directory = of.directory()
        of.polling.follow(directory)
        await of.pass_time(3)
        assert directory.health("travel").status == "unhealthy"
        of.peers.answers = answers
        assert (await directory.found("travel")).card.name == "travel"
        of.asked()
        await of.pass_time(5)
        assert of.asked() == ["hotels"]

    asyncio.run(went())


def test_who_was_asked_a_moment_ago_is_not_asked_again() -> None:
    async def went() -> None:
        of = Played()
        directory = of.directory()
        of.polling.follow(directory)
        await directory.found("travel")
        of.asked()
        await of.pass_time(3)
        assert of.asked() == ["hotels"]

    asyncio.run(went())


def test_a_new_program_goes_on_from_what_was_known_and_the_old_one_asks_no_more() -> None:
    async def went() -> None:
        of = Played()
        old = of.directory()
        of.polling.follow(old)
        await of.pass_time(3)
        of.asked()
        new = of.directory(TWO.replace("http://hotels", "http://inns"))
        of.polling.follow(new)
        assert new.known("travel") is old.known("travel")
        assert (new.known("hotels"), new.health("hotels").status) == (None, "unknown")
        await of.pass_time(3)
        assert of.asked() == ["hotels"]
        await of.pass_time(60)
        assert of.asked() == ["travel", "hotels"]
        of.polling.follow(None)
        await of.pass_time(120)
        assert of.asked() == []

    asyncio.run(went())


def test_what_changes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    changed = {**CARDS["travel"], "version": "2", "skills": []}

    async def went() -> None:
        of = Played()
        directory = of.directory()
        of.polling.follow(directory)
        await of.pass_time(3)
        of.peers.answers = agents(travel=changed).answers
        await of.pass_time(60)
        assert directory.health("hotels").status == "unhealthy"
        of.peers.answers = agents(**CARDS).answers
        await of.pass_time(60)
        assert directory.health("hotels").status == "healthy"

    with caplog.at_level(logging.INFO, "extproc.a2a_serving.directory"):
        asyncio.run(went())
    said = [each.getMessage() for each in caplog.records]
    assert "the card of the agent travel has changed: version: '1.0' is '2' now" in said
    assert "the card of the agent travel has changed: skill_removed 'greet'" in said
    assert "the agent hotels tells its card again" in said
