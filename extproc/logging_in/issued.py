"""What issuers sign: ID tokens, and logout tokens. Their signatures and claims are checked here.

OpenID Connect Core 1.0 §3.1.3.7 and §12.2; Back-Channel Logout 1.0 §2.4 and §2.6; RFC 7515.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from extproc.a2a.jwk import KeySet
from extproc.policies.tokens import is_meant_for
from gateway.identity import Login

_LONGEST: Final = 64 << 10
_MOST_KEYS: Final = 8
"""That are tried for a token that does not name one."""
_ENDED: Final = "http://schemas.openid.net/event/backchannel-logout"
_LONGEST_LOGOUT_SECONDS: Final = 300.0
"""So old, a logout token that does not say when it expires may be."""


class NotIssued(Exception):
    """A token that is not taken. Its text shows nothing of it."""


class Gone(Struct, frozen=True):
    """Who has logged out at the issuer: one session, or all of somebody."""

    session: str
    subject: str


class _Header(Struct):
    alg: str = ""
    kid: str = ""
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def identified(
    token: str, of: Login, keys: KeySet, now: float, nonce: str | None
) -> Mapping[str, object]:
    """The claims of an ID token. `nonce`: that it has to have; None: of a renewal, which need not
    have one. Raises `NotIssued`."""
    claims = _signed(token, keys)
    _check(claims, of, now)
    audience = claims.get("aud")
    if not is_meant_for(claims, (of.client_id,)):
        raise NotIssued("it is for another client (aud)")
    is_for_others = isinstance(audience, list) and len(audience) > 1
    if (is_for_others or "azp" in claims) and claims.get("azp") != of.client_id:
        raise NotIssued("it was given to another client (azp)")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise NotIssued("it names nobody (sub)")
    if not _is_before(now - of.issuer.leeway_seconds, claims.get("exp")):
        raise NotIssued("it has expired")
    if nonce is not None and claims.get("nonce") != nonce:
        raise NotIssued("it was made for another login (nonce)")
    return claims


def allowed(token: str, of: Login, keys: KeySet, now: float) -> Mapping[str, object]:
    """The claims of an access token, where that says who the caller is. Raises `NotIssued`."""
    claims = _signed(token, keys)
    _check(claims, of, now)
    if not _is_before(now - of.issuer.leeway_seconds, claims.get("exp")):
        raise NotIssued("it has expired")
    if of.issuer.audiences and not is_meant_for(claims, of.issuer.audiences):
        raise NotIssued("it is for another audience")
    return claims


def logged_out(token: str, of: Login, keys: KeySet, now: float) -> Gone:
    """Of whom a logout token speaks. Raises `NotIssued`."""
    claims = _signed(token, keys)
    _check(claims, of, now)
    if not is_meant_for(claims, (of.client_id,)):
        raise NotIssued("it is for another client (aud)")
    leeway, issued = of.issuer.leeway_seconds, claims.get("iat")
    ends = claims.get("exp", _sum(issued, _LONGEST_LOGOUT_SECONDS))
    if not _is_before(now - leeway, ends) or _is_before(now + leeway, issued):
        raise NotIssued("it is too old, or of times to come")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(_ENDED), Mapping):
        raise NotIssued("it tells of no logout (events)")
    if "nonce" in claims:
        raise NotIssued("it has a nonce, so it is no logout token")
    session, subject = claims.get("sid", ""), claims.get("sub", "")
    if not isinstance(session, str) or not isinstance(subject, str) or not (session or subject):
        raise NotIssued("it names neither a session (sid) nor anybody (sub)")
    return Gone(session, subject)


def payload_of(claims: Mapping[str, object]) -> str:
    """Claims as a token has them."""
    return base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()


def _check(claims: Mapping[str, object], of: Login, now: float) -> None:
    if claims.get("iss") != of.issuer.issuer:
        raise NotIssued("it is of another issuer (iss)")
    if not isinstance(claims.get("iat"), int | float):
        raise NotIssued("it does not say when it was issued (iat)")
    begins = claims.get("nbf")
    if begins is not None and not _is_before(begins, now + of.issuer.leeway_seconds):
        raise NotIssued("it is not valid yet (nbf)")


def _signed(token: str, keys: KeySet) -> Mapping[str, object]:
    """What one of the keys has signed."""
    parts = token.split(".") if len(token) <= _LONGEST and token.isascii() else []
    if len(parts) != 3:
        raise NotIssued("it is no signed token")
    try:
        header = msgspec.json.decode(_decoded(parts[0]), type=_Header)
        claims = msgspec.json.decode(_decoded(parts[1]), type=dict[str, object])
        signature = _decoded(parts[2])
    except (msgspec.DecodeError, ValueError):
        raise NotIssued("it cannot be read") from None
    if header.crit is not msgspec.UNSET:
        raise NotIssued("it wants something that is not known here (crit)")
    signed = f"{parts[0]}.{parts[1]}".encode()
    for key in keys.named(header.kid)[:_MOST_KEYS]:
        if key.verifies(header.alg, signature, signed):
            return claims
    raise NotIssued("it is not signed by a known key of its issuer")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        raise ValueError("no base64url") from None


def _is_before(one: object, other: object) -> bool:
    return isinstance(one, int | float) and isinstance(other, int | float) and one < other


def _sum(one: object, other: float) -> float | None:
    return one + other if isinstance(one, int | float) else None
