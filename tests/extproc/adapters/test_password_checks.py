"""Passwords are checked away from the event loop, once, and never more than some at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import bcrypt
import pytest

from extproc.adapters.password_checks import Bounds, HashedPasswords
from extproc.ports import PasswordsBusy
from tests.kit.in_a_loop import in_a_loop

BCRYPT = "$2y$04$kU65OL62bN4fpnYbLma29eZyqkyQ4.X0i4Ty5NtJZUwhX1v8uGkZy"
APR1 = "$apr1$QgRQkTvO$R9x6XTUsCwwdeetsjxTYj."
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
SLOW = bcrypt.hashpw(b"secret", bcrypt.gensalt(10)).decode()


class Now:
    """A clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@contextlib.asynccontextmanager
async def checks(
    now: Now | None = None, bounds: Bounds | None = None
) -> AsyncIterator[HashedPasswords]:
    made = HashedPasswords(now or Now(), bounds)
    try:
        yield made
    finally:
        await made.close()


async def settled(found: bool | Awaitable[bool]) -> bool:
    return found if isinstance(found, bool) else await found


@pytest.mark.parametrize("hashed", [BCRYPT, APR1, SHA])
def test_a_password_is_right_or_it_is_not(hashed: str) -> None:
    async def run() -> None:
        async with checks() as made:
            assert await settled(made.is_right("ann", b"secret", hashed))
            assert not await settled(made.is_right("ann", b"Secret", hashed))
            assert not await settled(made.is_right("ann", b"", hashed))

    asyncio.run(run())


@in_a_loop
async def test_what_bcrypt_never_looked_at_does_not_count() -> None:
    long = b"p" * 72
    hashed = bcrypt.hashpw(long, bcrypt.gensalt(4)).decode()
    async with checks() as made:
        assert await settled(made.is_right("ann", long + b"rest", hashed))


@in_a_loop
async def test_what_was_found_is_known_for_a_while() -> None:
    now = Now()
    async with checks(now) as made:
        assert isinstance(made.is_right("ann", b"secret", SHA), bool)  # it is quick
        assert await settled(made.is_right("ann", b"secret", BCRYPT))
        assert not await settled(made.is_right("ann", b"wrong", BCRYPT))
        assert made.is_right("ann", b"secret", BCRYPT) is True
        assert made.is_right("ann", b"wrong", BCRYPT) is False
        now.seconds += 61
        assert made.is_right("ann", b"secret", BCRYPT) is True
        assert not isinstance(made.is_right("ann", b"wrong", BCRYPT), bool)
        now.seconds += 900
        assert not isinstance(made.is_right("ann", b"secret", BCRYPT), bool)


@in_a_loop
async def test_what_is_known_of_one_hash_says_nothing_of_another() -> None:
    async with checks() as made:
        assert await settled(made.is_right("ann", b"secret", BCRYPT))
        other = bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()
        assert not await settled(made.is_right("ann", b"secret", other))


@in_a_loop
async def test_many_who_send_the_same_wait_for_one_check() -> None:
    async with checks(bounds=Bounds(most_waiting=1)) as made:
        asked = [settled(made.is_right("ann", b"secret", SLOW)) for _ in range(50)]
        assert await asyncio.gather(*asked) == [True] * 50


@in_a_loop
async def test_one_users_guesses_do_not_shut_out_another() -> None:
    async with checks(bounds=Bounds(most_waiting=64, most_waiting_for_one=4)) as made:
        taken = []
        for number in range(100):
            with contextlib.suppress(PasswordsBusy):
                taken.append(made.is_right("ann", b"%d" % number, SLOW))
                await asyncio.sleep(0)  # the check is waiting from now on
        assert len(taken) < 10
        others = [f"user-{number}" for number in range(8)]
        admitted = 0
        for user in others:  # one may share the group
            with contextlib.suppress(PasswordsBusy):
                taken.append(made.is_right(user, b"secret", SLOW))
                admitted += 1
        assert admitted >= 6
        assert await asyncio.gather(*map(settled, taken[-admitted:])) == [True] * admitted


@in_a_loop
async def test_no_more_wait_than_may() -> None:
    async with checks(bounds=Bounds(most_waiting=3, most_waiting_for_one=3)) as made:
        waiting = [settled(made.is_right(f"u{number}", b"secret", SLOW)) for number in range(3)]
        with pytest.raises(PasswordsBusy):
            made.is_right("u9", b"secret", SLOW)
        assert await asyncio.gather(*waiting) == [True] * 3


@in_a_loop
async def test_what_would_come_too_late_is_not_begun() -> None:
    now = Now()
    async with checks(now) as made:
        found = made.is_right("ann", b"secret", SLOW)
        now.seconds += 3
        with pytest.raises(PasswordsBusy):
            await settled(found)


@in_a_loop
async def test_the_event_loop_turns_while_passwords_are_checked() -> None:
    slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(12)).decode()
    async with checks() as made:
        found = asyncio.ensure_future(settled(made.is_right("ann", b"secret", slow)))
        turns = 0
        while not found.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert found.result()
        assert turns >= 10  # it takes 200 ms or so


@in_a_loop
async def test_what_is_remembered_is_bounded() -> None:
    async with checks(bounds=Bounds(most_known=2)) as made:
        for number in range(4):
            assert not await settled(made.is_right("ann", b"%d" % number, BCRYPT))
        assert made.is_right("ann", b"3", BCRYPT) is False
        assert not isinstance(made.is_right("ann", b"0", BCRYPT), bool)


@in_a_loop
async def test_who_leaves_does_not_end_the_check_of_the_others() -> None:
    async with checks() as made:
        first = asyncio.ensure_future(settled(made.is_right("ann", b"secret", SLOW)))
        second = asyncio.ensure_future(settled(made.is_right("ann", b"secret", SLOW)))
        await asyncio.sleep(0)
        first.cancel()
        assert await second
