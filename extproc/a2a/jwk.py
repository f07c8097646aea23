"""Keys that sign and verify: JSON Web Keys (RFC 7517, 7518, 8037), and what is signed with them.

Only asymmetric algorithms: no public key can be mistaken for a secret, and `none` is none of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from extproc.a2a import jcs
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

RSA_BITS: Final = range(2048, 8193)
MOST_KEYS: Final = 100
"""Of a set; the others are not read."""

Public: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Private: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_ES: Final[Mapping[str, tuple[str, hashes.HashAlgorithm]]] = {
    "ES256": ("P-256", hashes.SHA256()),
    "ES384": ("P-384", hashes.SHA384()),
}
_RS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "RS256": hashes.SHA256(),
    "RS384": hashes.SHA384(),
    "RS512": hashes.SHA512(),
}
_PS: Final[Mapping[str, hashes.HashAlgorithm]] = {"PS256": hashes.SHA256()}
_ED: Final = "EdDSA"
ALGORITHMS: Final = (*_ES, *_RS, *_PS, _ED)
_THUMBPRINT: Final = {
    "EC": ("crv", "kty", "x", "y"),
    "RSA": ("e", "kty", "n"),
    "OKP": ("crv", "kty", "x"),
}


class InvalidKey(ValueError):
    """What is no key, or none that is used here."""


class PublicKey(Struct, frozen=True):
    """A key that verifies."""

    kid: str
    algorithms: tuple[str, ...]
    """Those that it may be used with."""
    key: Public

    def verifies(self, algorithm: str, signature: bytes, signed: bytes) -> bool:
        """False, too, of an algorithm that the key is not for."""
        if algorithm not in self.algorithms:
            return False
        try:
            _verify(self.key, algorithm, signature, signed)
        except InvalidSignature:
            return False
        return True


class SigningKey(Struct, frozen=True):
    """A key that signs."""

    kid: str
    algorithm: str
    key: Private

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, algorithm={self.algorithm!r})"

    def sign(self, signed: bytes) -> bytes:
        """Equal bytes give equal signatures, except with `PS256`."""
        return _sign(self.key, self.algorithm, signed)

    def public(self) -> dict[str, str]:
        """The key that verifies, as a JSON Web Key."""
        written = _public_members(self.key.public_key())
        return {**written, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class KeySet(Struct, frozen=True):
    """A JSON Web Key Set, of which what cannot be used is left out."""

    keys: tuple[PublicKey, ...]
    unused: tuple[str, ...] = ()
    """Why keys are left out: `key 2: …`."""

    def named(self, kid: str) -> tuple[PublicKey, ...]:
        """Keys with this id; of none (``""``), all."""
        return tuple(each for each in self.keys if kid in ("", each.kid))


def key_set(text: bytes) -> KeySet:
    """`InvalidKey`: it is no key set, or has no key that can be used."""
    try:
        said = json_spans.decode(text).get("keys")
    except InvalidJson as error:
        raise InvalidKey(f"no key set: {error}") from None
    if not isinstance(said, list):
        raise InvalidKey("no key set: it has no array 'keys'")
    keys: list[PublicKey] = []
    unused: list[str] = []
    for position, each in enumerate(said[:MOST_KEYS]):
        try:
            keys.append(_public_key(each))
        except InvalidKey as error:
            unused.append(f"key {position + 1}: {error}")
    if not keys:
        raise InvalidKey("; ".join(unused) or "the key set is empty")
    return KeySet(tuple(keys), tuple(unused))


def signing_key(text: str, kid: str = "", algorithm: str = "") -> SigningKey:
    """A private key in PEM, not encrypted, or as a JSON Web Key.

    Its id is the given one, the JWK's, or its thumbprint (RFC 7638). `InvalidKey` says why not,
    without a word of the key.
    """
    members: Mapping[str, object] = {}
    if text.lstrip().startswith("{"):
        members = _jwk(text)
        key = _private_key(members)
    else:
        key = _from_pem(text)
    public = key.public_key()
    suitable = _suitable(public)
    chosen = algorithm or _optional(members, "alg") or suitable[0]
    if chosen not in suitable:
        raise InvalidKey(f"the key cannot be used with {chosen!r}, but with {', '.join(suitable)}")
    name = kid or _optional(members, "kid") or thumbprint(_public_members(public))
    return SigningKey(name, chosen, key)


def public_set(keys: Iterable[SigningKey]) -> bytes:
    """The JSON Web Key Set that others verify with."""
    return msgspec.json.encode({"keys": [each.public() for each in keys]})


def thumbprint(members: Mapping[str, object]) -> str:
    """RFC 7638, with SHA-256, of a key that is one."""
    names = _THUMBPRINT[str(members["kty"])]
    return coded(sha256(jcs.encode({name: members[name] for name in names})).digest())


def coded(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The reverse. `ValueError`: it is none, or is not as `coded` writes it."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("no base64url") from None
    if coded(data) != text:
        raise ValueError("no base64url")
    return data


def _public_key(said: object) -> PublicKey:
    if not isinstance(said, Mapping):
        raise InvalidKey("it is no object")
    if any(name in said for name in ("d", "k", "p")):
        raise InvalidKey("it is no public key")
    if said.get("use", "sig") != "sig":
        raise InvalidKey("its use is not 'sig'")
    uses = said.get("key_ops", ["verify"])
    if not isinstance(uses, list) or "verify" not in uses:
        raise InvalidKey("its key_ops have no 'verify'")
    key = _public(said)
    algorithms = _suitable(key)
    only = _optional(said, "alg")
    if only:
        if only not in algorithms:
            raise InvalidKey(f"{only!r} is no algorithm for it that is used here")
        algorithms = (only,)
    return PublicKey(_optional(said, "kid") or thumbprint(said), algorithms, key)


def _public(said: Mapping[str, object]) -> Public:
    kind, curve = said.get("kty"), said.get("crv")
    try:
        if kind == "EC":
            return _elliptic_numbers(said).public_key()
        if kind == "RSA":
            numbers = rsa.RSAPublicNumbers(_integer(said, "e"), _integer(said, "n"))
            if numbers.n.bit_length() not in RSA_BITS:
                raise InvalidKey(f"it has {numbers.n.bit_length()} bits")
            return numbers.public_key()
        if kind == "OKP" and curve == "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(said, "x"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _as_invalid(error) from None
    raise InvalidKey(f"keys of the type {kind!r} (curve {curve!r}) are not used here")


def _elliptic_numbers(said: Mapping[str, object]) -> ec.EllipticCurvePublicNumbers:
    curve = _CURVES.get(str(said.get("crv")))
    if curve is None:
        raise InvalidKey(f"the curve {said.get('crv')!r} is not used here")
    x, y = _bytes(said, "x"), _bytes(said, "y")
    if not len(x) == len(y) == curve.key_size // 8:
        raise InvalidKey("its coordinates have not the length of its curve's")
    return ec.EllipticCurvePublicNumbers(_as_integer(x), _as_integer(y), curve)


def _private_key(said: Mapping[str, object]) -> Private:
    kind, curve = said.get("kty"), said.get("crv")
    try:
        if kind == "EC":
            numbers = _elliptic_numbers(said)
            return ec.EllipticCurvePrivateNumbers(_integer(said, "d"), numbers).private_key()
        if kind == "RSA":
            return _checked(_rsa_private(said))
        if kind == "OKP" and curve == "Ed25519":
            private = ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(said, "d"))
            if private.public_key().public_bytes_raw() != _bytes(said, "x"):
                raise InvalidKey("its public and its private part are not of one key")
            return private
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _as_invalid(error) from None
    raise InvalidKey(f"keys of the type {kind!r} (curve {curve!r}) are not used here")


def _rsa_private(said: Mapping[str, object]) -> rsa.RSAPrivateKey:
    public = rsa.RSAPublicNumbers(_integer(said, "e"), _integer(said, "n"))
    p, q, d, dp, dq, qi = (_integer(said, name) for name in ("p", "q", "d", "dp", "dq", "qi"))
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()


def _from_pem(text: str) -> Private:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey("it is no private key in PEM that is not encrypted") from None
    if not isinstance(key, Private):
        raise InvalidKey(f"keys of the type {type(key).__name__} are not used here")
    return _checked(key)


def _checked(key: Private) -> Private:
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size not in RSA_BITS:
        raise InvalidKey(f"it has {key.key_size} bits")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        _curve_name(key.curve)
    return key


def _jwk(text: str) -> Mapping[str, object]:
    try:
        return json_spans.decode(text.encode())
    except InvalidJson:
        raise InvalidKey("it is no JSON Web Key") from None


def _suitable(key: Public) -> tuple[str, ...]:
    """Algorithms of a key, the one that is chosen where none is said first."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = _curve_name(key.curve)
        return tuple(name for name, (of, _) in _ES.items() if of == curve)
    return (*_RS, *_PS) if isinstance(key, rsa.RSAPublicKey) else (_ED,)


