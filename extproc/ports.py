"""What the request path needs from the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from gateway.identity import Introspection
from gateway.limits import Algorithm


class Clock(Protocol):
    """Seconds since the epoch, UTC."""

    def __call__(self) -> float: ...


class Later(Protocol):
    """Calls a function on the event loop, once, after so many seconds."""

    def __call__(self, seconds: float, what: Callable[[], None], /) -> object: ...


class Board(Protocol):
    """Where the workers of one machine leave numbers for each other; some may be lost."""

    def put(self, name: int, number: int) -> None: ...

    def take(self, name: int) -> int | None:
        """What was put under this name, once; None: nothing, or no longer."""


class Verdicts(NamedTuple):
    """Verdicts that are counted together."""

    kind: str
    """Whose: `rule`."""
    name: str
    verdict: str
    """`deny`."""
    mode: str
    """`enforce`, `audit`."""
    code: str = ""
    """Of what is refused: `permission_denied`."""


class Tally(Protocol):
    """Counts verdicts; operators are shown the sums."""

    def add(self, verdicts: Verdicts) -> None:
        """One more of these."""


class AuditLog(Protocol):
    """Where it is written down what was decided."""

    @property
    def is_blocked(self) -> bool:
        """It cannot be written, and nothing may happen meanwhile."""

    def put(self, record: Mapping[str, object]) -> None:
        """Soon, with the time, and without what is empty; never blocks."""


class Charge(Struct, frozen=True):
    """One counter that a call draws on."""

    counter: str
    """Which budget and whose: `team-month|team=platform`."""
    window_start: int
    """Unix seconds at which the counter's current period began."""
    limit: int
    estimate: int
    """What is reserved; in the budget's own unit, like `limit`. At least 1."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A counter had too little left; nothing was reserved on any counter of the call."""

    charge: Charge
    spent: int
    """Settled and reserved so far by everybody, in the budget's unit."""
    topped_up: int = 0
    """By how much the limit of this period was raised."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Where a counter stands."""

    settled: int
    reserved: int
    """Held by calls that have not ended."""
    topped_up: int = 0
    """By how much the limit of this period was raised."""


class Level(Struct, frozen=True):
    """Where a counter stands, as far as this worker knows."""

    spent: int
    """Settled and reserved by everybody."""
    topped_up: int


REMEMBERED_SECONDS = 60 * 86400
"""How long a ledger knows at least what work was booked, and who asked for it."""


class Booking(NamedTuple):
    """What work costs one counter, with what was booked of it before."""

    counter: str
    window_start: int
    """Where what is new of it is booked."""
    amount: int


class LedgerUnavailable(Exception):
    """The store cannot be asked: no room, locked for too long, damaged, or closed."""


class Reservation:
    """What a call holds until it is settled or released, once; later calls do nothing.

    A class that ledgers extend, so that what is no reservation can be told from one quickly.
    """

    __slots__ = ()

    def settle(self, amounts: Sequence[int]) -> None:
        """Book what was really used, one amount for each charge in order."""
        raise NotImplementedError

    def book(self, amounts: Sequence[int]) -> None:
        """Book what was used so far, in the place of what was held. The reservation goes on, and
        holds 1 on each counter, so that more can be booked, settled or released.
        """
        raise NotImplementedError

    def release(self) -> None:
        """Book nothing: the call never reached a provider, or the provider refused it."""
        raise NotImplementedError


