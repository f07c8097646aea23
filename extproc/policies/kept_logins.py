"""People who have logged in, and whose tokens are kept here: known by a cookie; who is not there is
sent to log in, if that is a browser that opens a page."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from extproc.facts import Facts
from extproc.login_sessions import LoggedIn, LoginSessions, LoginsUnavailable
from extproc.policies.tokens import Tokens
from extproc.principal import Kind
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from gateway import names
from gateway.identity import Login
from gateway.model import Gateway

_SCRIPTS = frozenset({"cors", "no-cors", "same-origin", "websocket"})
"""Modes of requests that no person waits for (Fetch Metadata)."""


class KeptLogins:
    """Of the routes on which people log in so."""

    def __init__(self, routes: Mapping[str, Login], sessions: LoginSessions | None) -> None:
        """`routes`: by name; `sessions` None: nobody can say who is there."""
        self._routes = routes
        self._sessions = sessions
        self._tokens = {each.name: Tokens((each.issuer,), Kind.LOGIN) for each in routes.values()}

    def is_for(self, route: str) -> bool:
        """Whether people log in so there."""
        return route in self._routes

    def enter(self, facts: Facts) -> Verdict | Awaitable[Verdict]:
        """Who it is that brings nothing else."""
        of, sessions = self._routes[facts.route], self._sessions
        if sessions is None:
            return _unavailable(of)
        cookie = facts.headers.get(names.LOGIN_SESSION_HEADER, "")
        if not cookie:
            return _away(of, sessions, facts)
        found = sessions.find(of.name, cookie)
        if found is None or isinstance(found, LoggedIn):
            return self._found(of, sessions, facts, found)
        return self._found_later(of, sessions, facts, found)

    async def _found_later(
        self,
        of: Login,
        sessions: LoginSessions,
        facts: Facts,
        found: Awaitable[LoggedIn | None],
    ) -> Verdict:
        try:
            return self._found(of, sessions, facts, await found)
        except LoginsUnavailable:
            return _unavailable(of)

    def _found(
        self, of: Login, sessions: LoginSessions, facts: Facts, found: LoggedIn | None
    ) -> Verdict:
        principal = None if found is None else self._tokens[of.name].principal(found.claims)
        if found is None or principal is None:  # or the issuer is another now
            return _away(of, sessions, facts)
        facts.principal = principal
        if found.shown:
            facts.shown_headers = (("authorization", f"Bearer {found.shown}"),)
        return PASS


def kept_logins_of(gateway: Gateway, sessions: LoginSessions | None) -> KeptLogins | None:
    """Those of a gateway; None: nobody logs in so."""
    known = {each.name: each for each in gateway.identity.kept_logins}
    routes = {each.name: known[each.login] for each in gateway.routes if each.login in known}
    return KeptLogins(routes, sessions) if routes else None


def _away(of: Login, sessions: LoginSessions, facts: Facts) -> Deny:
    by = By(PolicyKind.IDENTITY, of.name)
    if not _is_page(facts):
        challenge = (("www-authenticate", "Bearer"),)
        return Deny(401, names.LOGIN_REQUIRED, "nobody is logged in", headers=challenge, by=by)
    headers = facts.headers
    origin = f"{headers.get(':scheme', 'https')}://{headers.get(':authority', '')}"
    where, cookie = sessions.begin(of.name, origin, facts.path)
    sent = (("location", where), ("set-cookie", cookie), ("cache-control", "no-store"))
    return Deny(302, names.LOGIN_REQUIRED, "nobody is logged in", headers=sent, by=by)


def _is_page(facts: Facts) -> bool:
    """Whether a person waits for it, at a browser."""
    headers = facts.headers
    return (
        facts.method in ("GET", "HEAD")
        and "text/html" in headers.get("accept", "").lower()
        and headers.get("sec-fetch-mode", "") not in _SCRIPTS
        and headers.get("x-requested-with", "").lower() != "xmlhttprequest"
    )


def _unavailable(of: Login) -> Deny:
    why = "who is logged in cannot be said at the moment"
    return Deny(503, "logins_unavailable", why, by=By(PolicyKind.IDENTITY, of.name))