def _public_members(key: Public) -> dict[str, str]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        length, numbers = key.key_size // 8, key.public_numbers()
        x, y = (coded(each.to_bytes(length, "big")) for each in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": _curve_name(key.curve), "x": x, "y": y}
    if isinstance(key, rsa.RSAPublicKey):
        of = key.public_numbers()
        n, e = (coded(each.to_bytes(-(-each.bit_length() // 8), "big")) for each in (of.n, of.e))
        return {"kty": "RSA", "n": n, "e": e}
    return {"kty": "OKP", "crv": "Ed25519", "x": coded(key.public_bytes_raw())}


def _curve_name(curve: ec.EllipticCurve) -> str:
    for name, each in _CURVES.items():
        if each.name == curve.name:
            return name
    raise InvalidKey(f"the curve {curve.name!r} is not used here")


def _verify(key: Public, algorithm: str, signature: bytes, signed: bytes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        length = key.key_size // 8
        if len(signature) != 2 * length:  # RFC 7518 §3.4
            raise InvalidSignature
        r, s = _as_integer(signature[:length]), _as_integer(signature[length:])
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(_ES[algorithm][1]))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        key.verify(signature, signed, *_padding(algorithm))


def _sign(key: Private, algorithm: str, signed: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        method = ec.ECDSA(_ES[algorithm][1], deterministic_signing=True)
        length = key.key_size // 8
        numbers = decode_dss_signature(key.sign(signed, method))
        return b"".join(each.to_bytes(length, "big") for each in numbers)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    return key.sign(signed, *_padding(algorithm))


def _padding(
    algorithm: str,
) -> tuple[padding.PKCS1v15 | padding.PSS, hashes.HashAlgorithm]:
    if algorithm in _RS:
        return padding.PKCS1v15(), _RS[algorithm]
    digest = _PS[algorithm]
    return padding.PSS(padding.MGF1(digest), digest.digest_size), digest


def _optional(said: Mapping[str, object], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise InvalidKey(f"its {name!r} is no text")
    return value


def _bytes(said: Mapping[str, object], name: str) -> bytes:
    value = said.get(name)
    if not isinstance(value, str):
        raise InvalidKey(f"it has no {name!r}")
    try:
        return decoded(value)
    except ValueError:
        raise InvalidKey(f"its {name!r} is no base64url") from None


def _integer(said: Mapping[str, object], name: str) -> int:
    return _as_integer(_bytes(said, name))


def _as_integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _as_invalid(error: ValueError | UnsupportedAlgorithm) -> InvalidKey:
    return error if isinstance(error, InvalidKey) else InvalidKey("its numbers are no key")
