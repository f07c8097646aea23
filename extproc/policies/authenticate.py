"""Who is calling: API keys, those of the file known by their digests and those made at run time by
their ids; users by their passwords; tokens, logins and certificates, which Envoy has
checked, and tokens that are asked about."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType

from extproc.facts import Facts
from extproc.keys import HeldKey, Keys, KeysUnavailable
from extproc.policies.basic import Basic, Found, is_basic
from extproc.policies.certificates import Certificates
from extproc.policies.introspection import Introspecting
from extproc.policies.kept_logins import KeptLogins
from extproc.policies.logins import Logins
from extproc.policies.tokens import Tokens, payload_of
from extproc.ports import Introspector, PasswordChecks
from extproc.principal import Kind, Principal, of_key
from extproc.verdict import PASS, Deny, Verdict
from gateway import names
from gateway.identity import Accepts, TokenMode
from gateway.model import Identity
from gateway.virtual_keys import Parts, parse

_LIMIT_CHARACTERS = 4096
_BEARER = "bearer "
_SCHEME_CHARACTERS = len(_BEARER)
_CHALLENGE = (("www-authenticate", "Bearer"),)
_TOKEN_CHALLENGE = (("www-authenticate", 'Bearer error="invalid_token"'),)  # RFC 6750 §3

_MISSING = Deny(401, "missing_api_key", "no API key was given", headers=_CHALLENGE)
_INVALID = Deny(401, "invalid_api_key", "the API key is not valid", headers=_CHALLENGE)
_UNAVAILABLE = Deny(503, "keys_unavailable", "API keys cannot be checked at the moment")
_AMBIGUOUS = Deny(
    401, "invalid_api_key", "the request carries different credentials", headers=_CHALLENGE
)
_UNREADABLE = Deny(
    401, "invalid_token", "the token's claims cannot be read", headers=_TOKEN_CHALLENGE
)
_NOBODY: Mapping[Accepts, Deny] = {
    Accepts.ANY: Deny(401, "missing_credential", "no credential was given", headers=_CHALLENGE),
    Accepts.KEY: _MISSING,
    Accepts.JWT: Deny(401, "missing_credential", "no token was given", headers=_CHALLENGE),
    Accepts.BASIC: Deny(401, "missing_credential", "no password was given"),
    Accepts.INTROSPECTION: Deny(
        401, "missing_credential", "no token was given", headers=_CHALLENGE
    ),
    Accepts.LOGIN: Deny(
        401,
        "login_required",
        "nobody is logged in, or the token of the login is not valid",
        headers=_CHALLENGE,
    ),
}
"""Where keys are not all that counts."""
_WRONG_KIND: Mapping[Accepts, Deny] = {
    Accepts.KEY: Deny(401, "invalid_api_key", "an API key is needed here", headers=_CHALLENGE),
    Accepts.JWT: Deny(401, "invalid_token", "a token is needed here", headers=_CHALLENGE),
    Accepts.BASIC: Deny(401, "invalid_credential", "a password is needed here"),
    Accepts.INTROSPECTION: Deny(
        401, "invalid_token", "a token that can be asked about is needed here", headers=_CHALLENGE
    ),
    Accepts.LOGIN: Deny(
        401, "login_required", "a login is needed here, and nothing else counts", headers=_CHALLENGE
    ),
}
_TAKEN = {
    Accepts.KEY: Kind.API_KEY,
    Accepts.JWT: Kind.JWT,
    Accepts.BASIC: Kind.BASIC,
    Accepts.INTROSPECTION: Kind.INTROSPECTION,
    Accepts.LOGIN: Kind.LOGIN,
}
NO_ROUTES: Mapping[str, Accepts] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who is asked about credentials that the configuration alone does not prove. Whom there is not
    proves nothing."""

    keys: Keys | None = None
    """Who keeps the keys that are made at run time."""
    passwords: PasswordChecks | None = None
    """Who checks passwords."""
    introspector: Introspector | None = None
    """Who asks about tokens."""


NO_WITNESSES = Witnesses()


