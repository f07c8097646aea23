"""Passwords against hashes that are slow on purpose: in one thread, few at a time, remembered.

Whoever sends wrong passwords in any number gets one thread of low priority to work, and no more:
what would have to wait too long is not begun. What was found is kept under a keyed hash of user,
password and hash, which is worth nothing outside this process.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import bcrypt

from extproc.adapters.apache_md5 import apr1
from extproc.ports import PasswordsBusy
from gateway.passwords import Scheme, scheme_of

_NICENESS = 10
_LONGEST_OF_BCRYPT = 72
"""Bytes; what follows has never counted in any implementation."""
_GROUPS_OF_USERS = 64


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is checked, and kept."""

    most_waiting: int = 64
    most_waiting_for_one: int = 4
    """Of users who fall into the same of 64 groups, whether there are such users or not."""
    begun_within_seconds: float = 2.0
    """Envoy gives up on us after a while; then a check is for nobody."""
    most_known: int = 4096
    """Of right ones, and of wrong ones."""
    right_seconds: float = 900.0
    wrong_seconds: float = 60.0


class HashedPasswords:
    """Lives on an event loop; `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float], bounds: Bounds | None = None) -> None:
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}
        self._wrong: dict[bytes, float] = {}
        """Until when it is believed."""
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting = [0] * _GROUPS_OF_USERS
        self._thread = ThreadPoolExecutor(1, "passwords", initializer=_step_back)

    def is_right(self, user: str, password: bytes, hashed: str) -> bool | Awaitable[bool]:
        """At once when it is known, or quick; raises PasswordsBusy."""
        scheme = scheme_of(hashed)
        if scheme is Scheme.SHA:
            return _is_sha(password, hashed)
        credential = self._digest(user.encode("utf-8", "surrogatepass"), password, hashed.encode())
        now = self._clock()
        if self._right.get(credential, 0.0) > now:
            return True
        if self._wrong.get(credential, 0.0) > now:
            return False
        running = self._running.get(credential)
        if running is None:
            group = self._digest(user.encode("utf-8", "surrogatepass"))[0] % _GROUPS_OF_USERS
            bounds = self._bounds
            is_full = len(self._running) >= bounds.most_waiting
            if is_full or self._waiting[group] >= bounds.most_waiting_for_one:
                raise PasswordsBusy
            running = asyncio.ensure_future(self._check(credential, group, password, hashed, now))
            self._running[credential] = running
        return asyncio.shield(running)  # several may wait for it, and one of them leave

    async def close(self) -> None:
        """Nothing is checked any more."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _check(
        self, credential: bytes, group: int, password: bytes, hashed: str, asked: float
    ) -> bool:
        loop, last = asyncio.get_running_loop(), asked + self._bounds.begun_within_seconds
        self._waiting[group] += 1
        try:
            found = await loop.run_in_executor(
                self._thread, self._if_in_time, password, hashed, last
            )
        finally:
            self._waiting[group] -= 1
            del self._running[credential]
        if found is None:
            raise PasswordsBusy
        now, bounds = self._clock(), self._bounds
        if found:
            _keep(self._right, credential, now + bounds.right_seconds, bounds.most_known)
        else:
            _keep(self._wrong, credential, now + bounds.wrong_seconds, bounds.most_known)
        return found

    def _if_in_time(self, password: bytes, hashed: str, last: float) -> bool | None:
        """In the thread; None: it was not begun."""
        if self._clock() > last:
            return None
        if scheme_of(hashed) is Scheme.BCRYPT:
            return bcrypt.checkpw(password[:_LONGEST_OF_BCRYPT], hashed.encode())
        salt = hashed.split("$")[2]
        return hmac.compare_digest(apr1(password, salt.encode()).encode(), hashed.encode())

    def _digest(self, *parts: bytes) -> bytes:
        made = hashlib.blake2b(key=self._key, digest_size=16)
        for part in parts:
            made.update(len(part).to_bytes(4) + part)
        return made.digest()


def _is_sha(password: bytes, hashed: str) -> bool:
    digest = base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest())
    return hmac.compare_digest(digest, hashed.removeprefix("{SHA}").encode())


def _keep(memory: dict[bytes, float], key: bytes, until: float, most: int) -> None:
    """The oldest goes where there is no room."""
    if len(memory) >= most and key not in memory:
        del memory[next(iter(memory))]
    memory[key] = until


def _step_back() -> None:
    """Requests go before passwords: on Linux, threads have priorities of their own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
