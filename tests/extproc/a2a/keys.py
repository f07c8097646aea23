"""Keys of tests: those that RFCs publish, and small ones that are made."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from extproc.a2a import jwk
from extproc.a2a.jwk import KeySet, SigningKey

# RFC 7515, appendix A.3
EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
# RFC 8037, appendix A
ED_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def public(key: dict[str, str], **more: Any) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in PRIVATE} | more


def key_set(*keys: Any) -> KeySet:
    return jwk.key_set(json.dumps({"keys": keys}).encode())


@cache
def pem(kind: str) -> str:
    """A new key: `P-256`, `P-384`, `P-521`, `RSA`, `RSA-1024` or `Ed25519`."""
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    key: Any
    if kind in curves:
        key = ec.generate_private_key(curves[kind])
    elif kind == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(65537, 1024 if kind == "RSA-1024" else 2048)
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert isinstance(written, bytes)
    return written.decode()


KINDS = {
    "ES256": "P-256",
    "ES384": "P-384",
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "EdDSA": "Ed25519",
}


def signer(algorithm: str = "ES256", kid: str = "key-1") -> SigningKey:
    return jwk.signing_key(pem(KINDS[algorithm]), kid, algorithm)
