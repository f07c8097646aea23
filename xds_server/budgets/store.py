"""What a ledger is asked by the control plane: where counters stand, and changes of them.

Workers draw on the same counters meanwhile, so that every change is one atomic step. Any store must
pass `tests/xds_server/budgets/test_stores.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

import msgspec

TOP_UP, RESET = "top-up", "reset"


class BudgetsUnavailable(Exception):
    """The ledger gives no answer. Says why, and names no password."""


class Refusal(Exception):
    """Nothing was changed: the request's id is that of another, or the limit would be too large."""


class Stands(msgspec.Struct, frozen=True, order=True):
    """A counter in one of its periods; amounts in what the budget counts."""

    counter: str
    window_start: int
    """Unix seconds."""
    settled: int
    reserved: int
    """Held by calls that have not ended, as far as workers have told."""
    topped_up: int
    """By how much the limit of this period is raised."""


class Deed(msgspec.Struct, frozen=True):
    """A change, as it is asked for and written down."""

    request: str
    """Who asks again by the same id asks for nothing more."""
    at: int
    """Unix seconds."""
    who: str
    what: str
    """`top-up` or `reset`."""
    counter: str
    """Without the window of a rolling budget."""
    amount: int
    """What the limit was raised by; 0 of a reset."""
    why: str


class Asked(NamedTuple):
    """A deed, and what it concerns."""

    deed: Deed
    counters: Sequence[tuple[str, int]]
    """Names, of a rolling budget with the window, and window starts."""
    most: int
    """What a counter may be topped up by altogether."""


class Entry(msgspec.Struct, frozen=True):
    """A row of the log, which only grows."""

    seq: int
    deed: Deed
    before: tuple[Stands, ...]
    """Where the counters stood."""


class Done(NamedTuple):
    """What became of it."""

    entry: Entry
    is_repeated: bool
    """It had been done before."""


class Alert(NamedTuple):
    """A share of a limit that is spent."""

    counter: str
    """Without the window of a rolling budget."""
    window_start: int
    permille: int


SENT = 2**52
"""Until when who claims an alert that was sent has to wait."""


class BudgetStore(Protocol):
    """Each raises BudgetsUnavailable; all may block."""

    def counters(self, starts: Collection[int] | None = None) -> Sequence[Stands]:
        """Every counter with each of its periods, in order, or with those alone that began at one
        of these seconds; none when nothing was ever booked."""

    def apply(self, asked: Asked) -> Done:
        """Change the counters and write it down: both or neither. Raises Refusal."""

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        """The latest entries before that `seq`, the newest first."""

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        """The alert is ours to send, until then; the id under which it is, or was tried before.
        None: somebody has sent it, or is about to. After a reset it is to be sent again."""

    def sent(self, alert: Alert, id: str) -> None:
        """Nobody need send what was claimed as that any more."""


class Written(msgspec.Struct, frozen=True):
    """What stands in the log beside `seq`."""

    deed: Deed
    before: tuple[Stands, ...]


def to_json(deed: Deed, before: Sequence[Stands]) -> str:
    return msgspec.json.encode(Written(deed, tuple(before))).decode()


def from_json(seq: int, text: str | bytes) -> Entry:
    written = msgspec.json.decode(text, type=Written)
    return Entry(seq, written.deed, written.before)


def repeated(seq: int, text: str | bytes, asked: Deed) -> Done:
    """What was done under the same id; Refusal, where that was something else."""
    entry = from_json(seq, text)
    done = entry.deed
    if (done.what, done.counter, done.amount) != (asked.what, asked.counter, asked.amount):
        raise Refusal(f"request_id: '{asked.request}' was a {done.what} of '{done.counter}'")
    return Done(entry, is_repeated=True)


def too_much(stands: Stands) -> Refusal:
    return Refusal(f"amount: '{stands.counter}' would be topped up by more than a ledger holds")
