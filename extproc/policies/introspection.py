"""Tokens that say nothing by themselves (RFC 7662): the server is asked, and what it says becomes a
principal."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import TypeAlias
from weakref import WeakKeyDictionary

from extproc.policies.tokens import is_meant_for, principal_of
from extproc.ports import Introspected, IntrospectionUnavailable, Introspector
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.identity import Introspection

_FORM = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1."""
_LONGEST = 4096
_INVALID = "invalid_token"
_CHALLENGE = (("www-authenticate", 'Bearer error="invalid_token"'),)  # RFC 6750 §3
_UNAVAILABLE = Deny(
    503,
    "introspection_unavailable",
    "the token cannot be checked at the moment",
    headers=(("retry-after", "1"),),
)

Found: TypeAlias = Principal | Deny


class Introspecting:
    """Whom tokens are asked about of a program."""

    def __init__(self, where: Introspection, asked: Introspector | None) -> None:
        self._where = where
        self._asked = asked
        self._known: WeakKeyDictionary[Introspected, Principal] = WeakKeyDictionary()
        self.is_forwarded = where.is_forwarded

    def who(self, token: str, now: datetime) -> Found | Awaitable[Found]:
        """Whose token it is."""
        if len(token) > _LONGEST or not _FORM.fullmatch(token):
            return _refused("the token is none")
        if self._asked is None:
            return _UNAVAILABLE
        try:
            found = self._asked.look_up(token, self._where)
        except IntrospectionUnavailable:
            return _UNAVAILABLE
        if found is None or isinstance(found, Introspected):
            return self._judged(found, now)
        return self._judged_later(found, now)

    async def _judged_later(self, found: Awaitable[Introspected | None], now: datetime) -> Found:
        try:
            return self._judged(await found, now)
        except IntrospectionUnavailable:
            return _UNAVAILABLE

    def _judged(self, found: Introspected | None, now: datetime) -> Found:
        if found is None:
            return _refused("the token is not active")
        fault = _fault(found.claims, self._where, now.timestamp())
        if fault:
            return _refused(fault)
        known = self._known.get(found)
        if known is None:
            known = principal_of(found.claims, self._where.claims, Kind.INTROSPECTION)
            self._known[found] = known
        return known


def _refused(reason: str) -> Deny:
    return Deny(401, _INVALID, reason, headers=_CHALLENGE)


def _fault(claims: Mapping[str, object], where: Introspection, seconds: float) -> str:
    """Why a token that the server calls active is not taken; empty: it is."""
    expires, begins = claims.get("exp"), claims.get("nbf")
    if expires is not None and not (isinstance(expires, int | float) and expires > seconds):
        return "the token has expired"
    if begins is not None and not (isinstance(begins, int | float) and begins <= seconds):
        return "the token is not valid yet"
    if where.issuer and claims.get("iss") != where.issuer:
        return "the token is of another issuer"
    if where.audiences and not is_meant_for(claims, where.audiences):
        return "the token is for another audience"
    return ""
