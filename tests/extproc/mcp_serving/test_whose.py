from extproc.mcp.requests import Client
from extproc.mcp.sessions import Session
from extproc.mcp_serving.whose import Whose, of_nobody

INITIALIZE = b'{"capabilities":{}}'


def test_a_client_without_a_session_is_known_by_what_it_says_of_itself() -> None:
    whose = Whose(of_nobody(INITIALIZE), "scope", Client())
    assert whose.is_sessionless
    assert whose.key == b""
    assert bytes(whose.session.initialize) == INITIALIZE
    assert whose.session.servers == {}


def test_a_session_has_a_key_that_no_server_knows() -> None:
    whose = Whose(Session("", {}, "2025-06-18", INITIALIZE, 0, "n"), "n", Client())  # type: ignore[arg-type]
    assert not whose.is_sessionless
    assert whose.key == b"n"
