"""One list of the tasks of several agents, in pages (A2A 1.0, "List Tasks").

Tasks that changed last come first. A page token says how far each agent's own list has been told,
so nothing has to be remembered: the agent's token of a page, and how many tasks of it were told.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from extproc.a2a.errors import ErrorKind, Fault

USUAL_SIZE: Final = 50
MOST_PER_PAGE: Final = 100
_LONGEST_TOKEN: Final = 16384


NO_LIST: Final = Fault(ErrorKind.INVALID_AGENT_RESPONSE, "the agent's answer is no list of tasks")


class Misread(ValueError):
    """A page token that is none of this list's."""


class Place(Struct, frozen=True, array_like=True):
    """How far the list of one agent has been told."""

    token: str = ""
    """Of its page, as the agent calls it."""
    told: int = 0
    """Of the tasks in that page."""
    total: int = -1
    """Of all its tasks, where the list is over; -1: it is not."""

    @property
    def is_over(self) -> bool:
        return self.total >= 0


Page = Callable[[str, str], Awaitable[Mapping[str, Any] | Fault]]
"""Asks an agent, by its key, for the page with that token of its own."""


def read_token(token: str, keys: Iterable[str]) -> dict[str, Place]:
    """Where each list goes on; those of nobody are left out. Raises `Misread`."""
    if not token:
        return {key: Place() for key in keys}
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError("it is too long")
        said = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        places = msgspec.json.decode(said, type=dict[str, Place])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise Misread("the page token is none of this list") from None
    known = frozenset(keys)
    if any(each.told < 0 for each in places.values()):
        raise Misread("the page token is none of this list")
    return {key: place for key, place in places.items() if key in known}


def write_token(places: Mapping[str, Place]) -> str:
    """Empty: all are over."""
    if all(place.is_over for place in places.values()):
        return ""
    return base64.urlsafe_b64encode(msgspec.json.encode(places)).decode().rstrip("=")


async def merged(places: Mapping[str, Place], size: int, page: Page) -> Mapping[str, Any] | Fault:
    """A page of all lists, in the words of 1.0; or what the first agent says that tells none."""
    lists = [_List(key, place, page) for key, place in places.items() if not place.is_over]
    for fault in await asyncio.gather(*(each.read() for each in lists)):
        if fault is not None:
            return fault
    tasks: list[Any] = []
    while len(tasks) < size:
        left = [each for each in lists if each.tasks]
        if not left:
            break
        latest = max(left, key=lambda each: _changed_at(each.tasks[0]))
        tasks.append(latest.take())
        fault = await latest.read_on()
        if fault is not None:
            return fault
    ahead = {**places, **{each.key: each.place for each in lists}}
    over = sum(place.total for place in places.values() if place.is_over)
    return {
        "tasks": tasks,
        "nextPageToken": write_token(ahead),
        "pageSize": size,
        "totalSize": over + sum(each.total for each in lists),
    }


class _List:
    """Of one agent."""

    def __init__(self, key: str, place: Place, page: Page) -> None:
        self.key = key
        self._page, self._place, self._next = page, place, ""
        self.tasks: deque[Any] = deque()
        """Of the page that was read, those that have not been told."""
        self.total = 0

    @property
    def place(self) -> Place:
        """Where it goes on."""
        return self._place if self.tasks else Place(total=self.total)

    async def read(self) -> Fault | None:
        """The page where it is, or the first after it that has something to tell."""
        while True:
            found = await self._page(self.key, self._place.token)
            if isinstance(found, Fault):
                return found
            tasks, token = found.get("tasks") or [], found.get("nextPageToken") or ""
            if not isinstance(tasks, list) or not isinstance(token, str):
                return NO_LIST
            total = found.get("totalSize")
            self.total = total if isinstance(total, int) and total >= 0 else len(tasks)
            self.tasks.extend(tasks[self._place.told :])
            self._next = token
            if self.tasks or not token or token == self._place.token:
                return None
            self._place = Place(token, max(0, self._place.told - len(tasks)))

    def take(self) -> Any:
        self._place = Place(self._place.token, self._place.told + 1)
        return self.tasks.popleft()

    async def read_on(self) -> Fault | None:
        """The next page, where this one is told."""
        if self.tasks or not self._next:
            return None
        self._place = Place(self._next)
        return await self.read()


def _changed_at(task: object) -> str:
    """RFC 3339 in UTC, such that later times are greater texts."""
    status = task.get("status") if isinstance(task, dict) else None
    said = status.get("timestamp") if isinstance(status, dict) else None
    return said.removesuffix("Z") if isinstance(said, str) else ""


def size_of(document: Mapping[str, object]) -> int:
    """How many tasks a client wants at once."""
    said = document.get("pageSize")
    return said if isinstance(said, int) and 0 < said <= MOST_PER_PAGE else USUAL_SIZE


def page_asked(document: Mapping[str, object], context: str, token: str) -> dict[str, object]:
    """What one agent is asked for, where the client asks for all with `document`."""
    asked = {**document, "pageToken": token, "contextId": context, "pageSize": size_of(document)}
    return {name: said for name, said in asked.items() if said != ""}
