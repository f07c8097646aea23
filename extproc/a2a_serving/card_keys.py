"""The keys that agents' cards are signed with: in the configuration, or fetched and kept.

What is known stays while it cannot be fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from extproc.a2a import jwk, signatures
from extproc.a2a.canonical import Document
from extproc.a2a.jwk import InvalidKey, KeySet
from extproc.a2a.signatures import Unverified, Verified
from extproc.ports import Asked, McpPeers, ServiceUnavailable
from gateway import names
from gateway.a2a import KEYS_SECONDS, A2aAgent, CardKeys

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 10.0
"""Keys are fetched at most so often, whatever signatures say."""
_HEAD: Final = (("accept", "application/jwk-set+json, application/json"),)


class Keys:
    """Of one agent."""

    __slots__ = (
        "_asked_at",
        "_clock",
        "_known",
        "_name",
        "_peers",
        "_terms",
        "_why",
        "is_required",
    )

    def __init__(
        self, agent: str, terms: CardKeys, peers: McpPeers, clock: Callable[[], float]
    ) -> None:
        self._name, self._terms = agent, terms
        self._peers, self._clock = peers, clock
        self._known: KeySet | None = None
        self._why = ""
        """Why nothing is known."""
        self._asked_at: float | None = None
        """When they were fetched last; None: never."""
        self.is_required = terms.is_required
        if terms.text:
            self._take(terms.text.encode())

    async def verified(self, card: Document) -> Verified | Unverified:
        """A card that one of them has signed, or why it is none."""
        if self._is_due(self._terms.refresh_seconds):
            await self._fetch()
        found = self._judged(card)
        if isinstance(found, Unverified) and self._is_due(_AGAIN_SECONDS):
            await self._fetch()
            found = self._judged(card)
        return found

    def _judged(self, card: Document) -> Verified | Unverified:
        if self._known is None:
            return Unverified(f"the keys of its signatures are not known: {self._why}")
        return signatures.verify(card, self._known)

    def _is_due(self, seconds: float) -> bool:
        if self._terms.text:
            return False
        return self._asked_at is None or self._clock() - self._asked_at >= seconds

    async def _fetch(self) -> None:
        self._asked_at = self._clock()
        cluster = names.service_cluster(names.a2a_keys_service(self._name))
        asked = Asked("GET", self._terms.path, _HEAD, b"")
        try:
            answer = await self._peers.ask(cluster, asked, KEYS_SECONDS)
        except ServiceUnavailable as error:
            self._fail(str(error))
            return
        if answer.status != 200:
            self._fail(f"they are answered with {answer.status}")
            return
        self._take(answer.body)

    def _take(self, text: bytes) -> None:
        try:
            self._known = jwk.key_set(text)
        except InvalidKey as error:
            self._fail(str(error))
            return
        for reason in self._known.unused:
            logger.warning("of the keys of the agent %s: %s", self._name, reason)

    def _fail(self, why: str) -> None:
        self._why = why
        logger.warning("no keys of the agent %s: %s", self._name, why)


def keys_of(
    agents: Iterable[A2aAgent], peers: McpPeers, clock: Callable[[], float]
) -> Mapping[str, Keys]:
    """By agent, of those whose signatures are looked at."""
    return {
        each.name: Keys(each.name, each.signatures, peers, clock)
        for each in agents
        if each.signatures is not None
    }
