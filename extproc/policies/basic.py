"""Users who send a name and a password (HTTP Basic, RFC 7617): they become a principal."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import TypeAlias

from extproc.ports import PasswordChecks, PasswordsBusy
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.identity import PasswordHolder, Passwords
from gateway.passwords import Scheme, cost_of, scheme_of

_SCHEME = "basic "
_LONGEST = 4096
"""Characters of a credential."""
_NOBODYS = {
    Scheme.APR1: "$apr1$nobodys.$......................",
    Scheme.SHA: "{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
"""Hashes of passwords that nobody has."""
_BUSY = Deny(
    429,
    "too_many_passwords",
    "more passwords are being checked than may be at a time",
    headers=(("retry-after", "1"),),
)
_UNAVAILABLE = Deny(503, "passwords_unavailable", "passwords cannot be checked at the moment")

Found: TypeAlias = Principal | Deny


class Basic:
    """The users of a program."""

    def __init__(self, passwords: Passwords, checks: PasswordChecks | None) -> None:
        self._known = {each.user: (_principal(each), each.hash) for each in passwords.holders}
        self._nobodys = _hash_of_nobody(passwords.holders)
        self._checks = checks
        self.challenge = f'Basic realm="{passwords.realm}", charset="UTF-8"'
        self.is_forwarded = passwords.is_forwarded
        self._wrong = Deny(
            401,
            "invalid_credential",
            "the user or the password is not right",
            headers=(("www-authenticate", self.challenge),),
        )

    def who(self, credential: str) -> Found | Awaitable[Found]:
        """Whose name and password these are. It takes as long whether there is such a user or not.

        `credential`: the value of the header `authorization`, of this scheme.
        """
        pair = _pair(credential[len(_SCHEME) :].strip())
        if pair is None:
            return self._wrong
        if self._checks is None:
            return _UNAVAILABLE
        user, password = pair
        principal, hashed = self._known.get(user, (None, self._nobodys))
        try:
            found = self._checks.is_right(user, password, hashed)
        except PasswordsBusy:
            return _BUSY
        if isinstance(found, bool):
            return self._judged(found, principal)
        return self._judged_later(found, principal)

    async def _judged_later(self, found: Awaitable[bool], principal: Principal | None) -> Found:
        try:
            return self._judged(await found, principal)
        except PasswordsBusy:
            return _BUSY

    def _judged(self, is_right: bool, principal: Principal | None) -> Found:
        return principal if is_right and principal is not None else self._wrong


def is_basic(credential: str) -> bool:
    """Whether a value of the header `authorization` is of this scheme."""
    return credential[: len(_SCHEME)].lower() == _SCHEME


def _pair(encoded: str) -> tuple[str, bytes] | None:
    """User and password; None: it is nothing of the kind (RFC 7617 §2)."""
    if len(encoded) > _LONGEST:
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
        name = user.decode()
    except ValueError:
        return None
    if not colon or any(byte < 32 or byte == 127 for byte in user + password):
        return None
    return name, password


def _principal(of: PasswordHolder) -> Principal:
    return Principal(
        Kind.BASIC, of.user, user=of.user, team=of.team, groups=of.groups, tags=of.tags
    )


def _hash_of_nobody(holders: Sequence[PasswordHolder]) -> str:
    """One that takes as long to check as most of them."""
    kinds = Counter(
        (scheme, cost_of(each.hash) if scheme is Scheme.BCRYPT else 0)
        for each in holders
        if (scheme := scheme_of(each.hash)) is not None
    )
    ((scheme, cost), _) = (kinds.most_common(1) or [((Scheme.SHA, 0), 0)])[0]
    return f"$2b${cost:02}${'.' * 53}" if scheme is Scheme.BCRYPT else _NOBODYS[scheme]
