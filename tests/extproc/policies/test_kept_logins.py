"""Who is at a browser is known by a cookie, or sent to log in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from extproc.facts import Facts
from extproc.logging_in.issued import payload_of
from extproc.login_sessions import LoggedIn, LoginsUnavailable
from extproc.policies.kept_logins import KeptLogins, kept_logins_of
from extproc.principal import Kind
from extproc.verdict import PASS, Deny, Verdict
from gateway import names
from tests.gateway.config.loading import meant
from tests.kit.login_peers import STAFF
from tests.kit.login_provider import ISSUER

NOW = datetime(2026, 3, 4, tzinfo=UTC)
PAGE = {"accept": "text/html", ":scheme": "https", ":authority": "app.example.com"}
ANN = LoggedIn(payload_of({"iss": ISSUER, "sub": "ann"}), "")


class Sessions:
    """`kept`: by cookie, at once; `later`: when awaited."""

    def __init__(self) -> None:
        self.kept: dict[str, LoggedIn] = {"ann": ANN}
        self.later: dict[str, LoggedIn | None] = {}
        self.begun: list[tuple[str, str, str]] = []

    def find(self, login: str, cookie: str) -> LoggedIn | Awaitable[LoggedIn | None] | None:
        assert login == "staff"
        if cookie in ("later", "away"):
            return self._later(cookie)
        return self.kept.get(cookie)

    async def _later(self, cookie: str) -> LoggedIn | None:
        if cookie == "away":
            raise LoginsUnavailable("it is away")
        return self.later.get(cookie)

    def begin(self, login: str, origin: str, path: str) -> tuple[str, str]:
        self.begun.append((login, origin, path))
        return "https://idp.example.com/a", "way=1"


def facts(cookie: str = "", method: str = "GET", **headers: str) -> Facts:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie:
        told[names.LOGIN_SESSION_HEADER] = cookie
    return Facts(now=NOW, method=method, path="/page?q=1", route="app", headers={**PAGE, **told})


def verdict(of: Facts, sessions: Sessions | None) -> Verdict:
    found = KeptLogins({"app": STAFF}, sessions).enter(of)
    if not isinstance(found, Awaitable):
        return found

    async def awaited() -> Verdict:
        return await found

    return asyncio.run(awaited())


def test_who_is_logged_in_is_known() -> None:
    sessions, of = Sessions(), facts("ann")
    assert verdict(of, sessions) is PASS
    assert of.principal is not None
    assert (of.principal.kind, of.principal.name) == (Kind.LOGIN, "ann")
    assert of.shown_headers == ()
    sessions.later["later"] = LoggedIn(ANN.claims, "token")
    of = facts("later")
    assert verdict(of, sessions) is PASS
    assert of.shown_headers == (("authorization", "Bearer token"),)


@pytest.mark.parametrize("cookie", ["", "nobody", "later", "other"])
def test_a_browser_without_a_login_is_sent_to_log_in(cookie: str) -> None:
    sessions = Sessions()
    sessions.kept["other"] = LoggedIn(payload_of({"iss": "another", "sub": "ann"}), "")
    of = facts(cookie)
    found = verdict(of, sessions)
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (302, "login_required")
    assert found.headers == (
        ("location", "https://idp.example.com/a"),
        ("set-cookie", "way=1"),
        ("cache-control", "no-store"),
    )
    assert sessions.begun == [("staff", "https://app.example.com", "/page?q=1")]
    assert of.principal is None


@pytest.mark.parametrize(
    "of",
    [
        facts(accept="application/json"),
        facts(accept=""),
        facts(sec_fetch_mode="cors"),
        facts(sec_fetch_mode="websocket"),
        facts(x_requested_with="XMLHttpRequest"),
        facts(method="POST"),
    ],
)
def test_what_no_person_waits_for_is_told(of: Facts) -> None:
    sessions = Sessions()
    found = verdict(of, sessions)
    assert isinstance(found, Deny)
    assert (found.status, found.code, sessions.begun) == (401, "login_required", [])
    assert found.headers == (("www-authenticate", "Bearer"),)


def test_what_cannot_be_looked_up_lets_nobody_in() -> None:
    for sessions, cookie in ((Sessions(), "away"), (None, "ann")):
        found = verdict(facts(cookie), sessions)
        assert isinstance(found, Deny)
        assert (found.status, found.code) == (503, "logins_unavailable")


def test_routes_have_them_whose_login_is_kept() -> None:
    login = (
        "issuer: i, client: {id: a, secret: b}, jwks: {url: 'https://i/k'},"
        " endpoints: {authorization: 'https://i/a', token: 'https://i/t'}"
    )
    text = (
        f"identity: {{logins: {{a: {{{login}, sessions: server}}, b: {{{login}}}}}}}\n"
        "routes: [{name: one, match: {path: {prefix: /a}}, backend: 'http://x', login: a},"
        " {name: two, match: {path: {prefix: /b}}, backend: 'http://x', login: b}]"
    )
    found = kept_logins_of(meant(text), None)
    assert found is not None
    assert (found.is_for("one"), found.is_for("two")) == (True, False)
    assert kept_logins_of(meant(text.replace(", sessions: server", "")), None) is None
