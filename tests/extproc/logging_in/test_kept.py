"""What is sealed opens where it was sealed for, and nowhere else."""

from __future__ import annotations

from extproc.logging_in.kept import (
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
from extproc.mcp.vault import Vault
from tests.kit.login_peers import STAFF, changed

VAULT, ANOTHER = Vault(["one"], b"test"), Vault(["two"], b"test")
OTHER = changed(name="other")
WAY = Way("state", "nonce", "verifier", "https://a", "/page", 100)
SESSION = LoginSession("claims", "id", "access", "refresh", 7.5, "ann", "sid", 1.0)


def test_a_way_is_for_one_login_and_a_time() -> None:
    sealed = seal_way(VAULT, STAFF, WAY)
    assert open_way(VAULT, STAFF, sealed, 100.0) == WAY
    assert open_way(VAULT, STAFF, sealed, 100.5) is None
    assert open_way(VAULT, OTHER, sealed, 1.0) is None
    assert open_way(ANOTHER, STAFF, sealed, 1.0) is None
    assert open_way(VAULT, STAFF, seal_number(VAULT, STAFF, "n"), 1.0) is None


def test_a_number_is_for_one_login() -> None:
    sealed = seal_number(VAULT, STAFF, "n")
    assert open_number(VAULT, STAFF, sealed) == "n"
    assert open_number(VAULT, OTHER, sealed) is None
    assert open_number(VAULT, STAFF, seal_way(VAULT, STAFF, WAY)) is None
    assert open_number(VAULT, STAFF, "n") is None


def test_a_session_is_for_one_number() -> None:
    sealed = seal_session(VAULT, SESSION, "n")
    assert open_session(VAULT, sealed, "n") == SESSION
    assert open_session(VAULT, sealed, "m") is None
    assert open_session(ANOTHER, sealed, "n") is None


def test_names_say_nothing_and_do_not_meet() -> None:
    assert name_of(STAFF, "session", "n") != name_of(STAFF, "lease", "n")
    assert name_of(STAFF, "n") != name_of(changed(client_id="another"), "n")
    assert name_of(STAFF, "n") == name_of(OTHER, "n"), "an issuer speaks of its client"
    assert len(name_of(STAFF, "\ud800")) == 64
