"""Tokens (JWT, RFC 7519): Envoy has checked them; here their claims become a principal.

Of a token that Envoy did not take, this says why, as far as the token itself shows it. Nothing is
decided by that.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from extproc.principal import Kind, Principal
from gateway.identity import ClaimNames, Issuer

_MOST_KNOWN = 4096
_MOST_GROUPS = 1000
_SPACED = frozenset({"scope", "scp"})
"""Claims that hold several texts in one (RFC 6749 §3.3)."""
_decoder = msgspec.json.Decoder(dict[str, object])


class Tokens:
    """The issuers of a program."""

    def __init__(self, issuers: Sequence[Issuer], kind: Kind = Kind.JWT) -> None:
        """`kind`: how those are known whom tokens speak of."""
        self.issuers: Mapping[str, Issuer] = {each.issuer: each for each in issuers}
        self._kind = kind
        self._known: dict[str, Principal] = {}

    def principal(self, claims: str) -> Principal | None:
        """Who it is that claims which Envoy has checked speak of; None: of nobody that we know.

        `claims` as they stand in the token. The same ones are the same principal.
        """
        found = self._known.get(claims)
        if found is None:
            read = _read(claims)
            issuer = self._issuer(read)
            if read is None or issuer is None:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[claims] = principal_of(read, issuer.claims, self._kind)
        return found

    def issuer_of(self, token: str) -> Issuer | None:
        """Who says that he has issued something that Envoy did not take; None: it is no token of
        anybody known."""
        return self._issuer(_unchecked(token))

    def fault(self, token: str, issuer: Issuer, now: datetime) -> str:
        """Why a token of an issuer was not taken, as far as it shows."""
        claims = _unchecked(token) or {}
        seconds, leeway = now.timestamp(), issuer.leeway_seconds
        expires, begins = claims.get("exp"), claims.get("nbf")
        if not isinstance(expires, int | float):
            return "the token does not say when it expires"
        if expires + leeway < seconds:
            return "the token has expired"
        if isinstance(begins, int | float) and begins - leeway > seconds:
            return "the token is not valid yet"
        if issuer.audiences and not is_meant_for(claims, issuer.audiences):
            return "the token is for another audience"
        return "the token is not signed by a known key of its issuer"

    def _issuer(self, claims: Mapping[str, object] | None) -> Issuer | None:
        issuer = None if claims is None else claims.get("iss")
        return self.issuers.get(issuer) if isinstance(issuer, str) else None


def is_meant_for(claims: Mapping[str, object], audiences: Sequence[str]) -> bool:
    """Whether one of the audiences is in `aud`, a text or a list of them (RFC 7519 §4.1.3)."""
    return not set(audiences).isdisjoint(_texts(claims.get("aud")))


def payload_of(token: str) -> str | None:
    """The claims of a token as they stand in it; None: it has not the form of one."""
    parts = token.split(".")
    return parts[1] if len(parts) == 3 else None


def _unchecked(token: str) -> dict[str, object] | None:
    payload = payload_of(token)
    return None if payload is None else _read(payload)


def _read(payload: str) -> dict[str, object] | None:
    try:
        padded = payload + "=" * (-len(payload) % 4)
        return _decoder.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:  # msgspec's and binascii's, too
        return None


def principal_of(
    claims: Mapping[str, object], names: ClaimNames, kind: Kind = Kind.JWT
) -> Principal:
    """Whom claims speak of."""
    user = _text(_claim(claims, names.user))
    name = _text(claims.get("sub")) or user
    tags = ((tag, _text(_claim(claims, claim))) for tag, claim in names.tags)
    return Principal(
        kind,
        name,
        user=user,
        team=_text(_claim(claims, names.team)) if names.team else "",
        groups=tuple(_groups(claims, names.groups))[:_MOST_GROUPS],
        tags=tuple((tag, value) for tag, value in tags if value),
        claims=claims,
    )


def _claim(claims: Mapping[str, object], name: str) -> object:
    """A claim of that name, which may have dots in it, else what the path leads to."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _groups(claims: Mapping[str, object], name: str) -> Iterator[str]:
    value = _claim(claims, name) if name else None
    if isinstance(value, str) and name in _SPACED:
        yield from value.split()
    else:
        yield from _texts(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        yield from (each for each in value if isinstance(each, str))
