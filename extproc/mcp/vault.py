"""Seals what others keep for us: tokens in a store, tickets in links. AES-256-GCM, with keys that
HKDF-SHA256 makes of the operator's secrets, others for each purpose.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_LONGEST_TEXT: Final = 8 << 10


class Vault:
    """Seals with the first of its keys, and opens with any."""

    __slots__ = ("_ciphers", "_random")

    def __init__(
        self,
        secrets: Sequence[str],
        purpose: bytes,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`ValueError` without secrets."""
        if not secrets:
            raise ValueError("there must be a secret")
        self._ciphers = tuple(AESGCM(_key(each, purpose)) for each in secrets)
        self._random = random

    def seal(self, said: bytes, bound_to: str) -> bytes:
        """It opens with the same `bound_to` alone."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, said, bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> bytes | None:
        """None: it is none of ours, or bound to something else."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        if len(nonce) < _NONCE_BYTES:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, rest, bound_to.encode())
            except (InvalidTag, ValueError):
                continue
        return None

    def seal_text(self, said: bytes, bound_to: str) -> str:
        """The same, safe in URLs."""
        return base64.urlsafe_b64encode(self.seal(said, bound_to)).rstrip(b"=").decode()

    def open_text(self, text: str, bound_to: str) -> bytes | None:
        """None also for what is spelled otherwise than we do."""
        if len(text) > _LONGEST_TEXT or not text.isascii():
            return None
        try:
            whole = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if base64.urlsafe_b64encode(whole).rstrip(b"=") != text.encode():
            return None
        return self.open(whole, bound_to)


def _key(secret: str, purpose: bytes) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose)
    return kdf.derive(secret.encode())
