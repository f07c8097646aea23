"""Tells where budgets stand, and tops them up or resets them, as operators ask for it.

May block: the ledger does. Docs: docs/budgets.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from pydantic_core import PydanticCustomError

from gateway.config.key_terms import iso
from gateway.config.scalars import Limit, limit_of, written_limit
from gateway.counters import counted_by, counter_name, phased, read_counter
from gateway.ledger_place import LARGEST_REDIS_LIMIT, LedgerKind
from gateway.model import Budget, Gateway
from gateway.periods import Unit
from gateway.problem import Problem, did_you_mean
from gateway.windows import Window, windows
from xds_server.budgets.alerted import Owned
from xds_server.budgets.alerts import Standing
from xds_server.budgets.store import (
    RESET,
    TOP_UP,
    Asked,
    BudgetStore,
    Deed,
    Done,
    Entry,
    Refusal,
    Stands,
)
from xds_server.keys.desk import Refused
from xds_server.keys.store import KeyStore

Told: TypeAlias = dict[str, Any]
PAGE = 1000
"""Entries of the log that are told at once."""
LARGEST_LIMIT = 2**61
LONGEST_TEXT = 500
OF_KEYS = "key:"
"""Virtual keys' own budgets are called `key:ID:PERIOD`."""


class TopUp(msgspec.Struct, forbid_unknown_fields=True):
    """More for the present period."""

    budget: str
    amount: str
    why: str
    of: dict[str, str] = {}
    """Of a budget that counts apart: for whom."""
    request_id: str = ""


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is spent yet of the present period."""

    budget: str
    why: str
    of: dict[str, str] = {}
    unit: str = ""
    """`USD` or `tokens`, where a key has a budget of each."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """The budgets in force, and the ledger that they are counted in."""

    store: Callable[[], BudgetStore]
    """Of the configuration in force."""
    gateway: Callable[[], Gateway | None]
    keys: KeyStore
    clock: Callable[[], float]
    random: Callable[[int], bytes]

    def top_up(self, said: TopUp, who: str) -> Told | Refused:
        """Raise the limit, until the period ends."""
        try:
            limit = limit_of(said.amount)
        except PydanticCustomError as error:
            context = error.context or {}
            message, hint = str(context.get("message", error)), str(context.get("hint", ""))
            return Refused(400, (Problem("amount", message, hint=hint),))
        return self._change(TOP_UP, said, limit, who)

    def reset(self, said: Reset, who: str) -> Told | Refused:
        """Count anew from nothing; what is in flight counts when it ends."""
        units = {"": None, "USD": Limit(Unit.NANODOLLARS, 0), "tokens": Limit(Unit.TOKENS, 0)}
        if said.unit not in units:
            problem = Problem("unit", f"must be USD or tokens, not '{said.unit}'")
            return Refused(400, (problem,))
        return self._change(RESET, said, units[said.unit], who)

    def shown(self) -> Told:
        """Every counter, and where those of the budgets in force stand in their present period."""
        counters = self.store().counters()
        return {
            "budgets": self._rows(counters),
            "counters": [
                {
                    "counter": each.counter,
                    "window_start": each.window_start,
                    "settled": each.settled,
                    "reserved": each.reserved,
                    "topped_up": each.topped_up,
                    "since": datetime.fromtimestamp(each.window_start, UTC).isoformat(),
                }
                for each in counters
            ],
        }

    def standings(self, own: Sequence[Owned] = ()) -> Sequence[Standing]:
        """Of the configuration's budgets, and of these, which keys have for themselves."""
        gateway = self.gateway()
        if gateway is None or not (gateway.budgets or own):
            return ()
        budgets = {(each.name, each.unit): each for each in gateway.budgets}
        holders = {(each.budget.name, each.budget.unit): each.key for each in own}
        budgets |= {(each.budget.name, each.budget.unit): each.budget for each in own}
        now = datetime.fromtimestamp(self.clock(), UTC)
        spans = {each.span for each in budgets.values()}
        starts = {each.start for span in spans for each in windows(span, now)}
        found = self._found(self.store().counters(starts), lambda *name: budgets.get(name))
        return [
            each._replace(key=holders.get((each.budget.name, each.budget.unit), ""))
            for each in found
        ]

    def _rows(self, counters: Sequence[Stands]) -> Sequence[Told]:
        return [_row(each) for each in self._found(counters, self._known())]

    def _found(
        self, counters: Sequence[Stands], known: Callable[[str, Unit], Budget | None]
    ) -> Sequence[Standing]:
        """In order of the counters. Of a rolling budget, its fullest window."""
        now = datetime.fromtimestamp(self.clock(), UTC)
        rows: dict[str, Standing] = {}
        for stands in counters:
            read = read_counter(stands.counter)
            budget = known(read.budget, read.unit)
            if budget is None or not _is_of(budget, read.subjects):
                continue
            window = next(
                (w for w in windows(budget.span, now) if _is_in(w, read.phase, stands)), None
            )
            if window is not None:
                name = counter_name(read.budget, read.unit, read.subjects)
                before = rows.get(name)
                if before is None or _left(budget, stands) < _left(budget, before.stands):
                    rows[name] = Standing(budget, stands, window)
        return [rows[name] for name in sorted(rows)]

    def log(self, before: int | None, budget: str, limit: int = PAGE) -> Told:
        """The latest entries, the newest first, of one budget or of all."""
        entries: list[Told] = []
        store = self.store()
        while len(entries) < limit and (page := store.log(before, PAGE)):
            before = page[-1].seq
            entries += [
                _entry(each)
                for each in page
                if not budget or read_counter(each.deed.counter).budget == budget
            ]
        return {"entries": entries[:limit]}

    def _change(
        self, what: str, said: TopUp | Reset, limit: Limit | None, who: str
    ) -> Told | Refused:
        problems = [*_unfit("why", said.why, needed=True), *_unfit("request_id", said.request_id)]
        found = self._find(said, limit.unit if limit else None)
        if isinstance(found, Problem):
            problems.append(found)
        if problems or isinstance(found, Problem):
            return Refused(400, tuple(problems))
        budget, counter = found
        now = self.clock()
        deed = Deed(
            request=said.request_id or self.random(16).hex(),
            at=int(now),
            who=who,
            what=what,
            counter=counter,
            amount=limit.amount if limit and what == TOP_UP else 0,
            why=said.why,
        )
        present = windows(budget.span, datetime.fromtimestamp(now, UTC))
        counters = [(phased(counter, each.phase), each.start) for each in present]
        try:
            done = self.store().apply(Asked(deed, counters, self._largest() - budget.limit))
        except Refusal as refusal:
            return Refused(409, (Problem("", str(refusal)),))
        return _done(budget, done)

    def _largest(self) -> int:
        gateway = self.gateway()
        is_redis = gateway is not None and gateway.ledger.kind is LedgerKind.REDIS
        return LARGEST_REDIS_LIMIT if is_redis else LARGEST_LIMIT

    def _find(self, said: TopUp | Reset, unit: Unit | None) -> tuple[Budget, str] | Problem:
        """The budget, and its counter without the window."""
        gateway = self.gateway()
        names = [each.name for each in gateway.budgets] if gateway else []
        found = [each for each in self._named(said.budget) if unit in (None, each.unit)]
        if len(found) != 1:
            if len(found) > 1:
                return Problem("unit", "must be said: the key has a budget of each")
            if self._named(said.budget):
                return Problem("amount", f"'{said.budget}' does not count {_WORDS[unit]}")
            hint = did_you_mean(said.budget, names)
            return Problem("budget", f"no budget '{said.budget}' is in force", hint=hint)
        budget = found[0]
        subjects = _subjects(budget, said.of)
        if isinstance(subjects, Problem):
            return subjects
        return budget, counter_name(budget.name, budget.unit, subjects)

    def _named(self, name: str) -> Sequence[Budget]:
        """Two, where a key has one of each unit."""
        if not name.startswith(OF_KEYS):
            gateway = self.gateway()
            return [each for each in gateway.budgets if each.name == name] if gateway else []
        ref, _, period = name.removeprefix(OF_KEYS).rpartition(":")
        stored = self.keys.find(ref)
        owned = stored.key.own_budgets() if stored else ()
        return [each for each in owned if each.name.rpartition(":")[2] == period]

    def _known(self) -> Callable[[str, Unit], Budget | None]:
        gateway = self.gateway()
        budgets = {(b.name, b.unit): b for b in (gateway.budgets if gateway else ())}
        of_keys: dict[tuple[str, Unit], Budget] = {}

        def known(name: str, unit: Unit) -> Budget | None:
            if not name.startswith(OF_KEYS):
                return budgets.get((name, unit))
            if not of_keys:  # read once, and only when there are some
                of_keys.update({(b.name, b.unit): b for b in self._owned()})
            return of_keys.get((name, unit))

        return known

    def _owned(self) -> Iterator[Budget]:
        after = ""
        while rows := self.keys.page(after, PAGE):
            for each in rows:
                yield from each.key.own_budgets()
            after = rows[-1].key.name