class Ledger(Protocol):
    """Durable counters that cannot be overspent by concurrent reservations."""

    def reserve(
        self, charges: Sequence[Charge]
    ) -> Reservation | Exhausted | Awaitable[Reservation | Exhausted]:
        """Take all of the estimates, or none. Usually at once; awaits when the store must be asked.

        Awaiting raises LedgerUnavailable when the store gives no answer.
        """

    def note(self, charges: Sequence[Charge]) -> Reservation:
        """Take all of the estimates, whatever the limits are and whether the store answers: it is
        told later. LedgerUnavailable: it cannot even be written down."""

    def level(self, charge: Charge) -> Level | Awaitable[Level]:
        """Where its counter stands; of others' part, what was true moments ago. Usually at once;
        awaits, as `reserve`, when nothing is known that is young enough.
        """

    async def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for the work of this name; the first who is said to have counts.

        `now` is Unix seconds. LedgerUnavailable where it is not kept; so it is with all below.
        """

    async def owner(self, name: str) -> str | None:
        """Who asked for it; None where nobody said so, or it is long ago."""

    async def book_once(
        self, name: str, extent: int, bookings: Sequence[Booking], now: int
    ) -> bool:
        """Book work that was not reserved for, in full, whatever the limits; whether it was new.

        Work of this name that was booked to that extent, or to a larger, is not booked again; of
        what has grown, the difference is, on the counters on which it was booked the first time.
        """


NEVER = -1
"""Of a wait: it is more than the limit lets through at once, whatever was used."""


class Pace(NamedTuple):
    """What a meter of a rate lets through."""

    amount: int
    period_ns: int
    algorithm: Algorithm


class Places(NamedTuple):
    """What a meter of calls lets be open at a time."""

    most: int


Measure: TypeAlias = Pace | Places


class Meter(Protocol):
    """One counter of one limiter: of a limit, of what it counts, and of whom."""


Draw: TypeAlias = tuple[Meter, int, bool]
"""How much a call takes of a meter, and whether that is binding: else nobody is refused for it.
Plain tuples, these, since each request makes several."""

Standing: TypeAlias = tuple[int, int, int]
"""Where a meter stands: what remains; nanoseconds until it stands as if nothing had been taken, 0
of places, which nobody knows; nanoseconds until there is room for what was wanted: 0, there was, or
NEVER."""

Take: TypeAlias = tuple[int, Sequence[Standing], bool]
"""What came of it: when, on the limiter's clock; the standing of each draw, in order; whether it is
refused, since a binding draw has to wait: then nothing was taken of any."""


class LimitsUnavailable(Exception):
    """The counters cannot be asked: no room, locked for too long, or closed."""


class LocalLimiter(Protocol):
    """Rates and places that all workers of a machine share, and that none of them can overdraw."""

    def meter(self, name: str, measure: Measure) -> Meter:
        """The counter of that name; equal names are one counter, whoever asks."""

    def take(self, draws: Sequence[Draw]) -> Take:
        """Take all of it, or nothing. What is not binding and has to wait is not taken."""

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        """So much more, or less, was used than was taken at that time."""

    def leave(self, meters: Sequence[Meter]) -> None:
        """Give back a place on each. A worker that dies gives back all of its own."""


class Limiter(Protocol):
    """The same, and rates that several machines may share."""

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        """`is_shared`: by all machines, if it is a rate and they have something in common."""

    def take(self, draws: Sequence[Draw]) -> Take | Awaitable[Take]:
        """As that of one machine. Usually at once; awaits when others must be asked."""

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None: ...

    def leave(self, meters: Sequence[Meter]) -> None: ...


class PasswordsBusy(Exception):
    """More passwords wait to be checked than may."""


class PasswordChecks(Protocol):
    """Checks passwords; slow hashes away from the event loop, and few at a time."""

    def is_right(self, user: str, password: bytes, hashed: str) -> bool | Awaitable[bool]:
        """At once when it is known, or quick. Raises PasswordsBusy, also when awaited; `user` is
        who is guessed at, so that one user's guesses do not shut out all.
        """


@dataclass(frozen=True, eq=False)
class Introspected:
    """What a server says of an active token (RFC 7662 §2.2). As long as it is remembered, the same
    token is the same one of these."""

    claims: Mapping[str, object] = field(repr=False)


class IntrospectionUnavailable(Exception):
    """The server gives no usable answer, or too many are asked already."""


class Introspector(Protocol):
    """Asks about tokens, and remembers what was said."""

    def look_up(
        self, token: str, where: Introspection
    ) -> Introspected | Awaitable[Introspected | None] | None:
        """None: it is not active. At once when it is known. Raises IntrospectionUnavailable, also
        when awaited.
        """


class Posted(Struct, frozen=True):
    """A request to a service, sent by POST."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beside the content type, which is JSON."""


class Returned(Struct, frozen=True):
    """What a service answered."""

    status: int
    body: bytes


class ServiceUnavailable(Exception):
    """A service cannot be reached, is too late, or does not speak as it should."""


class AskedBack(ServiceUnavailable):
    """It asks the client something before it answers; here is none."""


