"""Answers that come, that come too late, and for which nobody waits any more."""

from __future__ import annotations

import asyncio

import pytest

from extproc.adapters.in_time import in_time
from extproc.ports import LedgerUnavailable


class Slow:
    """Does not end when it is cancelled, but when its connection is let go of."""

    def __init__(self) -> None:
        self.is_broken_off = False
        self.has_ended = False

    async def ask(self) -> str:
        while not self.is_broken_off:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue
        self.has_ended = True
        return "late"

    def break_off(self) -> None:
        self.is_broken_off = True


async def answer(what: str) -> str:
    return what


def test_an_answer_is_given_on() -> None:
    slow = Slow()
    assert asyncio.run(in_time(answer("here"), 1.0, slow.break_off)) == "here"
    assert not slow.is_broken_off


def test_who_is_too_late_is_let_go_of_and_has_ended() -> None:
    slow = Slow()
    with pytest.raises(LedgerUnavailable, match=r"no answer in 0\.01 s"):
        asyncio.run(in_time(slow.ask(), 0.01, slow.break_off))
    assert slow.has_ended


def test_when_nobody_waits_it_ends_as_well() -> None:
    async def scene(slow: Slow) -> None:
        async with asyncio.timeout(0.01):
            await in_time(slow.ask(), 60.0, slow.break_off)

    slow = Slow()
    with pytest.raises(TimeoutError):
        asyncio.run(scene(slow))
    assert slow.has_ended


def test_what_fails_fails() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_time(fails(), 1.0, Slow().break_off))
