"""The keys of the issuer of a login: in the configuration, or fetched through Envoy and kept.

What is known stays while it cannot be fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from extproc.a2a import jwk
from extproc.a2a.jwk import InvalidKey, KeySet
from extproc.logging_in.issued import NotIssued
from extproc.ports import Asked, McpPeers, ServiceUnavailable
from gateway import names
from gateway.identity import Login

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 10.0
"""Keys are fetched at most so often, whatever tokens say."""
_PATIENCE_SECONDS: Final = 5.0
_HEAD: Final = (("accept", "application/jwk-set+json, application/json"),)

_T = TypeVar("_T")


class IssuerKeys:
    """Of one login. `clock` gives Unix seconds."""

    def __init__(self, of: Login, way: McpPeers, clock: Callable[[], float]) -> None:
        self._of, self._way, self._clock = of, way, clock
        self._known: KeySet | None = None
        self._why = "they were never fetched"
        self._asked_at: float | None = None
        if of.issuer.jwks:
            self._take(of.issuer.jwks.encode())

    async def checked(self, check: Callable[[KeySet], _T]) -> _T:
        """What is found with the keys, which are fetched again where they do not do. Raises
        `NotIssued`, `ServiceUnavailable`."""
        if self._is_due(self._of.issuer.refresh_seconds):
            await self._fetch()
        try:
            return check(self._keys)
        except NotIssued:
            if not self._is_due(_AGAIN_SECONDS):
                raise
        await self._fetch()
        return check(self._keys)

    @property
    def _keys(self) -> KeySet:
        if self._known is None:
            raise ServiceUnavailable(f"its keys are not known: {self._why}")
        return self._known

    def _is_due(self, seconds: float) -> bool:
        if not self._of.issuer.jwks_url:
            return False
        return self._asked_at is None or self._clock() - self._asked_at >= seconds

    async def _fetch(self) -> None:
        self._asked_at = self._clock()
        path = urlsplit(self._of.issuer.jwks_url).path or "/"
        cluster = names.service_cluster(self._of.keys_service)
        try:
            answer = await self._way.ask(cluster, Asked("GET", path, _HEAD, b""), _PATIENCE_SECONDS)
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

    def _fail(self, why: str) -> None:
        self._why = why
        logger.warning("no keys of the issuer of the login %s: %s", self._of.name, why)
