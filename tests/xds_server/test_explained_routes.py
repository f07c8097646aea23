"""Parts of an explanation that depend on one route alone."""

from __future__ import annotations

from xds_server.check import Where
from xds_server.explained_routes import (
    body_limit,
    envoys_checks,
    is_shown,
    service,
    unseen,
    when_failing,
)
from xds_server.python_messages import Message

BODY = (Message("request body", False, True, "always", "x"),)
ASKING = {"message_timeout": "5s"}


def test_envoy_counts_only_bodies_that_it_holds() -> None:
    (check,) = envoys_checks("7", BODY)
    assert (check.where, check.refusal) == (Where.ENVOY, "413 request_too_large")
    assert envoys_checks("7", ()) == ()
    assert body_limit("a2a", "7", {}, BODY) == "at most 7 bytes; above: 413"
    assert body_limit("plain", "7", {}, BODY) == "at most 7 bytes of what is read; above: 413"
    assert body_limit("plain", None, {}, ()) == "no limit: it streams"


def test_a_dead_extproc_refuses_unless_the_operator_says_otherwise() -> None:
    assert when_failing(ASKING, BODY) == "refused: 503 policy_unavailable"
    assert when_failing(ASKING | {"failure_mode_allow": True}, BODY).endswith("unchecked")
    assert when_failing(None, BODY) == when_failing(ASKING, ()) == "nothing: it is not asked"
    assert service(ASKING).headers == ("*",)


def test_what_is_not_shown_is_unseen() -> None:
    assert is_shown("request body", BODY)
    assert "the answer's body" in unseen("plain", BODY, None, is_ruled=False)
    assert unseen("answer", BODY, None, is_ruled=False) == ()
    assert unseen("mcp", BODY, None, is_ruled=False) == ("what answers say",)
    assert unseen("mcp sse", (), None, is_ruled=False) == ()  # the hub asks at the routes of MCP
