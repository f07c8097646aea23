"""What batches cost is booked once, on who asked for them; the ledger may take its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from extproc.bills import PAUSES, Bill, Books, Cost, Owner
from extproc.policies.budget import Owed
from extproc.ports import Booking, LedgerUnavailable, Spent
from extproc.principal import Kind, Principal
from gateway.model import Budget, Period, Scope, Span, Unit
from tests.kit.memory_ledger import MemoryLedger

NOW = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp())
ANNA, BERT = Owner("anna", "a@x", "red"), Owner("bert")


def owed(owner: Owner, each: Cost) -> Owed:
    """One budget counts money by key, another all tokens."""
    bookings = [Booking("all", 0, each.tokens)]
    if each.money is not None:
        bookings.append(Booking(f"key={owner.key}", 0, each.money))
    return Owed(tuple(bookings), each.money is None)


def bill(*costs: Cost, finder: Owner | None = BERT) -> Bill:
    return Bill("openai/batch_1", costs, finder, owed, NOW)


class UnreadyLedger(MemoryLedger):
    """Takes nothing for a while."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.asked = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.refusals:
            self.refusals -= 1
            raise LedgerUnavailable("locked")

    async def owner(self, name: str) -> str | None:
        self._ask()
        return await super().owner(name)

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        self._ask()
        return await super().book_once(name, extent, bookings, now)


class Pauses:
    """Nobody waits, but it is known for how long somebody wanted to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def spent(ledger: MemoryLedger, counter: str) -> int:
    found: Spent = await ledger.spent(counter, 0)
    return found.settled


def test_who_asked_pays_and_not_who_looks() -> None:
    async def main() -> None:
        ledger = MemoryLedger()
        books = Books(ledger)
        books.remember("openai/batch_1", ANNA, NOW)
        await books.finish()
        books.book(bill(Cost("m", 30, 7)))
        books.book(bill(Cost("m", 30, 7), finder=None))
        await books.finish()
        assert [await spent(ledger, each) for each in ("key=anna", "key=bert", "all")] == [7, 0, 30]

    asyncio.run(main())


def test_where_nobody_knows_who_asked_who_finds_it_pays_if_anybody_does() -> None:
    async def main() -> None:
        ledger = MemoryLedger()
        books = Books(ledger)
        books.book(bill(Cost("m", 30, 7), finder=None))
        await books.finish()
        assert await ledger.counters() == []
        books.book(bill(Cost("m", 30, 7)))
        await books.finish()
        assert await spent(ledger, "key=bert") == 7

    asyncio.run(main())


def test_an_anonymous_caller_is_kept_as_one() -> None:
    async def main() -> None:
        ledger = MemoryLedger()
        books = Books(ledger)
        books.remember("openai/batch_1", Owner(), NOW)
        await books.finish()
        books.book(bill(Cost("m", 30, 7)))
        await books.finish()
        assert await spent(ledger, "key=") == 7

    asyncio.run(main())
    assert Owner().principal is None
    who = ANNA.principal
    assert who is not None
    assert (who.kind, who.key, who.user, who.team) == (Kind.API_KEY, "anna", "a@x", "red")
    assert Owner.of(who) == ANNA
    assert Owner.of(None) == Owner()


def test_who_showed_no_key_is_known_by_user_and_team() -> None:
    owner = Owner.of(Principal(Kind.JWT, "a@x", user="a@x", team="red"))
    assert owner == Owner("", "a@x", "red")
    assert owner.principal is not None
    assert Owner.of(owner.principal) == owner


def test_what_is_booked_is_not_asked_for_again_until_it_grows() -> None:
    async def main() -> None:
        ledger = UnreadyLedger(0)
        books = Books(ledger)
        for _ in range(3):
            books.book(bill(Cost("m", 30, 7), Cost("n", 1, None)))
            await books.finish()
        assert ledger.asked == 3
        books.book(bill(Cost("m", 40, 9), Cost("n", 1, None)))
        await books.finish()
        assert ledger.asked == 6
        assert [await spent(ledger, each) for each in ("key=bert", "all")] == [9, 41]

    asyncio.run(main())


def test_two_workers_book_once() -> None:
    async def main() -> None:
        ledger = MemoryLedger()
        for books in (Books(ledger), Books(ledger)):
            books.book(bill(Cost("m", 30, 7)))
            books.book(bill(Cost("m", 30, 7)))
            await books.finish()
        assert await spent(ledger, "key=bert") == 7

    asyncio.run(main())


@pytest.mark.parametrize("refusals", range(len(PAUSES) + 2))
def test_what_the_ledger_does_not_take_is_tried_again_for_a_while(refusals: int) -> None:
    async def main() -> None:
        ledger, pauses = UnreadyLedger(refusals), Pauses()
        books = Books(ledger, pauses)
        books.book(bill(Cost("m", 30, 7)))
        await books.finish()
        assert pauses.seconds == list(PAUSES[:refusals])
        assert await spent(ledger, "key=bert") == (7 if refusals <= len(PAUSES) else 0)
        books.book(bill(Cost("m", 30, 7)))  # the client asks again
        await books.finish()
        assert await spent(ledger, "key=bert") == 7

    asyncio.run(main())


def test_a_worker_that_leaves_does_not_wait_for_ever() -> None:
    async def main() -> None:
        never = asyncio.Event()

        async def pause(seconds: float) -> None:
            await never.wait()

        books = Books(UnreadyLedger(1), pause)
        books.book(bill(Cost("m", 30, 7)))
        await books.finish(0.01)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_what_is_booked_has_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        books = Books(MemoryLedger())
        books.remember("openai/batch_1", ANNA, NOW)
        await books.finish()
        books.book(bill(Cost("m", 30, 2_000_000), Cost("n", 1, None)))
        await books.finish()

    with caplog.at_level(logging.INFO, "extproc.bills"):
        asyncio.run(main())
    fields = ("batch", "key", "user", "provider", "provider_model", "tokens", "cost_usd")
    told = [[getattr(each, name, None) for name in fields] for each in caplog.records]
    assert told[:2] == [
        ["batch_1", "anna", "a@x", "openai", "m", 30, 0.002],
        ["batch_1", "anna", "a@x", "openai", "n", 1, None],
    ]


def test_a_model_without_a_price_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        books = Books(MemoryLedger())
        for batch in ("openai/batch_1", "openai/batch_2", "openai/batch_3"):
            books.book(replace(bill(Cost("m", 30, None)), name=batch))
            await books.finish()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert len(caplog.records) == 1


def test_the_budgets_of_a_key_are_remembered_with_who_asked() -> None:
    own = Budget("key:abc:day", Scope(), Unit.TOKENS, 400, Span(Period.DAY, "Europe/Berlin"))
    caller = Principal(Kind.API_KEY, "anna", "anna", "a@x", "red", budgets=(own,))
    owner = Owner.of(caller)
    kept = msgspec.json.decode(msgspec.json.encode(owner), type=Owner)
    assert kept == owner
    assert kept.principal is not None
    assert kept.principal.budgets == (own,)


def test_who_asked_without_them_is_written_down_as_before() -> None:
    assert msgspec.json.encode(Owner("anna", "a@x", "red")) == (
        b'{"key":"anna","user":"a@x","team":"red"}'
    )
    assert msgspec.json.decode(b'{"key":"bert","user":"","team":""}', type=Owner) == BERT
