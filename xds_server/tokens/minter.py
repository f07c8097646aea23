"""Keeps a token for each credential that needs one, renewed before it expires.

A token that cannot be had holds nothing else up: it is asked for again, the last one serves until
it expires, and the status says why.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from gateway.credentials import GcpCredential, ManagedIdentity, MintedCredential
from gateway.model import Gateway
from xds_server.resources.secrets import token_version
from xds_server.tokens.words import NoToken, Token

logger = logging.getLogger(__name__)

FIRST_SECONDS = 3.0
"""How long a configuration waits for tokens that it needs and nobody has yet."""
_EARLY = 0.2
"""Of its lifetime, how much a token still has when it is renewed."""
_LONGEST_EARLY_SECONDS = 300.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class Fetch(Protocol):
    """Gets a token; raises `NoToken` or what the transport raises."""

    async def fetch(self, credential: MintedCredential) -> Token: ...


@dataclass(slots=True)
class Kept:
    """What is known of one credential."""

    credential: MintedCredential = field(repr=False)
    providers: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    expires_at: float = 0.0
    due_at: float = 0.0
    """When to ask (again)."""
    failures: int = 0
    problem: str = ""
    was_asked: bool = False
    is_asked: bool = False
    """Somebody is on the way."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """For people."""

    providers: tuple[str, ...]
    has_token: bool
    seconds_left: float
    problem: str
    """Why it was not renewed the last time; empty: it was."""


def renewal(now: float, token: Token) -> float:
    """When to ask for the next one."""
    early = min(token.lifetime_seconds * _EARLY, _LONGEST_EARLY_SECONDS)
    return now + token.lifetime_seconds - early


def pause(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE_SECONDS)


def minted(gateways: Iterable[Gateway]) -> dict[str, tuple[MintedCredential, tuple[str, ...]]]:
    """The credentials of these gateways, by the version of their secrets, and whose they are."""
    found: dict[str, tuple[MintedCredential, tuple[str, ...]]] = {}
    for gateway in gateways:
        for provider in gateway.callees:
            if isinstance(provider.credential, GcpCredential | ManagedIdentity):
                version = token_version(provider.credential)
                _, names = found.get(version, (provider.credential, ()))
                if provider.name not in names:
                    found[version] = (provider.credential, (*names, provider.name))
    return found


class Minter:
    """`run` is owned by the control plane; everything else is asked in its event loop."""

    def __init__(
        self,
        fetch: Fetch,
        renewed: Callable[[Mapping[str, str]], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`renewed` is told all tokens, by the version of the secrets that they are for."""
        self._fetch = fetch
        self._renewed = renewed
        self._now = now
        self._kept: dict[str, Kept] = {}
        self._changed = asyncio.Event()

    def concerns(self, new: Gateway) -> bool:
        """Whether there is anything to prepare. May be asked in another thread."""
        return bool(self._kept or minted((new,)))

    async def prepare(
        self, new: Gateway, in_use: Iterable[Gateway], seconds: float = FIRST_SECONDS
    ) -> None:
        """Returns when the new gateway has its tokens, or has been refused them, or after a time;
        what neither it nor those in use need is forgotten."""
        wanted = minted((new, *in_use))
        for version, (credential, providers) in wanted.items():
            kept = self._kept.setdefault(version, Kept(credential, providers))
            kept.providers = providers
        for version in self._kept.keys() - wanted.keys():
            del self._kept[version]
        self._announce()
        needed = minted((new,)).keys()
        try:
            async with asyncio.timeout(seconds):
                while any(not self._kept[each].was_asked for each in needed & self._kept.keys()):
                    await self._changed.wait()
        except TimeoutError:
            logger.warning("going on without tokens that nobody has given yet")

    def states(self) -> tuple[TokenState, ...]:
        """What is known of each credential."""
        now = self._now()
        return tuple(
            TokenState(
                each.providers,
                each.token is not None and each.expires_at > now,
                max(each.expires_at - now, 0.0),
                each.problem,
            )
            for each in self._kept.values()
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                changed, now = self._changed, self._now()
                for version, kept in self._kept.items():
                    if not kept.is_asked and kept.due_at <= now:
                        kept.is_asked = True
                        tasks.create_task(self._renew(version, kept))
                await self._rest(changed, now)

    async def _rest(self, changed: asyncio.Event, now: float) -> None:
        dues = [each.due_at for each in self._kept.values() if not each.is_asked]
        try:
            async with asyncio.timeout(max(min(dues) - now, 0.0) if dues else None):
                await changed.wait()
        except TimeoutError:
            return

    async def _renew(self, version: str, kept: Kept) -> None:
        asked_at = self._now()
        try:
            token = await self._fetch.fetch(kept.credential)
        except (NoToken, httpx.HTTPError) as error:
            self._failed(kept, str(error) or type(error).__name__)
        except Exception as error:  # whatever it is, other tokens are renewed
            logger.exception("a token cannot be asked for")
            self._failed(kept, f"cannot be asked for, by a fault of ours ({type(error).__name__})")
        else:
            kept.token, kept.problem, kept.failures = token.value, "", 0
            kept.expires_at = asked_at + token.lifetime_seconds
            kept.due_at = renewal(asked_at, token)
            if self._kept.get(version) is kept:
                self._tell()
        kept.is_asked = False
        kept.was_asked = True
        self._announce()

    def _failed(self, kept: Kept, why: str) -> None:
        kept.failures += 1
        kept.problem = why
        kept.due_at = self._now() + pause(kept.failures)
        logger.warning("no token for %s: %s", ", ".join(kept.providers), why)

    def _tell(self) -> None:
        self._renewed(
            {version: each.token for version, each in self._kept.items() if each.token is not None}
        )

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
