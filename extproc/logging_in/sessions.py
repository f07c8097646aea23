"""Logins that are kept here: found in a store by a browser's cookie, renewed through Envoy by one
worker at a time, ended by their people or their issuers, and remembered for a moment.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from extproc.logging_in.issued import Gone, NotIssued, allowed, identified, logged_out, payload_of
from extproc.logging_in.issuer_keys import IssuerKeys
from extproc.logging_in.kept import (
    WAY_SECONDS,
    LoginSession,
    Way,
    name_of,
    open_number,
    open_session,
    open_way,
    seal_number,
    seal_session,
    seal_way,
)
from extproc.login_sessions import LoggedIn, LoginsUnavailable
from extproc.mcp import oauth_client
from extproc.mcp.oauth_client import Refused, Tokens, Unusable, Whereabouts
from extproc.mcp.vault import Vault
from extproc.ports import (
    Answered,
    Asked,
    Consents,
    ConsentsUnavailable,
    McpPeers,
    ServiceUnavailable,
)
from gateway import names
from gateway.identity import Login, LoginToken
from gateway.mcp import Consent

logger = logging.getLogger(__name__)

_KEPT_SECONDS: Final = 2.0
"""How long a worker believes that nothing has changed in the store."""
_LEASE_SECONDS: Final = 15
"""Longer than it takes to renew tokens."""
_OTHERS_SECONDS: Final = 8.0
"""How long another worker is waited for."""
_PAUSE_SECONDS: Final = 0.1
_ENDED_SECONDS: Final = 30 * 86400
"""How long it is known that somebody has logged out at the issuer."""
_MOST_KEPT: Final = 10_000
_GONE: Final = frozenset({"invalid_grant"})
"""What a refresh token is answered with that is good no more (RFC 6749 §5.2)."""
_BYTES: Final = 32


class LoginFailed(Exception):
    """Somebody has not logged in. Its text names no secret."""


class _Identified(Struct):
    """What an answer of OpenID Connect has beside that of OAuth."""

    id_token: str = ""


class _Known(Struct):
    session: LoginSession | None
    until: float


class KeptSessions:
    """Of all logins that are kept here. `clock` gives seconds since 1970."""

    def __init__(
        self,
        logins: Iterable[Login],
        vault_of: Callable[[Login], Vault],
        store: Consents,
        way: McpPeers,
        clock: Callable[[], float],
    ) -> None:
        self.logins: Mapping[str, Login] = {each.name: each for each in logins}
        self._vaults = {each.name: vault_of(each) for each in self.logins.values()}
        self._keys = {each.name: IssuerKeys(each, way, clock) for each in self.logins.values()}
        self._store, self._way, self._clock = store, way, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        """By number."""
        self._looking: dict[str, asyncio.Future[LoginSession | None]] = {}

    # who is there

    def find(self, login: str, cookie: str) -> LoggedIn | Awaitable[LoggedIn | None] | None:
        of = self.logins[login]
        number = open_number(self._vaults[login], of, cookie)
        if number is None:
            return None
        known = self._known.get(number)
        if known is not None and self._clock() < known.until:
            return _logged_in(of, known.session)
        return self._found(of, number)

    async def _found(self, of: Login, number: str) -> LoggedIn | None:
        running = self._looking.get(number)
        if running is None:
            running = self._looking[number] = asyncio.ensure_future(self._current(of, number))
            running.add_done_callback(lambda _: self._looking.pop(number, None))
        return _logged_in(of, await asyncio.shield(running))

    async def _current(self, of: Login, number: str) -> LoginSession | None:
        """As it is in the store, and, where it has become old, renewed."""
        try:
            session = await self._opened(of, number)
            if session is None or await self._is_ended(of, number, session):
                return self._remember(number, None)
            if self._clock() < session.renew:
                return self._remember(number, session)
            return self._remember(number, await self._renewed(of, number, session))
        except ConsentsUnavailable as error:
            raise LoginsUnavailable(str(error)) from error

    async def _opened(self, of: Login, number: str) -> LoginSession | None:
        sealed = await self._store.noted(name_of(of, "session", number))
        return None if sealed is None else open_session(self._vaults[of.name], sealed, number)

    async def _is_ended(self, of: Login, number: str, session: LoginSession) -> bool:
        marks = [name_of(of, "signed out", number)]
        if session.issuers_session:
            marks.append(name_of(of, "session ended", session.issuers_session))
        found = await asyncio.gather(
            *map(self._store.noted, marks),
            self._store.noted(name_of(of, "subject ended", session.subject)),
        )
        at = found[-1]  # who has come back since then is there
        return any(found[:-1]) or (at is not None and float(at) >= session.begun)

    def _remember(self, number: str, session: LoginSession | None) -> LoginSession | None:
        until = self._clock() + _KEPT_SECONDS
        if session is not None:
            until = min(until, session.renew)
        self._known[number] = _Known(session, until)
        self._known.move_to_end(number)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return session

    # renewing

    async def _renewed(self, of: Login, number: str, session: LoginSession) -> LoginSession | None:
        """By this worker, or by another that is at it already."""
        if not session.refresh or not of.is_refreshed:
            await self._store.take(name_of(of, "session", number))
            return None
        until = self._clock() + _OTHERS_SECONDS
        lease = name_of(of, "lease", number, str(session.version))
        held = name_of(of, "held", number, str(session.version))
        while not await self._store.begin(held, b"1", int(self._clock()) + _LEASE_SECONDS, lease):
            others = await self._opened(of, number)
            if others is None or others.version != session.version:
                return others
            if self._clock() > until:
                raise LoginsUnavailable("another worker renews it, and does not come to an end")
            await asyncio.sleep(_PAUSE_SECONDS)
        try:
            kept = await self._opened(of, number)
            if kept is None or kept.version != session.version:
                return kept  # somebody else was quicker
            return await self._asked_anew(of, number, session)
        finally:
            await self._store.take(held)
            await self._store.take(lease)

    async def _asked_anew(
        self, of: Login, number: str, session: LoginSession
    ) -> LoginSession | None:
        """What is given is written before it is used: the issuer may take the old refresh token no
        more."""
        before = Tokens(session.access, session.refresh)
        asked = oauth_client.refresh_request(_client(of), _where(of), session.refresh)
        try:
            answer = await self._ask(of, asked)
            tokens = oauth_client.read_tokens(answer, self._clock(), before)
            renewed = await self._session(of, tokens, answer, None, session)
        except Refused as error:
            if error.error not in _GONE:
                raise LoginsUnavailable(f"it is refused: {error}") from None
            await self._store.take(name_of(of, "session", number))
            logger.info("a login of %s has ended", of.name)
            return None
        except NotIssued as error:
            logger.warning("a login of %s ends: its new token is not taken: %s", of.name, error)
            await self._store.take(name_of(of, "session", number))
            return None
        except (Unusable, ServiceUnavailable) as error:
            logger.warning("a login of %s is not renewed: %s", of.name, error)
            raise LoginsUnavailable(str(error)) from None
        await self._write(of, number, renewed)
        return renewed

    async def _session(
        self,
        of: Login,
        tokens: Tokens,
        answer: Answered,
        nonce: str | None,
        before: LoginSession | None = None,
    ) -> LoginSession:
        """What an answer makes of a login. Raises `NotIssued`, `ServiceUnavailable`."""
        now = self._clock()
        said = msgspec.json.decode(answer.body, type=_Identified).id_token
        if not said and before is None:
            raise NotIssued("there is no ID token")
        ends = tokens.expires or now + of.idle_seconds
        claims: Mapping[str, object] | None = None
        if said:
            claims = await self._keys[of.name].checked(
                lambda keys: identified(said, of, keys, self._clock(), nonce)
            )
            ends = min(ends, _number(claims.get("exp"), ends))
        if before is not None and claims is not None and claims["sub"] != before.subject:
            raise NotIssued("it is of somebody else (sub)")  # OpenID Connect Core §12.2
        if of.token is LoginToken.ACCESS:
            counts: Mapping[str, object] | None = await self._keys[of.name].checked(
                lambda keys: allowed(tokens.access, of, keys, self._clock())
            )
        else:
            counts = claims
        if before is None:
            before = LoginSession("", "", "", "", 0.0, _text(claims, "sub"), "", now, 0)
        return LoginSession(
            before.claims if counts is None else payload_of(counts),
            said or before.identity,
            tokens.access,
            tokens.refresh,
            ends,
            before.subject,
            _text(claims, "sid") or before.issuers_session,
            before.begun,
            before.version + 1,
        )

    async def _write(self, of: Login, number: str, session: LoginSession) -> None:
        until = int(self._clock()) + of.idle_seconds
        if not session.refresh or not of.is_refreshed:
            until = int(session.renew) + 1
        sealed = seal_session(self._vaults[of.name], session, number)
        await self._store.note(name_of(of, "session", number), sealed, until)

    # coming and going

    def begin(self, login: str, origin: str, path: str) -> tuple[str, str]:
        of = self.logins[login]
        state, nonce = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES)
        verifier = secrets.token_urlsafe(_BYTES)
        way = Way(state, nonce, verifier, of.url or origin, path, int(self._clock()) + WAY_SECONDS)
        client = _client(of, (("nonce", nonce),))
        where = oauth_client.authorization(
            client, _where(of), f"{way.origin}{of.redirect_path}", state, verifier
        )
        sealed = seal_way(self._vaults[login], of, way)
        return where, _cookie(of, of.cookies.way(state), sealed, WAY_SECONDS)

    def way_of(self, of: Login, state: str, cookies: Mapping[str, str]) -> Way | None:
        """The browser that is back with a state. None: it is another, or it was too slow."""
        sealed = cookies.get(of.cookies.way(state)) if state else None
        way = None if sealed is None else open_way(
            self._vaults[of.name], of, sealed, self._clock()
        )  # fmt: skip
        same = way is not None and secrets.compare_digest(way.state.encode(), state.encode())
        return way if same else None

    async def logged_in(self, of: Login, way: Way, code: str) -> str:
        """The cookie of somebody who is back with a code. Raises `LoginFailed`,
        `LoginsUnavailable`."""
        asked = oauth_client.code_request(
            _client(of), _where(of), code, f"{way.origin}{of.redirect_path}", way.verifier
        )
        try:
            answer = await self._ask(of, asked)
            tokens = oauth_client.read_tokens(answer, self._clock())
            session = await self._session(of, tokens, answer, way.nonce)
        except (Refused, Unusable, ServiceUnavailable) as error:
            raise LoginFailed(f"its token endpoint gives no token: {error}") from None
        except NotIssued as error:
            raise LoginFailed(f"its token is not taken: {error}") from None
        number = secrets.token_urlsafe(_BYTES)
        try:
            await self._write(of, number, session)
        except ConsentsUnavailable as error:
            raise LoginsUnavailable(str(error)) from error
        return _cookie(of, of.cookies.session, seal_number(self._vaults[of.name], of, number), None)

    async def signed_out(self, of: Login, cookie: str) -> str:
        """The ID token of somebody who is there no more; empty: nobody was. Raises
        `LoginsUnavailable`."""
        number = open_number(self._vaults[of.name], of, cookie)
        if number is None:
            return ""
        try:
            session = await self._opened(of, number)
            until = int(self._clock()) + of.idle_seconds
            # a worker that renews it just now writes it once more
            await self._store.note(name_of(of, "signed out", number), b"1", until)
            await self._store.take(name_of(of, "session", number))
        except ConsentsUnavailable as error:
            raise LoginsUnavailable(str(error)) from error
        self._known.pop(number, None)
        return "" if session is None else session.identity

    async def ended(self, of: Login, token: str) -> Gone:
        """The issuer says who has gone. Raises `NotIssued`, `LoginsUnavailable`."""
        try:
            gone = await self._keys[of.name].checked(
                lambda keys: logged_out(token, of, keys, self._clock())
            )
            now = int(self._clock())
            if gone.session:
                name = name_of(of, "session ended", gone.session)
                await self._store.note(name, b"1", now + _ENDED_SECONDS)
            else:
                name = name_of(of, "subject ended", gone.subject)
                await self._store.note(name, str(self._clock()).encode(), now + _ENDED_SECONDS)
        except (ConsentsUnavailable, ServiceUnavailable) as error:
            raise LoginsUnavailable(str(error)) from error
        self._known.clear()
        return gone

    async def _ask(self, of: Login, asked: Asked) -> Answered:
        cluster = names.service_cluster(of.token_service)
        return await self._way.ask(cluster, asked, of.timeout_seconds)


def forgotten(of: Login) -> str:
    """The cookie in the place of that of a login."""
    return _cookie(of, of.cookies.session, "", 0)


def end_session(of: Login, origin: str, identity: str) -> str:
    """Where a browser is sent that has signed out (OpenID Connect RP-Initiated Logout §2)."""
    home = f"{of.url or origin}/"
    where = of.endpoints.end_session
    if not where:
        return home
    asked = {"client_id": of.client_id, "post_logout_redirect_uri": home}
    if identity:
        asked["id_token_hint"] = identity
    return f"{where}{'&' if '?' in where else '?'}{urlencode(asked, quote_via=quote)}"


def _logged_in(of: Login, session: LoginSession | None) -> LoggedIn | None:
    if session is None:
        return None
    shown = {None: "", LoginToken.ID: session.identity, LoginToken.ACCESS: session.access}
    return LoggedIn(session.claims, shown[of.forwarded])


def _cookie(of: Login, name: str, value: str, seconds: int | None) -> str:
    """`seconds` None: as long as the browser runs."""
    cookies = of.cookies
    same_site = "None" if cookies.is_cross_site else "Lax"
    terms = ["Path=/", "Secure", "HttpOnly", f"SameSite={same_site}"]
    if cookies.domain:
        terms.append(f"Domain={cookies.domain}")
    if seconds is not None:
        terms.append(f"Max-Age={seconds}")
    return "; ".join((f"{name}={value}", *terms))


def _client(of: Login, parameters: tuple[tuple[str, str], ...] = ()) -> Consent:
    """The gateway, as the issuer knows it."""
    return Consent(
        of.issuer.issuer,
        "",
        client_id=of.client_id,
        client_secret=of.client_secret,
        client_auth=of.client_auth,
        scopes=of.scopes,
        parameters=parameters,
    )


def _where(of: Login) -> Whereabouts:
    return Whereabouts(of.endpoints.authorization, urlsplit(of.endpoints.token).path or "/")


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _text(claims: Mapping[str, object] | None, name: str) -> str:
    found = None if claims is None else claims.get(name)
    return found if isinstance(found, str) else ""
