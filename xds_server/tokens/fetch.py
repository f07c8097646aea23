"""Goes the way to a token: sends its requests, reads its files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import assert_never

import httpx

from gateway.credentials import GcpCredential, ManagedIdentity, MintedCredential
from xds_server.tokens import entra, google
from xds_server.tokens.words import Ask, NoToken, Read, Token, Way, refusal

_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_LARGEST_ANSWER = 1 << 20


class Fetcher:
    """Tokens from whoever gives them."""

    def __init__(
        self, environment: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self._environment = environment
        self._now = now

    async def fetch(self, credential: MintedCredential) -> Token:
        """Raises `NoToken`."""
        way = self._way(credential)
        try:
            needed = next(way)
            async with httpx.AsyncClient(
                timeout=_SECONDS, trust_env=False, follow_redirects=False
            ) as client:
                while True:
                    needed = way.send(await _got(client, needed))
        except StopIteration as end:
            found: Token = end.value
            return found

    def _way(self, credential: MintedCredential) -> Way:
        match credential:
            case GcpCredential():
                return google.way(credential, self._now(), self._environment)
            case ManagedIdentity():
                return entra.way(credential, self._environment)
            case _:
                assert_never(credential)


async def _got(client: httpx.AsyncClient, needed: Ask | Read) -> bytes:
    if isinstance(needed, Read):
        return await asyncio.to_thread(_content, needed.path)
    try:
        return await _answer(client, needed)
    except httpx.TransportError:  # once may be chance
        await asyncio.sleep(_PAUSE_SECONDS)
    try:
        return await _answer(client, needed)
    except httpx.TransportError as error:
        host, why = httpx.URL(needed.url).host, str(error) or type(error).__name__
        raise NoToken(f"'{host}' does not answer: {why}") from error


async def _answer(client: httpx.AsyncClient, ask: Ask) -> bytes:
    try:
        answer = await client.request(
            ask.method, ask.url, headers=dict(ask.headers), content=ask.body or None
        )
    except httpx.InvalidURL:
        raise NoToken("the address of the token endpoint is no url") from None
    if not answer.is_success:
        raise refusal(answer.status_code, answer.content[:_LARGEST_ANSWER])
    return answer.content


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NoToken(f"'{path}' cannot be read: {error.strerror}") from None
