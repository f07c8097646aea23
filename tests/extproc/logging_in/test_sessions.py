"""Logins are found, renewed once, and ended; wherever a worker is."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable
from urllib.parse import parse_qs, urlsplit

import pytest

from extproc.logging_in.issued import NotIssued
from extproc.logging_in.sessions import KeptSessions, LoginFailed, end_session
from extproc.login_sessions import LoggedIn, LoginsUnavailable
from gateway.identity import Issuer, Login, LoginCookies, LoginEndpoints, LoginToken
from tests.kit.in_a_loop import in_a_loop
from tests.kit.login_peers import STAFF, LoginWorld, changed, cookie_of, login_world
from tests.kit.login_provider import ISSUER

ORIGIN = "https://app.example.com"


async def logged_in(world: LoginWorld, of: Login = STAFF) -> tuple[KeptSessions, str]:
    """A worker, and the cookie of somebody who has logged in there."""
    sessions = world.sessions(of)
    location, kept = sessions.begin("staff", ORIGIN, "/page")
    back = parse_qs(urlsplit(world.authorized(location)).query)
    way = sessions.way_of(of, back["state"][0], dict([cookie_of(kept)]))
    assert way is not None
    assert (way.path, way.origin) == ("/page", ORIGIN)
    return sessions, cookie_of(await sessions.logged_in(of, way, back["code"][0]))[1]


async def found(sessions: KeptSessions, cookie: str) -> LoggedIn | None:
    who = sessions.find("staff", cookie)
    return await who if isinstance(who, Awaitable) else who


def claims(who: LoggedIn | None) -> dict[str, object]:
    assert who is not None
    said: dict[str, object] = json.loads(base64.urlsafe_b64decode(f"{who.claims}=="))
    return said


@in_a_loop
async def test_who_has_logged_in_is_known_to_every_worker() -> None:
    with login_world() as world:
        world.idp.more = {"email": "ann@example.com"}
        sessions, cookie = await logged_in(world)
        assert claims(await found(sessions, cookie))["email"] == "ann@example.com"
        other = world.sessions()
        assert claims(await found(other, cookie))["sub"] == "ann"
        assert isinstance(other.find("staff", cookie), LoggedIn), "for a moment, nobody is asked"
        assert "ann" not in str(world.store.flows), "nothing stands there that can be read"
        assert await found(other, cookie[:-2] + "AA") is None
        assert await found(other, "") is None


@in_a_loop
async def test_a_browser_is_sent_with_what_the_issuer_needs() -> None:
    with login_world() as world:
        of = changed(url="https://front.example.com", cookies=LoginCookies("x-", "example.com"))
        location, kept = world.sessions(of).begin("staff", ORIGIN, "/page")
        asked = {name: each[0] for name, each in parse_qs(urlsplit(location).query).items()}
        assert asked["redirect_uri"] == "https://front.example.com/in"
        assert asked["scope"] == "openid email"
        assert {"state", "nonce", "code_challenge"} <= asked.keys()
        assert kept.startswith("x-way-")
        terms = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Domain=example.com"}
        assert terms <= set(kept.split("; "))
        assert "Max-Age=600" in kept


@in_a_loop
async def test_another_browser_or_a_late_one_is_not_on_the_way() -> None:
    with login_world() as world:
        sessions = world.sessions()
        location, kept = sessions.begin("staff", ORIGIN, "/page")
        state = parse_qs(urlsplit(location).query)["state"][0]
        mine = dict([cookie_of(kept)])
        assert sessions.way_of(STAFF, state, mine) is not None
        assert sessions.way_of(STAFF, state, {}) is None
        assert sessions.way_of(STAFF, f"{state[:-1]}~", mine) is None
        assert sessions.way_of(STAFF, "", mine) is None
        world.store.now += 601
        assert sessions.way_of(STAFF, state, mine) is None


@in_a_loop
async def test_what_is_old_is_renewed_once_by_all_workers() -> None:
    with login_world() as world:
        world.idp.more = {"team": "blue", "sid": "s"}
        _, cookie = await logged_in(world)
        world.store.now += 601
        world.idp.lifetime_seconds, world.idp.more = 3600, {"team": "red"}
        workers = [world.sessions() for _ in range(4)]
        who = await asyncio.gather(*(found(each, cookie) for each in workers for _ in range(3)))
        assert {str(claims(each)["team"]) for each in who} == {"red"}
        assert world.idp.grants == ["authorization_code", "refresh_token"]


@in_a_loop
async def test_a_renewal_without_an_id_token_keeps_who_it_is() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        world.idp.gives_id_tokens_again, world.idp.lifetime_seconds = False, 3600
        world.store.now += 601
        assert claims(await found(sessions, cookie))["sub"] == "ann"


@in_a_loop
async def test_a_renewal_for_somebody_else_ends_it() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        world.idp.more, world.idp.lifetime_seconds = {"sub": "bob"}, 3600
        world.store.now += 601
        assert await found(sessions, cookie) is None


@in_a_loop
async def test_what_cannot_be_renewed_is_over() -> None:
    with login_world() as world:
        world.idp.gives_refresh_tokens = False
        sessions, cookie = await logged_in(world)
        world.store.now += 601
        assert await found(sessions, cookie) is None
        assert await found(world.sessions(), cookie) is None
    with login_world() as world:
        of = changed(is_refreshed=False)
        sessions, cookie = await logged_in(world, of)
        world.store.now += 601
        assert await found(sessions, cookie) is None
        assert world.idp.grants == ["authorization_code"]
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        world.idp._refresh.clear()
        world.store.now += 601
        assert await found(sessions, cookie) is None, "the issuer takes the refresh token no more"


@in_a_loop
async def test_an_issuer_that_is_away_ends_nothing() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        world.store.now += 601
        world.idp.is_away = True
        with pytest.raises(LoginsUnavailable):
            await found(sessions, cookie)
        world.idp.is_away, world.is_away = False, True
        with pytest.raises(LoginsUnavailable):
            await found(sessions, cookie)
        world.is_away, world.idp.lifetime_seconds = False, 3600
        assert await found(sessions, cookie) is not None


@in_a_loop
async def test_who_does_not_come_for_long_logs_in_again() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world, changed(idle_seconds=1000))
        world.store.now += 1001
        assert await found(sessions, cookie) is None
        assert world.idp.grants == ["authorization_code"]


@in_a_loop
async def test_a_store_that_is_away_is_told() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        world.store.is_away = True
        with pytest.raises(LoginsUnavailable):
            await found(sessions, cookie)
        with pytest.raises(LoginsUnavailable):
            await sessions.signed_out(STAFF, cookie)
        with pytest.raises(LoginsUnavailable):
            await sessions.ended(STAFF, world.idp.logout_token(sid="s"))
        with pytest.raises(LoginsUnavailable):
            await logged_in(world)


@in_a_loop
async def test_who_signs_out_is_forgotten_though_it_is_renewed_just_now() -> None:
    with login_world() as world:
        sessions, cookie = await logged_in(world)
        kept = dict(world.store.flows)
        token = await sessions.signed_out(STAFF, cookie)
        assert token.count(".") == 2
        world.store.flows = {**kept, **world.store.flows}
        assert await found(world.sessions(), cookie) is None
        assert await sessions.signed_out(STAFF, "nobody's") == ""


@in_a_loop
async def test_the_issuer_ends_one_session_or_all_of_somebody() -> None:
    with login_world() as world:
        world.idp.more = {"sid": "s-1"}
        one, first = await logged_in(world)
        world.idp.more = {"sid": "s-2"}
        _, second = await logged_in(world)
        other = world.sessions()
        await other.ended(STAFF, world.idp.logout_token(sid="s-1"))
        assert await found(other, first) is None
        assert await found(other, second) is not None
        world.store.now += 3
        assert await found(one, first) is None
        await one.ended(STAFF, world.idp.logout_token(sub="ann"))
        assert await found(one, second) is None
        world.store.now += 1
        _, third = await logged_in(world)
        assert await found(one, third) is not None
        with pytest.raises(NotIssued):
            await one.ended(STAFF, world.idp.logout_token(sid="s-1", aud="other"))


@in_a_loop
async def test_who_is_not_the_one_that_was_asked_for_does_not_get_in() -> None:
    with login_world() as world:
        for more in ({"iss": "https://other"}, {"azp": "x"}):
            world.idp.more = dict(more)
            with pytest.raises(LoginFailed, match="its token is not taken"):
                await logged_in(world)
        world.idp.more = {}
        world.idp.is_away = True
        with pytest.raises(LoginFailed, match="its token endpoint gives no token"):
            await logged_in(world)


@in_a_loop
async def test_the_access_token_may_count_and_be_shown() -> None:
    with login_world() as world:
        issuer = Issuer(ISSUER, ("the api",), "https://nowhere/jwks")
        of = changed(token=LoginToken.ACCESS, issuer=issuer, forwarded=LoginToken.ACCESS)
        who = await found(*await logged_in(world, of))
        assert claims(who)["aud"] == "the api"
        assert who is not None
        assert who.shown.split(".")[1].rstrip("=") != ""
        who = await found(*await logged_in(world, changed(forwarded=LoginToken.ID)))
        assert claims(who)["aud"] == "the-gateway"
        assert who is not None
        assert who.shown.count(".") == 2


def test_who_signs_out_is_sent_to_the_issuer_where_it_says_where() -> None:
    assert end_session(STAFF, ORIGIN, "t") == f"{ORIGIN}/"
    of = changed(endpoints=LoginEndpoints("", "", "https://idp/e?x=1"), url="https://front")
    assert end_session(of, ORIGIN, "t.t.t") == (
        "https://idp/e?x=1&client_id=the-gateway&post_logout_redirect_uri=https%3A%2F%2Ffront%2F"
        "&id_token_hint=t.t.t"
    )
