"""Logins that are kept have a desk, each with its own secret."""

from __future__ import annotations

from collections.abc import Awaitable

from extproc.logging_in.desk import LoginDesk
from extproc.logging_in.serving import login_desk
from gateway.identity import Identity, Login, LoginCookies
from tests.kit.login_peers import STAFF, LoginWorld, changed, cookie_of, login_world


def desk(world: LoginWorld, secret: str, *logins: Login) -> LoginDesk | None:
    identity = Identity(logins=logins)
    return login_desk(identity, secret, world.store, world, world.store.clock)


def test_there_is_one_where_logins_are_kept() -> None:
    with login_world() as world:
        assert desk(world, "s") is None
        assert desk(world, "s", changed(is_kept=False)) is None
        assert desk(world, "s", STAFF) is not None


def test_the_secret_of_a_login_counts_before_that_of_the_machine() -> None:
    with login_world() as world:
        own = changed(cookies=LoginCookies("__Host-staff-", secret="shared by machines"))
        made = [desk(world, "a", STAFF), desk(world, "b", STAFF)]
        shared = [desk(world, "a", own), desk(world, "b", own)]
        for (one, other), is_open in ((made, False), (shared, True)):
            assert one is not None
            assert other is not None
            location, kept = one.sessions.begin("staff", "https://a", "/")
            state = location.partition("state=")[2].partition("&")[0]
            of = next(iter(other.sessions.logins.values()))
            way = other.sessions.way_of(of, state, dict([cookie_of(kept)]))
            assert (way is not None) is is_open
            assert not isinstance(other.sessions.find("staff", "x"), Awaitable)
