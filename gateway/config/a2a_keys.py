"""Signatures of agents' cards: the keys that are trusted, and the gateway's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr, WithJsonSchema, model_validator

from gateway.a2a import CardKeys, CardSigning
from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.issuers import JwksBlock, mistaken_keys
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Text
from gateway.config.urls import is_exposed, place

_RSA_BITS: Final = range(2048, 8193)
_CURVES: Final = ("secp256r1", "secp384r1")
_JWK_CURVES: Final = {"EC": ("P-256", "P-384"), "OKP": ("Ed25519",)}
_NONE: Final = "is no private key in pem, not encrypted, and no json web key"


PrivateKey: TypeAlias = Annotated[SecretStr, WithJsonSchema({"type": "string", "format": "secret"})]
"""Of several lines, maybe."""


class CardSignaturesBlock(Block):
    """Who signs the cards of an agent (A2A 1.0 §8.4). Of a card that is signed, only what is signed
    counts."""

    jwks: JwksBlock
    """The keys that are trusted. Where a card itself says that keys are (`jku`) is never asked."""
    required: Flag = True
    """Whether a card that none of them has signed is no card. `false`: it is taken, and nobody
    vouches for it."""

    @property
    def meaning(self) -> CardKeys:
        """What is meant."""
        jwks = self.jwks
        path = "" if jwks.url is None else urlsplit(jwks.url).path or "/"
        authority = "" if jwks.url is None else place(jwks.url).authority
        return CardKeys(jwks.text, path, authority, jwks.refresh, self.required)


class CardSigningBlock(Block):
    """The gateway's own key: with it, the cards that clients see are signed, since signatures of
    agents do not hold for the gateway's addresses. Its public part is at
    `/a2a/.well-known/jwks.json`, as the cards say (`jku`)."""

    key: PrivateKey | None = None
    """A private key (P-256, P-384, Ed25519 or RSA) in PEM or as a JSON Web Key, best as
    `${VARIABLE}`."""
    key_file: TextFile | None = None
    """A file that holds it."""
    kid: Text | None = None
    """The id of the key. Default: that of the JSON Web Key, else its thumbprint (RFC 7638)."""

    @model_validator(mode="after")
    def _has_one_key(self) -> CardSigningBlock:
        if (self.key is None) == (self.key_file is None):
            raise refusal("needs exactly one of key and key_file", is_shown=False)
        return self

    @property
    def meaning(self) -> CardSigning:
        """What is meant."""
        return CardSigning(self.text, self.kid or "")

    @property
    def text(self) -> str:
        """The key."""
        if self.key_file is not None:
            return self.key_file.text
        return "" if self.key is None else self.key.get_secret_value()


def trusted_keys(path: Path, block: CardSignaturesBlock) -> Iterator[Finding]:
    """What is wrong with the keys of an agent."""
    at = (*path, "jwks")
    if block.jwks.url is not None:
        if is_exposed(block.jwks.url):
            message = "the keys could be changed on their way"
            yield Finding((*at, "url"), message, "https")
        return
    mistake = mistaken_keys(block.jwks.text)
    if mistake is not None:
        form = "inline" if block.jwks.file is None else "file"
        yield Finding((*at, form), f"the key set {mistake}")


def signing_key(path: Path, block: CardSigningBlock) -> Iterator[Finding]:
    """What is wrong with the gateway's own. Says nothing of the key."""
    text = block.text
    mistake = _mistaken_jwk(text) if text.lstrip().startswith("{") else _mistaken_pem(text)
    if mistake:
        yield Finding((*path, "key" if block.key_file is None else "key_file"), mistake)


def _mistaken_jwk(text: str) -> str:
    try:
        members = json.loads(text)
    except ValueError:
        return _NONE
    kind = members.get("kty")
    if "d" not in members:
        return "is no private key: it has no 'd'"
    if kind == "RSA":
        return ""
    if members.get("crv") not in _JWK_CURVES.get(kind, ()):
        return "is a key that cards are not signed with: take P-256, P-384, Ed25519 or RSA"
    return ""


def _mistaken_pem(text: str) -> str:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _NONE
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return ""
        case rsa.RSAPrivateKey():
            is_taken = key.key_size in _RSA_BITS
            return "" if is_taken else f"is an rsa key of {key.key_size} bits"
        case ed25519.Ed25519PrivateKey():
            return ""
    return "is a key that cards are not signed with: take P-256, P-384, Ed25519 or RSA"
