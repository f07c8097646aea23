"""Signatures of cards: JSON Web Signatures of their canonical payload (A2A 1.0 §8.4, RFC 7515).

Only keys that the operator trusts verify; where a card says that keys are (`jku`) is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from extproc.a2a import canonical
from extproc.a2a.canonical import SIGNATURES, Document, Form
from extproc.a2a.jcs import NotCanonical
from extproc.a2a.jwk import ALGORITHMS, KeySet, SigningKey, coded, decoded
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

MOST_SIGNATURES: Final = 8
"""Of a card that are tried; each costs some 100 µs for each form."""

_MOST_HEADER_BYTES: Final = 4096
_MOST_KEYS: Final = 8
"""That are tried for a signature: of the same id, or where it names none."""


class Verified(Struct, frozen=True):
    """A card that was signed with a key that is trusted."""

    kid: str
    algorithm: str
    form: Form
    body: bytes
    """What was signed, in JSON: whatever else the document says, nobody vouches for."""


class Unverified(Struct, frozen=True):
    """A card that no key that is trusted vouches for."""

    reason: str


class _Signature(Struct, frozen=True):
    kid: str
    algorithm: str
    protected: bytes
    signature: bytes


def verify(card: Document, keys: KeySet) -> Verified | Unverified:
    """One signature that is right is enough; else the reasons of all are told."""
    said = card.get(SIGNATURES)
    if not isinstance(said, list) or not said:
        return Unverified("the card is not signed")
    payloads = canonical.payloads(card)
    if not payloads:
        return Unverified("the card has no canonical form")
    reasons: list[str] = []
    for position, each in enumerate(said[:MOST_SIGNATURES]):
        read = _read(each)
        found = read if isinstance(read, str) else _verified(read, keys, payloads)
        if isinstance(found, Verified):
            return found
        reasons.append(f"signature {position + 1} {found}")
    if len(said) > MOST_SIGNATURES:
        reasons.append(f"there are more than {MOST_SIGNATURES} signatures")
    return Unverified("; ".join(reasons))


def sign(card: Document, key: SigningKey, jku: str = "") -> list[dict[str, str]]:
    """The signatures of a card, to be its `signatures`: one for each form that some clients check,
    where these differ.

    `NotCanonical`: there is no way to sign it.
    """
    forms = [Form.SPECIFIED, Form.WITHOUT_EMPTY] if "supportedInterfaces" in card else []
    if "url" in card:
        forms.append(Form.LEGACY)
    payloads = dict.fromkeys(canonical.payload(card, form) for form in forms)
    if not payloads:
        raise NotCanonical("a card of no revision")
    header = {"alg": key.algorithm, "typ": "JOSE", "kid": key.kid}
    if jku:
        header["jku"] = jku
    protected = coded(msgspec.json.encode(header))
    return [
        {"protected": protected, "signature": coded(key.sign(_input(protected.encode(), each)))}
        for each in payloads
    ]


def _input(protected: bytes, payload: bytes) -> bytes:
    """RFC 7515 §5.1, step 5."""
    return b"%s.%s" % (protected, coded(payload).encode())


def _verified(
    signature: _Signature, keys: KeySet, payloads: Mapping[bytes, Form]
) -> Verified | str:
    trusted = [each for each in keys.named(signature.kid) if signature.algorithm in each.algorithms]
    if not trusted:
        return f"is of a key that is not trusted: {signature.kid!r} with {signature.algorithm}"
    if len(trusted) > _MOST_KEYS:
        return f"is of one of {len(trusted)} keys, and does not say which"
    for payload, form in payloads.items():
        signed = _input(signature.protected, payload)
        for key in trusted:
            if key.verifies(signature.algorithm, signature.signature, signed):
                return Verified(key.kid, signature.algorithm, form, payload)
    return f"of the key {signature.kid!r} is wrong"


def _read(said: object) -> _Signature | str:
    """A signature; or what is wrong with it."""
    if not isinstance(said, Mapping):
        return "is no object"
    protected, signature = said.get("protected"), said.get("signature")
    if not isinstance(protected, str) or not isinstance(signature, str):
        return "has no 'protected' or no 'signature'"
    if len(protected) > _MOST_HEADER_BYTES:
        return "has a header that is too long"
    try:
        header, raw = json_spans.decode(decoded(protected)), decoded(signature)
    except InvalidJson as error:
        return f"has a header that is no JSON: {error}"
    except ValueError:
        return "is no base64url"
    open_header = said.get("header") or {}
    if not isinstance(open_header, Mapping) or not open_header.keys().isdisjoint(header):
        return "says the same in both its headers"  # RFC 7515 §4
    if "crit" in header or "crit" in open_header:
        return "has a header 'crit', none of which is known"
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if algorithm not in ALGORITHMS or not isinstance(algorithm, str):
        return f"has the algorithm {str(algorithm)[:32]!r}, which is not accepted"
    if not isinstance(kid, str):
        return "has a 'kid' that is no text"
    return _Signature(kid, algorithm, protected.encode(), raw)
