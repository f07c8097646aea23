"""People who have logged in (OpenID Connect): Envoy has checked the token of their login, which
came in a cookie that it has encrypted itself, and tells its claims."""

from __future__ import annotations

from collections.abc import Mapping, Set

from extproc.facts import Facts
from extproc.policies.tokens import Tokens
from extproc.principal import Kind
from extproc.verdict import PASS, Deny, Verdict
from gateway import names
from gateway.identity import Accepts, Login
from gateway.model import Gateway

_UNREADABLE = Deny(
    401,
    "login_required",
    "the claims of the login cannot be read",
    headers=(("www-authenticate", "Bearer"),),
)


class Logins:
    """Of the routes on which people log in."""

    def __init__(self, routes: Mapping[str, Login], alone: Set[str]) -> None:
        """`routes`: by name; `alone`: those that take nothing else."""
        tokens = {each.name: Tokens((each.issuer,), Kind.LOGIN) for each in routes.values()}
        self._tokens = {route: tokens[login.name] for route, login in routes.items()}
        self._alone = alone

    def is_alone(self, route: str) -> bool:
        """Whether nothing but a login is taken there."""
        return route in self._alone

    def enter(self, facts: Facts, claims: str) -> Verdict:
        """Who it is that has logged in; `claims` as they stand in the token."""
        facts.credential_headers = (names.LOGIN_CLAIMS_HEADER,)  # ours to read
        tokens = self._tokens.get(facts.route)
        facts.principal = None if tokens is None else tokens.principal(claims)
        return _UNREADABLE if facts.principal is None else PASS


def logins_of(gateway: Gateway) -> Logins | None:
    """Those of a gateway; None: nobody logs in."""
    known = {each.name: each for each in gateway.identity.logins}
    routes = {each.name: known[each.login] for each in gateway.routes if each.login}
    alone = frozenset(each.name for each in gateway.routes if each.accepts is Accepts.LOGIN)
    return Logins(routes, alone) if routes else None
