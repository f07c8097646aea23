"""What browsers and issuers are answered where people log in, and out."""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import urlencode

import pytest

from extproc.events import CONTINUE, Respond
from extproc.logging_in.desk import Answer, LoginDesk, cookies_of, origin_of
from extproc.verdict import Deny
from gateway.identity import LoginEndpoints
from tests.kit.in_a_loop import in_a_loop
from tests.kit.login_peers import LoginWorld, changed, cookie_of, login_world

ORIGIN = "https://app.example.com"
HEAD = {":scheme": "https", ":authority": "app.example.com"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


async def said(found: Answer | Awaitable[Answer]) -> Answer:
    return await found if isinstance(found, Awaitable) else found


async def got(desk: LoginDesk, path: str, cookies: str = "", method: str = "GET") -> Answer:
    headers = {**HEAD, "cookie": cookies} if cookies else HEAD
    return await said(desk.on_headers(method, path, headers, is_end=True))


def refused(answer: Answer) -> tuple[int, str]:
    assert isinstance(answer, Deny)
    return answer.status, answer.code


def sent(answer: Answer) -> tuple[str, str]:
    """Where to, and with which cookie."""
    assert isinstance(answer, Respond)
    headers = dict(answer.headers)
    assert (answer.status, headers["cache-control"]) == (302, "no-store")
    return headers["location"], headers["set-cookie"]


async def logged_in(world: LoginWorld, desk: LoginDesk) -> str:
    """The cookies of a browser."""
    location, kept = desk.sessions.begin("staff", ORIGIN, "/page?q=1")
    cookies = "=".join(cookie_of(kept))
    there, cookie = sent(await got(desk, world.authorized(location), cookies))
    assert there == f"{ORIGIN}/page?q=1"
    assert "Max-Age" not in cookie
    return "=".join(cookie_of(cookie))


@in_a_loop
async def test_a_browser_that_comes_back_is_sent_to_its_page() -> None:
    with login_world() as world:
        desk = world.desk()
        cookies = await logged_in(world, desk)
        assert cookies.startswith("__Host-staff-session=")


@in_a_loop
async def test_who_is_not_on_the_way_is_told_to_begin_again() -> None:
    with login_world() as world:
        desk = world.desk()
        location, kept = desk.sessions.begin("staff", ORIGIN, "/page")
        back, cookies = world.authorized(location), "=".join(cookie_of(kept))
        for path, its in ((back, ""), ("/in", cookies), (f"{back}&state=x", cookies)):
            assert refused(await got(desk, path, its)) == (401, "login_failed")
        other = f"{back}&{urlencode({'iss': 'https://other'})}"
        answer = await got(desk, other, cookies)
        assert refused(answer) == (401, "login_failed")
        assert isinstance(answer, Deny)
        assert "another issuer" in answer.reason
        assert world.idp.grants == []


@in_a_loop
async def test_an_error_of_the_issuer_is_told_in_its_word() -> None:
    with login_world() as world:
        world.idp.is_refusing = True
        desk = world.desk()
        location, kept = desk.sessions.begin("staff", ORIGIN, "/page")
        answer = await got(desk, world.authorized(location), "=".join(cookie_of(kept)))
        assert isinstance(answer, Deny)
        assert (answer.status, answer.reason) == (401, "the issuer says: access_denied")


@in_a_loop
async def test_a_login_that_does_not_succeed_is_told() -> None:
    with login_world() as world:
        desk = world.desk()
        location, kept = desk.sessions.begin("staff", ORIGIN, "/page")
        back, cookies = world.authorized(location), "=".join(cookie_of(kept))
        world.idp.is_away = True
        assert refused(await got(desk, back, cookies)) == (401, "login_failed")
        world.idp.is_away, world.store.is_away = False, True
        assert refused(await got(desk, back, cookies)) == (503, "logins_unavailable")


@in_a_loop
async def test_who_signs_out_is_sent_on_and_has_no_cookie() -> None:
    with login_world() as world:
        ends = LoginEndpoints(
            "https://idp.example.com/authorize", "https://nowhere/token", "https://idp/end"
        )
        desk = world.desk(changed(endpoints=ends))
        cookies = await logged_in(world, desk)
        location, cookie = sent(await got(desk, "/out?x=1", cookies))
        assert location.startswith("https://idp/end?client_id=the-gateway&")
        assert "id_token_hint=" in location
        assert cookie.startswith("__Host-staff-session=; ")
        assert "Max-Age=0" in cookie
        world.store.is_away = True
        assert refused(await got(desk, "/out", cookies)) == (503, "logins_unavailable")


@in_a_loop
async def test_an_issuer_is_heard_in_the_form_that_is_specified() -> None:
    with login_world() as world:
        desk = world.desk()
        assert desk.on_headers("POST", "/gone", HEAD, is_end=False) is CONTINUE
        good = urlencode({"logout_token": world.idp.logout_token(sid="s")}).encode()
        answer = await said(desk.on_body("/gone", FORM, good))
        assert isinstance(answer, Respond)
        assert (answer.status, answer.headers) == (200, (("cache-control", "no-store"),))
        wrong = {"content-type": "application/json"}
        twice = good + b"&" + good
        for headers, body in ((FORM, b""), (wrong, good), (FORM, twice), (FORM, b"a=b")):
            assert refused(await said(desk.on_body("/gone", headers, body)))[0] == 400
        forged = urlencode({"logout_token": world.idp.logout_token(sid="s", aud="x")}).encode()
        assert refused(await said(desk.on_body("/gone", FORM, forged))) == (400, "invalid_request")
        world.store.is_away = True
        assert refused(await said(desk.on_body("/gone", FORM, good)))[0] == 503


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/in", 405),
        ("PUT", "/out", 405),
        ("GET", "/gone", 405),
        ("POST", "/gone", 400),
        ("GET", "/elsewhere", 404),
    ],
)
def test_what_is_asked_otherwise_is_refused(method: str, path: str, status: int) -> None:
    with login_world() as world:
        answer = world.desk().on_headers(method, path, HEAD, is_end=True)
        assert isinstance(answer, Deny)
        assert answer.status == status
        if status == 405:
            assert dict(answer.headers)["allow"] == ("POST" if path == "/gone" else "GET")


def test_cookies_are_read_as_browsers_write_them() -> None:
    assert cookies_of({"cookie": "a=1; b=x=y;c, d=4; a=2"}) == {"a": "1", "b": "x=y", "d": "4"}
    assert cookies_of({}) == {}
    assert origin_of(HEAD) == ORIGIN
