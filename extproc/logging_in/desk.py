"""Where browsers come back from an issuer, where people sign out, where issuers say who has gone.

OpenID Connect Core 1.0 §3.1.2.5, RFC 6749 §4.1.2, RFC 9207; Back-Channel Logout 1.0 §2.5 and §2.8.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from enum import Enum
from typing import Final, TypeAlias
from urllib.parse import parse_qs

from extproc.events import CONTINUE, Action, Respond
from extproc.logging_in.issued import NotIssued
from extproc.logging_in.sessions import KeptSessions, LoginFailed, end_session, forgotten
from extproc.login_sessions import LoginsUnavailable
from extproc.mcp.oauth_client import error_code
from extproc.verdict import By, Deny, PolicyKind
from gateway import names
from gateway.identity import Login

logger = logging.getLogger(__name__)

Answer: TypeAlias = Action | Deny

_NO_STORE: Final = ("cache-control", "no-store")
_ONCE: Final = "begin again at the page that you want"
_FORM: Final = "application/x-www-form-urlencoded"


class _What(Enum):
    CALLBACK = "callback"
    SIGN_OUT = "sign-out"
    LOGOUT = "back-channel logout"


class LoginDesk:
    """Of all logins that are kept here."""

    def __init__(self, sessions: KeptSessions) -> None:
        self.sessions = sessions
        self._places: dict[str, tuple[Login, _What]] = {}
        for each in sessions.logins.values():
            self._places[each.redirect_path] = (each, _What.CALLBACK)
            self._places[each.sign_out_path] = (each, _What.SIGN_OUT)
            self._places[each.back_channel_path] = (each, _What.LOGOUT)

    def on_headers(
        self, method: str, path: str, headers: Mapping[str, str], *, is_end: bool
    ) -> Answer | Awaitable[Answer]:
        """Pages are asked for by GET; issuers post."""
        where, _, query = path.partition("?")
        found = self._places.get(where)
        if found is None:
            return Deny(404, "unknown_url", "nobody logs in here")
        of, what = found
        if what is _What.LOGOUT:
            if method != "POST":
                return _wrong_method(of, "POST")
            return _not_logged_out("there is no logout_token") if is_end else CONTINUE
        if method != "GET":
            return _wrong_method(of, "GET")
        if what is _What.CALLBACK:
            return self._back(of, query, headers)
        return self._signed_out(of, headers)

    def on_body(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer | Awaitable[Answer]:
        """An issuer says who has gone."""
        of, what = self._places.get(path.partition("?")[0], (None, None))
        if of is None or what is not _What.LOGOUT:
            return CONTINUE
        form = parse_qs(body.decode("latin-1"))
        said = form.get("logout_token", [])
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _FORM or len(said) != 1:
            return _not_logged_out("there is no logout_token")
        return self._ended(of, said[0])

    async def _back(self, of: Login, query: str, headers: Mapping[str, str]) -> Answer:
        said = {name: each[0] for name, each in parse_qs(query).items() if len(each) == 1}
        way = self.sessions.way_of(of, said.get("state", ""), cookies_of(headers))
        if way is None:
            return _failed(of, f"this browser is not on the way, or was too slow: {_ONCE}")
        if said.get("iss", of.issuer.issuer) != of.issuer.issuer:
            return _failed(of, f"the answer is another issuer's: {_ONCE}")
        code = said.get("code", "")
        if not code:
            why = error_code(said.get("error", ""))
            return _failed(of, f"the issuer says: {why or 'no code'}")
        try:
            cookie = await self.sessions.logged_in(of, way, code)
        except LoginFailed as error:
            logger.warning("the login %s: %s", of.name, error)
            return _failed(of, f"the login did not succeed: {_ONCE}")
        except LoginsUnavailable as error:
            return _unavailable(of, error)
        return _sent(f"{way.origin}{way.path}", cookie)

    async def _signed_out(self, of: Login, headers: Mapping[str, str]) -> Answer:
        cookie = cookies_of(headers).get(of.cookies.session, "")
        try:
            identity = await self.sessions.signed_out(of, cookie)
        except LoginsUnavailable as error:
            return _unavailable(of, error)
        return _sent(end_session(of, origin_of(headers), identity), forgotten(of))

    async def _ended(self, of: Login, token: str) -> Answer:
        try:
            gone = await self.sessions.ended(of, token)
        except NotIssued as error:
            logger.warning("the login %s: a logout token is not taken: %s", of.name, error)
            return _not_logged_out(str(error))
        except LoginsUnavailable as error:
            return _unavailable(of, error)
        who = "a session" if gone.session else "all sessions of somebody"
        logger.info("the issuer of the login %s has ended %s", of.name, who)
        return Respond(200, (_NO_STORE,), b"", "dragoman_logged_out")


def origin_of(headers: Mapping[str, str]) -> str:
    """What a browser calls the gateway."""
    return f"{headers.get(':scheme', 'https')}://{headers.get(':authority', '')}"


def cookies_of(headers: Mapping[str, str]) -> Mapping[str, str]:
    """By name; of two of one name, the first."""
    found: dict[str, str] = {}
    for each in headers.get("cookie", "").replace(",", ";").split(";"):
        name, mark, value = each.strip().partition("=")
        if mark:
            found.setdefault(name, value)
    return found


def _sent(where: str, cookie: str) -> Respond:
    headers = (("location", where), ("set-cookie", cookie), _NO_STORE)
    return Respond(302, headers, b"", "dragoman_login")


def _by(of: Login) -> By:
    return By(PolicyKind.IDENTITY, of.name)


def _failed(of: Login, why: str) -> Deny:
    return Deny(401, names.LOGIN_FAILED, why, headers=(_NO_STORE,), by=_by(of))


def _unavailable(of: Login, error: Exception) -> Deny:
    logger.warning("the login %s: %s", of.name, error)
    return Deny(503, "logins_unavailable", "who is logged in cannot be kept now", by=_by(of))


def _wrong_method(of: Login, method: str) -> Deny:
    allow = (("allow", method),)
    why = f"only {method} is known here"
    return Deny(405, "method_not_allowed", why, headers=allow, by=_by(of))


def _not_logged_out(why: str) -> Deny:
    """Back-Channel Logout §2.8."""
    reason = f"the logout token is not taken: {why}"
    return Deny(400, "invalid_request", reason, headers=(_NO_STORE,))