class Asked(Struct, frozen=True):
    """A request to an MCP server, or to the hub."""

    method: str
    """Of HTTP."""
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_clients: bool = False
    """The server may ask the client back (`AskedBack`); else that is passed over."""


class Answered(Struct, frozen=True):
    """What it answered; of an event stream, the message that answers the request."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


class McpPeers(Protocol):
    """The way to MCP servers."""

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """`cluster` is Envoy's. Raises `ServiceUnavailable`."""


class Unresolved(Exception):
    """A host has no address, or nobody says so in time."""


class Resolve(Protocol):
    """Finds the addresses of a host."""

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """As texts, the one first that is tried first. Raises `Unresolved`."""


class PinsUnavailable(Exception):
    """What is known of tools cannot be read, or written."""


class Pin(NamedTuple):
    """What is known of one tool of an MCP server, by the digests of its definitions."""

    known: str
    """That it may have; empty: none yet."""
    seen: str
    """That its server told last."""

    @property
    def is_pending(self) -> bool:
        """Somebody has to approve it."""
        return self.known != self.seen


class Seen(NamedTuple):
    """A definition that was not told before."""

    tool: str
    known: str
    """Where nothing is known of the tool."""
    digest: str
    text: str


class ToolPins(Protocol):
    """Where the workers of one machine keep them."""

    def of(self, server: str) -> Mapping[str, Pin]:
        """By tool. Raises `PinsUnavailable`."""

    def put(self, server: str, seen: Sequence[Seen]) -> None:
        """Keep them; what is known already stays. Raises `PinsUnavailable`."""


class ConsentsUnavailable(Exception):
    """What callers have agreed to cannot be read, or written."""


class Agreed(NamedTuple):
    """What a caller has agreed to."""

    sealed: bytes
    """The tokens."""
    version: int
    """Grows with each change."""


class Agreement(NamedTuple):
    """A caller, a server, and the tokens."""

    owner: str
    server: str
    who: str
    """For people."""
    sealed: bytes
    expires: int
    """Of the access token, in seconds since 1970; 0: it does not say."""


class Ended(NamedTuple):
    """What a caller had agreed to, until somebody ended it."""

    owner: str
    server: str
    sealed: bytes
    version: int


class Consents(Protocol):
    """What callers have agreed to, as all workers know it; and the browsers that are away for that.
    All of it raises `ConsentsUnavailable`."""

    async def find(self, owner: str, server: str) -> Agreed | None:
        """None: nothing."""

    async def keep(self, agreement: Agreement) -> None:
        """In the place of what was there."""

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        """Whether it is this worker's to renew, for so long: nobody else is at it, and it is still
        that version."""

    async def renew(self, agreement: Agreement, version: int) -> bool:
        """Put other tokens in the place of that version, which is leased no more. Whether it was
        still there."""

    async def free(self, owner: str, server: str, version: int) -> None:
        """It was not renewed; somebody else may try."""

    async def drop(self, owner: str, server: str, version: int) -> bool:
        """Forget that version. Whether it was still there."""

    async def ended(self, seconds: float) -> Sequence[Ended]:
        """What operators have ended, and is still to be revoked: this worker's to do, for so
        long."""

    async def client(self, name: str) -> bytes | None:
        """As whom the gateway has registered itself somewhere. None: it has not."""

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        """The same, in the place of what was there before; what is kept then, which is another's,
        if that was quicker."""

    async def drop_client(self, name: str) -> None:
        """It is known there no more."""

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        """A browser goes away, and comes back with that name. Whether `once`, which both may be
        used for until then, was not used before."""

    async def take(self, name: str) -> bytes | None:
        """It is back: what was kept of it, once. None: nothing, or too long ago."""

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        """Keep something until then, in the place of what was there."""

    async def noted(self, name: str) -> bytes | None:
        """What is kept, which stays. None: nothing, or too long ago."""


class SessionBoard(Protocol):
    """When MCP sessions were last used, and which have ended, as all workers of a machine know."""

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        """Whether it is open; if so, it is used `now`, in seconds since 1970. One of which nothing
        is known is."""

    def end(self, number: str, now: int) -> None:
        """It is over."""


class Services(Protocol):
    """The way to services of other people, such as those of guards."""

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        """`service` is the name of a `gateway.model.Service`. Raises `ServiceUnavailable`."""
