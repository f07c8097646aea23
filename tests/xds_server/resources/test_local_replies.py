"""Envoy's own errors speak OpenAI's shape on the LLM route."""

from __future__ import annotations

import pytest

from xds_server.resources.extension import Json
from xds_server.resources.local_replies import (
    LOCAL_REPLIES,
    POLICY_UNAVAILABLE,
    LocalReply,
    local_reply_config,
)

MAPPERS = local_reply_config()["mappers"]


def test_our_own_answers_are_left_alone() -> None:
    expression = MAPPERS[0]["filter"]["extension_filter"]["typed_config"]["expression"]
    assert "dragoman_" in expression
    assert set(MAPPERS[0]) == {"filter"}


def test_other_routes_are_left_alone_but_for_a_missing_policy() -> None:
    for mapper in MAPPERS[2:]:
        expression = mapper["filter"]["extension_filter"]["typed_config"]["expression"]
        assert expression.startswith('xds.route_name == "dragoman/llm" && ')


@pytest.mark.parametrize(
    ("mapper", "reply"), list(zip(MAPPERS[1:], (POLICY_UNAVAILABLE, *LOCAL_REPLIES), strict=True))
)
def test_every_error_has_the_four_fields(mapper: Json, reply: LocalReply) -> None:
    error = mapper["body_format_override"]["json_format"]["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == reply.code


def test_a_dead_policy_service_is_503_on_every_route_whatever_envoy_thought() -> None:
    expression = MAPPERS[1]["filter"]["extension_filter"]["typed_config"]["expression"]
    assert expression == POLICY_UNAVAILABLE.when
    assert MAPPERS[1]["status_code"] == 503
