"""An identity provider: it signs tokens (JWT), and serves the keys that they are checked with."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.kit.http_server import Handler, HttpServer

_Key: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
_AUDIENCE = "agents"


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """One key of an issuer."""

    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._key: _Key = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
        }[algorithm]()

    @property
    def public(self) -> dict[str, str]:
        """As a JSON Web Key (RFC 7517)."""
        known = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        match self._key:
            case ec.EllipticCurvePrivateKey():
                point = self._key.public_key().public_numbers()
                x, y = (encoded(each.to_bytes(32, "big")) for each in (point.x, point.y))
                return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **known}
            case rsa.RSAPrivateKey():
                numbers = self._key.public_key().public_numbers()
                return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **known}
            case _:
                raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
                return {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw), **known}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token with these claims."""
        head = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        said = ".".join(encoded(json.dumps(each).encode()) for each in (head, claims))
        return f"{said}.{encoded(self._signature(said.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        match self._key:
            case ec.EllipticCurvePrivateKey():
                pair = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
                return b"".join(each.to_bytes(32, "big") for each in pair)
            case rsa.RSAPrivateKey():
                return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case _:
                return self._key.sign(data)


def key_set(*keys: SigningKey) -> str:
    """The public halves, as JSON."""
    return json.dumps({"keys": [each.public for each in keys]})


def claims(issuer: str, **more: Any) -> dict[str, Any]:
    """Of `ann`, valid for ten minutes; what is None is left out."""
    now = int(time.time())
    said = {"iss": issuer, "aud": _AUDIENCE, "sub": "ann", "iat": now, "exp": now + 600, **more}
    return {name: value for name, value in said.items() if value is not None}


class KeyServer(HttpServer):
    """`with KeyServer(key) as server: server.url, server.fetches`; its keys may change."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = keys
        self.fetches = 0
        self.status = 200
        outer = self

        class Answering(Handler):
            def do_GET(self) -> None:
                outer.fetches += 1
                body = key_set(*outer.keys).encode()
                self.send_response(outer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"{super().url}/jwks"