class Authenticate:
    """Sets `facts.principal` and `credential_headers`.

    A wrong credential is refused even where none is required.
    """

    def __init__(
        self,
        identity: Identity,
        asking: Mapping[str, Accepts] = NO_ROUTES,
        witnesses: Witnesses = NO_WITNESSES,
        logins: Logins | None = None,
        kept: KeptLogins | None = None,
    ) -> None:
        """`asking`: the routes that ask for a credential, also where the identity does not;
        `logins`: of the routes on which people log in; `kept`: of those whose tokens are kept."""
        self._keys: dict[bytes, Principal] = {
            bytes.fromhex(key.digest): of_key(key) for key in identity.api_keys
        }
        self._has_stored = identity.has_stored_keys
        self._stored = witnesses.keys
        self._tokens = Tokens(identity.issuers) if identity.issuers else None
        self._certificates = Certificates(identity.certificates) if identity.certificates else None
        self._basic = Basic(identity.passwords, witnesses.passwords) if identity.passwords else None
        where = identity.introspection
        self._introspecting = Introspecting(where, witnesses.introspector) if where else None
        has_keys = bool(identity.api_keys or identity.has_stored_keys)
        self._has_bearers = has_keys or bool(identity.issuers or where)
        self._logins = logins
        self._kept = kept
        self._is_required = identity.is_required
        self._asking = asking
        others = self._has_bearers or identity.certificates or identity.passwords
        self._is_open = not (identity.is_required or others or asking)

    def on_headers(self, facts: Facts) -> Verdict | Awaitable[Verdict]:
        """At once, unless a key must be looked up."""
        if self._is_open:  # nobody has a key, so none is wrong: SDKs always send something
            return PASS
        if self._logins is not None and (claims := facts.headers.get(names.LOGIN_CLAIMS_HEADER)):
            return self._logins.enter(facts, claims)  # Envoy lets no credential pass beside it
        credentials = _credentials(facts)
        if credentials and self._logins is not None and self._logins.is_alone(facts.route):
            return _WRONG_KIND[Accepts.LOGIN]
        if self._basic is not None and is_basic(facts.headers.get("authorization", "")):
            return self._by_password(self._basic, facts, is_alone=not credentials)
        if self._tokens is not None and (claims := facts.headers.get(names.CLAIMS_HEADER)):
            verdict = _by_token(facts, self._tokens, claims, credentials)
            return verdict if facts.principal is None else self.on_known(facts)
        if not credentials:
            if self._kept is not None and self._kept.is_for(facts.route):
                return self._kept.enter(facts)
            return self._nobody(facts)
        if len(credentials) > 1:
            return _AMBIGUOUS
        ((credential, facts.credential_headers),) = credentials.items()
        facts.principal = self._of_file(credential) if self._keys else None
        if facts.principal is not None:
            return self.on_known(facts) if facts.route else PASS
        parts = parse(credential) if self._has_stored else None
        if parts is None:
            return self._unknown(facts, credential)
        return _UNAVAILABLE if self._stored is None else self._by_stored(self._stored, parts, facts)

    def _by_stored(self, stored: Keys, parts: Parts, facts: Facts) -> Verdict | Awaitable[Verdict]:
        found = stored.find(parts.id)
        if found is None:
            return _INVALID
        if isinstance(found, HeldKey):  # asking for Awaitable takes longer
            verdict = self._judged(found, stored, parts.secret, facts)
            if verdict is not _INVALID or not found.is_open:
                return verdict
            found = stored.look_again(parts.id)
        return self._judged_later(found, stored, parts.secret, facts)

    async def _judged_later(
        self, looking: Awaitable[HeldKey | None], stored: Keys, secret: str, facts: Facts
    ) -> Verdict:
        try:
            return self._judged(await looking, stored, secret, facts)
        except KeysUnavailable:
            return _UNAVAILABLE

    def _judged(self, found: HeldKey | None, stored: Keys, secret: str, facts: Facts) -> Verdict:
        if found is None or not found.opens(secret, facts.now.timestamp()):
            return _INVALID
        stored.note_use(found)
        facts.principal = found.principal
        return self.on_known(facts) if facts.route else PASS

    def _by_password(
        self, basic: Basic, facts: Facts, *, is_alone: bool
    ) -> Verdict | Awaitable[Verdict]:
        if not is_alone or facts.headers.get(names.CLAIMS_HEADER):
            return _AMBIGUOUS
        headers = () if basic.is_forwarded else ("authorization",)
        found = basic.who(facts.headers["authorization"])
        return self._found_soon(found, facts, headers)

    def _by_introspection(
        self, introspecting: Introspecting, facts: Facts, credential: str
    ) -> Verdict | Awaitable[Verdict]:
        """Nobody here knows it. Where a route takes something else alone, nobody is asked."""
        accepts = self._asking.get(facts.route, Accepts.ANY)
        if accepts not in (Accepts.ANY, Accepts.INTROSPECTION):
            return self._challenged(_WRONG_KIND[accepts], accepts)
        headers = () if introspecting.is_forwarded else facts.credential_headers
        facts.credential_headers = ()
        return self._found_soon(introspecting.who(credential, facts.now), facts, headers)

    def _found_soon(
        self, found: Found | Awaitable[Found], facts: Facts, headers: tuple[str, ...]
    ) -> Verdict | Awaitable[Verdict]:
        if isinstance(found, Principal | Deny):
            return self._found(found, facts, headers)
        return self._found_later(found, facts, headers)

    async def _found_later(
        self, found: Awaitable[Found], facts: Facts, headers: tuple[str, ...]
    ) -> Verdict:
        return self._found(await found, facts, headers)

    def _found(self, found: Found, facts: Facts, headers: tuple[str, ...]) -> Verdict:
        """`headers`: which of them no upstream sees."""
        if isinstance(found, Deny):
            return found
        facts.credential_headers = headers
        facts.principal = found
        return self.on_known(facts)

    def know(self, facts: Facts) -> None:
        """Set `facts.principal` where Envoy has checked a token or a login; nothing is decided."""
        if self._logins is not None and (claims := facts.headers.get(names.LOGIN_CLAIMS_HEADER)):
            self._logins.enter(facts, claims)
        elif self._tokens is not None and (claims := facts.headers.get(names.CLAIMS_HEADER)):
            facts.principal = self._tokens.principal(claims)

    def on_known(self, facts: Facts) -> Verdict:
        """A caller who is known; a route may take one kind of credential alone."""
        if facts.route and facts.principal is not None:
            accepts = self._asking.get(facts.route, Accepts.ANY)
            if accepts is not Accepts.ANY and facts.principal.kind is not _TAKEN[accepts]:
                return self._challenged(_WRONG_KIND[accepts], accepts)
        return PASS

    def _nobody(self, facts: Facts) -> Verdict:
        """There is neither key nor token that counts."""
        accepts = self._asking.get(facts.route, Accepts.ANY)
        if self._certificates is not None and facts.source_identity and accepts is Accepts.ANY:
            facts.principal = self._certificates.principal(facts.source_identity)
            if facts.principal is not None:
                return PASS
        if not self._is_required and facts.route not in self._asking:
            return PASS
        others = (
            self._tokens,
            self._certificates,
            self._basic,
            self._introspecting,
            self._logins,
        )
        if all(each is None for each in others):
            return _MISSING
        return self._challenged(_NOBODY[accepts], accepts)

    def _challenged(self, deny: Deny, accepts: Accepts) -> Deny:
        """With all ways in that there are (RFC 9110 §11.6.1)."""
        if self._basic is None or accepts not in (Accepts.ANY, Accepts.BASIC):
            return deny
        is_other = accepts is Accepts.ANY and self._has_bearers
        challenge = f"{'Bearer, ' if is_other else ''}{self._basic.challenge}"
        return replace(deny, headers=(("www-authenticate", challenge),))

    def _unknown(self, facts: Facts, credential: str) -> Verdict | Awaitable[Verdict]:
        """It is no key, and no token that Envoy took."""
        issuer = None if self._tokens is None else self._tokens.issuer_of(credential)
        if issuer is None and self._introspecting is not None:
            return self._by_introspection(self._introspecting, facts, credential)
        if self._tokens is None:
            return _INVALID
        if issuer is None:
            if payload_of(credential) is None:
                return _INVALID
            reason = "the token is of no issuer that is known here"
        elif issuer.mode is TokenMode.PERMISSIVE:
            return self._nobody(facts)
        else:
            reason = self._tokens.fault(credential, issuer, facts.now)
        return Deny(401, "invalid_token", reason, headers=_TOKEN_CHALLENGE)

    def _of_file(self, credential: str) -> Principal | None:
        if len(credential) > _LIMIT_CHARACTERS:
            return None
        return self._keys.get(sha256(credential.encode("utf-8", "backslashreplace")).digest())


def _by_token(
    facts: Facts, tokens: Tokens, claims: str, credentials: Mapping[str, tuple[str, ...]]
) -> Verdict:
    """Envoy has taken a token, and has it out of the headers unless it is forwarded."""
    facts.credential_headers = (names.CLAIMS_HEADER,)  # ours to read
    facts.principal = tokens.principal(claims)
    if facts.principal is None:
        return _UNREADABLE
    if not credentials:
        return PASS
    if len(credentials) == 1 and payload_of(next(iter(credentials))) == claims:
        return PASS
    facts.principal = None
    return _AMBIGUOUS


def _credentials(facts: Facts) -> dict[str, tuple[str, ...]]:
    """All that differ, and the headers that carry them.

    Schemes other than Bearer are for somebody else, and prove nothing here.
    """
    found: dict[str, tuple[str, ...]] = {}
    headers = facts.headers
    for name in names.CREDENTIAL_HEADERS:
        if name not in headers:
            continue
        value = headers[name]
        if name == "authorization":
            if value[:_SCHEME_CHARACTERS].lower() != _BEARER:
                continue
            value = value[_SCHEME_CHARACTERS:]
        value = value.strip()
        found[value] = (*found[value], name) if value in found else (name,)
    return found