_WORDS = {None: "that", Unit.NANODOLLARS: "USD", Unit.TOKENS: "tokens"}


def _asked_of(budget: Budget) -> Mapping[str, str]:
    """What a budget counts apart, and the values that it is for, in the order of its counters."""
    scope = {each.name: getattr(budget.scope, each.name) for each in fields(budget.scope)}
    asked = {name: value for name, value in scope.items() if value is not None}
    return asked | {"by": "*"} if budget.by else asked


def _subjects(budget: Budget, said: Mapping[str, str]) -> list[tuple[str, str]] | Problem:
    asked = _asked_of(budget)
    for name in said:
        if name not in asked:
            hint = did_you_mean(name, asked)
            return Problem(f"of.{name}", f"'{budget.name}' does not count by it", hint=hint)
    found = []
    for name, pattern in asked.items():
        value = said.get(name, "" if name == "by" or "*" in pattern else pattern)
        if name == "by":
            if name not in said:
                return Problem("of.by", f"'{budget.name}' counts each apart: say which")
            value = counted_by(value)
        elif not value:
            return Problem(f"of.{name}", f"'{budget.name}' counts each apart: say which")
        elif not _is_like(pattern, value):
            return Problem(f"of.{name}", f"'{budget.name}' is for '{pattern}', not '{value}'")
        found.append((name, value))
    return found


