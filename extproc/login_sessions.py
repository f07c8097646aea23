"""Logins of people whose tokens are kept here: what requests ask of whoever keeps them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from msgspec import Struct


class LoginsUnavailable(Exception):
    """Whether somebody is logged in cannot be said now."""


class LoggedIn(Struct, frozen=True):
    """Somebody who has logged in, and whose tokens are kept here."""

    claims: str
    """Of the token that counts, as tokens have them."""
    shown: str
    """The token that backends get; empty: none."""


class LoginSessions(Protocol):
    """Logins that are kept here."""

    def find(self, login: str, cookie: str) -> LoggedIn | Awaitable[LoggedIn | None] | None:
        """Who a browser's cookie stands for. None: nobody, or not any more. At once where it was
        looked up a moment ago. Raises LoginsUnavailable, also when awaited."""

    def begin(self, login: str, origin: str, path: str) -> tuple[str, str]:
        """Where a browser is sent that asks for a page, and the cookie that it keeps meanwhile.
        `origin`: what it calls the gateway."""
