"""Answers about batches, looked at as they pass: who made one, and what its work has cost.

Nothing of them is held back or changed. Of which answers there are, `_WATCHED` knows; what they
say, `extproc.llm.others.batches`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from types import MappingProxyType
from typing import TypeAlias

from extproc.bills import Bill, Books, Cost, Owner
from extproc.events import CONTINUE, Action, ResponseBody, ResponseHeaders, Watch
from extproc.facts import Facts
from extproc.leading import Leading
from extproc.llm.others.batches import Objects, Results, Work
from extproc.policies.budget import Budgets, Owed
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from extproc.verdict import Deny
from gateway.apis import Found
from gateway.catalog import cost
from gateway.model import Target
from gateway.operations import Operation
from gateway.price import Price
from gateway.usage import Usage

logger = logging.getLogger(__name__)

OLDEST_SECONDS = 30 * 86400
"""What was made earlier has been booked, or never will be: names are kept for longer than that."""
REMOVED_HEADERS = ("accept-encoding", "if-range", "range")
"""Of requests: what is looked at is to come whole."""
MOST_MODELS = 100
"""Of one batch; the work of further ones counts as that of a model which nobody knows."""
_LARGEST_UNPACKED_BYTES = 1 << 40
_SUCCESS = range(200, 300)

Pricing: TypeAlias = Callable[[Target], Price | None]


class _Kind(Enum):
    MADE = auto()
    """The batch that was asked for."""
    TOLD = auto()
    LISTED = auto()
    """All that the provider's account has, whoever made them."""
    RESULTS = auto()
    """A line for each request."""


_WATCHED: Mapping[tuple[Operation, str, bool, str], _Kind] = MappingProxyType(
    {
        (Operation.BATCHES, "POST", False, ""): _Kind.MADE,
        (Operation.BATCHES, "GET", False, ""): _Kind.LISTED,
        (Operation.BATCHES, "GET", True, ""): _Kind.TOLD,
        (Operation.BATCHES, "POST", True, "cancel"): _Kind.TOLD,
        (Operation.MESSAGE_BATCHES, "POST", False, ""): _Kind.MADE,
        (Operation.MESSAGE_BATCHES, "GET", True, "results"): _Kind.RESULTS,
    }
)
"""By operation, method, whether a batch is named, and what follows its name."""


class Batches:
    """How a program counts batches."""

    def __init__(self, budgets: Budgets, pricing: Pricing, leading: Leading, books: Books) -> None:
        self.budgets = budgets
        self.pricing = pricing
        self.leading = leading
        self.books = books

    def is_watched(self, found: Found, method: str) -> bool:
        """Whether the answer to a request is looked at."""
        return self.budgets.is_any and _asked(found, method)[1] is not None

    def watching(self, found: Found, facts: Facts) -> Watching | None:
        """Who looks at the answer of a provider that is known; None: nobody has to."""
        batch, kind = _asked(found, facts.method)
        if kind is None or not self.budgets.is_any:
            return None
        return Watching(self, kind, facts, batch)

    def is_left(self, found: Found, facts: Facts) -> Deny | Awaitable[Deny | None] | None:
        """Whether the caller may have a batch made, if that is what the request is for."""
        _, kind = _asked(found, facts.method)
        return self.budgets.is_left(facts) if kind is _Kind.MADE else None