def _is_like(pattern: str, value: str) -> bool:
    """`*` stands for anything, as in scopes."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) is not None


def _is_of(budget: Budget, subjects: Sequence[tuple[str, str]]) -> bool:
    """Whether the budget counts so today: its scope may have been another."""
    return [name for name, _ in subjects] == list(_asked_of(budget))


def _is_in(window: Window, phase: int | None, stands: Stands) -> bool:
    return window.start == stands.window_start and window.phase == phase


def _unfit(name: str, text: str, *, needed: bool = False) -> Iterator[Problem]:
    if needed and not text.strip():
        yield Problem(name, "must be said, for the log")
    if len(text) > LONGEST_TEXT or not text.isprintable():
        yield Problem(name, f"must be one line, of at most {LONGEST_TEXT} characters")


def _left(budget: Budget, stands: Stands) -> int:
    return budget.limit + stands.topped_up - stands.settled - stands.reserved


def _row(standing: Standing) -> Told:
    """Amounts in nanodollars or tokens, as `unit` says."""
    budget, stands, window, _ = standing
    return {
        "budget": budget.name,
        "of": dict(read_counter(stands.counter).subjects),
        "unit": budget.unit.value,
        "limit": budget.limit,
        "topped_up": stands.topped_up,
        "settled": stands.settled,
        "reserved": stands.reserved,
        "left": _left(budget, stands),
        "since": iso(window.start),
        "until": None if window.end is None else iso(window.end),
    }


def _entry(entry: Entry) -> Told:
    deed = entry.deed
    read = read_counter(deed.counter)
    before = max(entry.before, key=lambda each: each.settled + each.reserved)
    return {
        "seq": entry.seq,
        "at": iso(deed.at),
        "who": deed.who,
        "what": deed.what,
        "budget": read.budget,
        "of": dict(read.subjects),
        "unit": read.unit.value,
        "amount": deed.amount,
        "why": deed.why,
        "request_id": deed.request,
        "settled_before": before.settled,
        "reserved_before": before.reserved,
        "topped_up_before": before.topped_up,
        "window_start": before.window_start,
    }


def _done(budget: Budget, done: Done) -> Told:
    limit = max(each.topped_up for each in done.entry.before) + done.entry.deed.amount
    return {
        **_entry(done.entry),
        "is_repeated": done.is_repeated,
        "limit": written_limit(Limit(budget.unit, budget.limit + limit)),
    }
