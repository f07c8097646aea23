"""Services that the edges' tests serve, and what was seen of each RPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from extproc.edges.service import Call, Methods

ECHO = "/test.Service/Echo"
SILENT = "/test.Service/Silent"
LATE = "/test.Service/Late"
LAST_WORD = "/test.Service/LastWord"
REFUSE = "/test.Service/Refuse"
BROKEN = "/test.Service/Broken"
BROKEN_FACTORY = "/test.Service/BrokenFactory"
EAGER = "/test.Service/Eager"


@dataclass
class Seen:
    """One RPC as its service saw it."""

    call: Call
    metadata: Mapping[str, str]
    events: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)


@dataclass
class Journal:
    """All RPCs of a test."""

    rpcs: list[Seen] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def closed(self) -> int:
        return sum(rpc.events.count("close") for rpc in self.rpcs)


class Recorded:
    """Notes every event, then does what the subclass says."""

    def __init__(self, call: Call, journal: Journal) -> None:
        self.call = call
        self.seen = Seen(call, call.metadata)
        self._journal = journal
        journal.rpcs.append(self.seen)
        journal.changed.set()

    def on_message(self, message: bytes) -> None:
        self.seen.events.append("message")
        self.seen.messages.append(message)
        self._journal.changed.set()
        self.answer(message)

    def on_half_close(self) -> None:
        self.seen.events.append("half close")
        self._journal.changed.set()
        self.finish()

    def on_close(self) -> None:
        self.seen.events.append("close")
        self._journal.changed.set()

    def answer(self, message: bytes) -> None: ...

    def finish(self) -> None: ...


class Echo(Recorded):
    def answer(self, message: bytes) -> None:
        self.call.send(message)

    def finish(self) -> None:
        self.call.end()


class Late(Recorded):
    """Answers from outside of the callback."""

    def answer(self, message: bytes) -> None:
        asyncio.get_running_loop().call_later(0.01, self.call.send, message)

    def finish(self) -> None:
        asyncio.get_running_loop().call_later(0.02, self.call.end)


class LastWord(Recorded):
    """Speaks only after the client has finished."""

    def finish(self) -> None:
        for message in self.seen.messages:
            self.call.send(message)
        self.call.end()


class Refuse(Recorded):
    def answer(self, message: bytes) -> None:
        self.call.end(7, "nicht für dich, 100%")
        self.call.send(b"too late")
        self.call.end(0)


class Broken(Recorded):
    def answer(self, message: bytes) -> None:
        raise ValueError("a bug in the service")


class Eager(Recorded):
    """Ends the RPC before it is asked anything."""

    def __init__(self, call: Call, journal: Journal) -> None:
        super().__init__(call, journal)
        call.send(b"eager")
        call.end()


def broken_factory(call: Call) -> Recorded:
    raise ValueError("a bug in the factory")


def methods_of(journal: Journal) -> Methods:
    kinds: dict[str, Callable[[Call, Journal], Recorded]] = {
        ECHO: Echo,
        SILENT: Recorded,
        LATE: Late,
        LAST_WORD: LastWord,
        REFUSE: Refuse,
        BROKEN: Broken,
        EAGER: Eager,
    }

    def factory(kind: Callable[[Call, Journal], Recorded]) -> Callable[[Call], Recorded]:
        return lambda call: kind(call, journal)

    return {path: factory(kind) for path, kind in kinds.items()} | {BROKEN_FACTORY: broken_factory}
