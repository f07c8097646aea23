"""What requests ask of whoever keeps logins, and who answers that."""

from __future__ import annotations

from extproc.login_sessions import LoggedIn, LoginSessions
from tests.kit.login_peers import login_world


def test_kept_sessions_are_what_requests_ask() -> None:
    with login_world() as world:
        asked: LoginSessions = world.sessions()
        assert asked.find("staff", "nobody's") is None
        where, cookie = asked.begin("staff", "https://app.example.com", "/")
        assert where.startswith("https://idp.example.com/authorize?")
        assert cookie.startswith("__Host-staff-way-")


def test_what_is_known_of_somebody_does_not_change() -> None:
    assert LoggedIn("claims", "token") == LoggedIn("claims", "token")
