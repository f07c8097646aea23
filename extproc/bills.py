"""What batches cost, on its way to the ledger: once, and on the budgets of who asked for them.

docs/decisions/0014-batches.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from extproc.policies.budget import Owed
from extproc.ports import Ledger, LedgerUnavailable
from extproc.principal import Kind, Principal
from gateway.model import Budget
from gateway.price_rows import NANODOLLARS_PER_DOLLAR

logger = logging.getLogger(__name__)

FINISH_SECONDS = 3.0
PAUSES = (0.2, 1.0, 5.0)
"""Before what the ledger did not take is tried again."""
_MOST_KNOWN = 10_000


class Owner(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asked for a batch, as the scopes of budgets know a caller. Nothing of it is secret."""

    key: str = ""
    """The name of the key; empty: it was no key that was shown."""
    user: str = ""
    team: str = ""
    budgets: tuple[Budget, ...] = ()
    """Those of the key."""

    @classmethod
    def of(cls, caller: Principal | None) -> Owner:
        if caller is None:
            return cls()
        return cls(caller.key, caller.user, caller.team, caller.budgets)

    @property
    def principal(self) -> Principal | None:
        """As far as it was kept; None: anonymous."""
        if not (self.key or self.user or self.team):
            return None
        kind = Kind.API_KEY if self.key else Kind.JWT
        name = self.key or self.user
        return Principal(kind, name, self.key, self.user, self.team, budgets=self.budgets)


class Cost(Struct, frozen=True):
    """What a model has done for a batch, as far as it is told."""

    model: str
    tokens: int
    money: int | None
    """In nanodollars; None: the model has no price."""


class Bill(Struct, frozen=True):
    """What a batch cost."""

    name: str
    """The provider's, and the batch's."""
    costs: tuple[Cost, ...]
    finder: Owner | None
    """Who pays where nobody knows who asked for it; None: then nobody does."""
    owed: Callable[[Owner, Cost], Owed]
    now: int


class Books:
    """Books bills, and keeps who will have to pay them. One for the life of a worker."""

    def __init__(
        self, ledger: Ledger, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._ledger = ledger
        self._pause = pause
        self._known: dict[str, int] = {}
        """Of what is booked, its extent: clients ask again and again."""
        self._unpriced: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()

    def remember(self, name: str, owner: Owner, now: int) -> None:
        """Keep who has made a batch."""
        told = msgspec.json.encode(owner).decode()
        self._run(name, lambda: self._ledger.remember(name, told, now))

    def book(self, bill: Bill) -> None:
        """Book what is new of it."""
        if any(self._known.get(_named(bill, each), -1) < each.tokens for each in bill.costs):
            self._run(bill.name, lambda: self._book(bill))

    async def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Wait for what is under way; what the ledger does not take by then is lost."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()

    async def _book(self, bill: Bill) -> None:
        told = await self._ledger.owner(bill.name)
        owner = bill.finder if told is None else msgspec.json.decode(told, type=Owner)
        if owner is None:
            return
        for each in bill.costs:
            name, owed = _named(bill, each), bill.owed(owner, each)
            if await self._ledger.book_once(name, each.tokens, owed.bookings, bill.now):
                _record(bill, each, owner)
                if owed.is_unpriced:
                    self._tell_unpriced(bill, each)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[name] = each.tokens

    def _tell_unpriced(self, bill: Bill, each: Cost) -> None:
        model = f"{bill.name.partition('/')[0]}/{each.model}"
        if model not in self._unpriced and len(self._unpriced) < _MOST_KNOWN:
            self._unpriced.add(model)
            logger.warning("budgets in USD do not count batches of '%s': it has no price", model)

    def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._tried(name, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _tried(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        for pause in PAUSES:
            try:
                return await work()
            except LedgerUnavailable:
                await self._pause(pause)
        try:
            await work()
        except LedgerUnavailable as error:
            logger.error("what is told of %s is lost: %s", name, error)


def _record(bill: Bill, each: Cost, owner: Owner) -> None:
    """A line of log, as `extproc.calls` has one for each call."""
    provider, _, batch = bill.name.partition("/")
    told: dict[str, object] = {
        "batch": batch,
        "key": owner.key,
        "user": owner.user,
        "provider": provider,
        "provider_model": each.model,
        "tokens": each.tokens,
    }
    if each.money is not None:
        told["cost_usd"] = each.money / NANODOLLARS_PER_DOLLAR
    logger.info("%d tokens of a batch: %s/%s", each.tokens, provider, each.model, extra=told)


def _named(bill: Bill, each: Cost) -> str:
    return f"{bill.name}/{each.model}"