class Watching:
    """One answer about batches."""

    __slots__ = (
        "_batch",
        "_batches",
        "_decoder",
        "_is_done",
        "_kind",
        "_now",
        "_owner",
        "_provider",
        "_seen",
        "_sums",
        "is_begun",
        "is_over",
    )

    is_translating = False

    def __init__(self, batches: Batches, kind: _Kind, facts: Facts, batch: str) -> None:
        self._batches = batches
        self._kind = kind
        self._batch = batch
        self._provider = facts.provider
        self._now = facts.now
        self._owner = Owner.of(facts.principal)
        self._seen = Results() if kind is _Kind.RESULTS else Objects()
        self._sums: dict[str, _Sum] = {}
        """Of the results, by model."""
        self._decoder: Decoder | None = None
        """Of a provider that compresses, whatever it was asked for."""
        self._is_done = False
        self.is_begun = False
        self.is_over = False

    def on_headers(self, event: ResponseHeaders) -> Action:
        self.is_begun = True
        if event.status not in _SUCCESS:
            self._is_done = self.is_over = True
            return CONTINUE
        coding = event.headers.get("content-encoding", "identity")
        if coding != "identity":
            try:
                self._decoder = Decoder(coding, _LARGEST_UNPACKED_BYTES)
            except UnknownEncoding as error:
                return self._unreadable(error)
        return Watch()

    def on_body(self, event: ResponseBody) -> Action:
        """A piece."""
        if self._is_done:
            return CONTINUE
        data = event.body
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except (BadEncoding, TooLarge) as error:
                self._end()
                return self._unreadable(error)
        if isinstance(self._seen, Results):
            self._add(self._seen.feed(data))
        else:
            self._seen.feed(data)
        if event.is_end:
            self._end()
        return CONTINUE

    def settle(self, usage: Usage) -> None:
        """Nothing was reserved."""

    def cut(self) -> None:
        """The answer goes to nobody."""
        self.on_close()
        self.is_over = True

    def on_close(self) -> None:
        """The client may have left before the end; what it has got was worked for."""
        if self.is_begun:
            self._end()

    def _unreadable(self, error: Exception) -> Action:
        logger.warning("an answer about batches of %s cannot be read: %s", self._provider, error)
        self._is_done = self.is_over = True
        return CONTINUE

    def _end(self) -> None:
        if self._is_done:
            return
        self._is_done = self.is_over = True
        if isinstance(self._seen, Results):
            self._add(self._seen.end())
            costs = [each.cost(model) for model, each in self._sums.items()]
            self._book(self._batch, costs)
            return
        for batch in self._seen.end():
            if self._kind is _Kind.MADE:
                name = f"{self._provider}/{batch.id}"
                self._batches.books.remember(name, self._owner, self._seconds)
            work = batch.work
            if work is not None and not 0 < batch.created < self._seconds - OLDEST_SECONDS:
                price = self._price(work.model)
                money = None if price is None else cost(_of_any_size(price), work.usage)
                self._book(batch.id, [Cost(work.model, work.usage.total_tokens, money)])

    def _add(self, works: Sequence[Work]) -> None:
        for model, usage in works:
            known = model if model in self._sums or len(self._sums) < MOST_MODELS else ""
            found = self._sums.get(known)
            if found is None:
                found = self._sums[known] = _Sum(self._price(known))
            found.add(usage)

    def _book(self, batch: str, costs: Sequence[Cost]) -> None:
        if not costs:
            return
        # an account's list shows what others made, elsewhere too: who looks has not asked for it
        finder = None if self._kind is _Kind.LISTED else self._owner
        name = f"{self._provider}/{batch}"
        self._batches.books.book(Bill(name, tuple(costs), finder, self._owed, self._seconds))

    def _owed(self, owner: Owner, each: Cost) -> Owed:
        facts = Facts(now=self._now, principal=owner.principal, provider=self._provider)
        names = self._batches.leading.names(self._provider, each.model)
        return self._batches.budgets.owed(facts, names, each.tokens, each.money)

    def _price(self, model: str) -> Price | None:
        return self._batches.pricing(Target(self._provider, model)) if model else None

    @property
    def _seconds(self) -> int:
        return int(self._now.timestamp())


class _Sum:
    """What one model has done."""

    __slots__ = ("_money", "_price", "_tokens")

    def __init__(self, price: Price | None) -> None:
        self._price = price
        self._tokens = 0
        self._money = 0

    def add(self, usage: Usage) -> None:
        """Of one request, at the price of its own size."""
        self._tokens += usage.total_tokens
        if self._price is not None:
            self._money += cost(self._price, usage)

    def cost(self, model: str) -> Cost:
        return Cost(model, self._tokens, None if self._price is None else self._money)


def _asked(found: Found, method: str) -> tuple[str, _Kind | None]:
    """The batch that is named, and what the answer will say."""
    batch, _, rest = found.rest.partition("?")[0].strip("/").partition("/")
    return batch, _WATCHED.get((found.operation, method, bool(batch), rest))


def _of_any_size(price: Price) -> Price:
    """Of many requests together nobody knows which of them were long."""
    tiers = tuple((name, replace(tier, above=())) for name, tier in price.service_tiers)
    return replace(price, above=(), service_tiers=tiers)
