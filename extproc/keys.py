"""Keys that are made at run time: what the request path needs of whoever keeps them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol

from extproc.principal import Principal, of_key
from gateway.virtual_keys import VirtualKey

_DIGEST_BYTES = hashlib.sha256().digest_size


class KeysUnavailable(Exception):
    """Keys cannot be looked up, or nobody knows what has changed."""


class HeldKey:
    """A key made ready to be asked for. All who use it are one principal, until it changes."""

    __slots__ = ("_ends", "_only", "_secrets", "id", "is_open", "noted", "principal")

    def __init__(self, key: VirtualKey) -> None:
        self.id = key.id
        self.principal: Principal = replace(
            of_key(key.holder()),
            budgets=key.own_budgets(),
            limits=key.own_limits(),
            counted_as=f"key:{key.id}",
        )
        self.is_open = key.enabled and key.revoked is None
        self.noted = -1
        """When its use was last noted, as whoever keeps it counts."""
        self._ends = key.expires
        self._only, self._secrets = (
            b"",
            tuple(
                (bytes.fromhex(each.salt), bytes.fromhex(each.digest), each.until)
                for each in key.secrets
            ),
        )
        if len(self._secrets) == 1 and self._secrets[0][2] is None:  # as of nearly all
            salt, digest, _ = self._secrets[0]
            self._only, self._secrets = digest + salt, ()  # one object: fewer of them are read

    def opens(self, secret: str, now: float) -> bool:
        """Whether this is its secret, and it is valid; `now` is Unix seconds. One hash for each of
        its secrets, two at most; the time that it takes tells nothing of them."""
        if not self.is_open or (self._ends is not None and self._ends <= now):
            return False
        given, only = secret.encode(), self._only
        if only:
            digest = hashlib.sha256(only[_DIGEST_BYTES:] + given).digest()
            return hmac.compare_digest(digest, only[:_DIGEST_BYTES])
        return any(
            hmac.compare_digest(hashlib.sha256(salt + given).digest(), digest)
            and (until is None or until > now)
            for salt, digest, until in self._secrets
        )


class Keys(Protocol):
    """Whoever keeps them."""

    def find(self, id: str) -> HeldKey | Awaitable[HeldKey | None] | None:
        """The key of this id; None: there is none. Usually at once; awaits when the store must be
        asked, and then may raise KeysUnavailable.
        """

    def look_again(self, id: str) -> Awaitable[HeldKey | None]:
        """The same from the store, whatever is known: it may have been rotated just now."""

    def note_use(self, key: HeldKey) -> None:
        """It has opened the door just now."""
