"""Envoy's own errors speak the dialect of the route."""

from __future__ import annotations

import json
from typing import Any

import anthropic.types
import pytest

from extproc.llm.dialects import refusal
from extproc.verdict import Deny
from gateway.model import Dialect
from xds_server.resources.extension import Json
from xds_server.resources.llm_route import ANTHROPIC_NAME, BEDROCK_NAME, GEMINI_NAME, NAME
from xds_server.resources.local_replies import (
    DENIALS,
    EXTERNAL_UNAVAILABLE,
    LIMITED,
    LOCAL_REPLIES,
    OF_A2A,
    OF_LOGINS,
    OF_MCP,
    OF_SERVICES,
    POLICY_UNAVAILABLE,
    UNASKED,
    local_reply_config,
)

MAPPERS = local_reply_config()["mappers"]
PLAIN = (*DENIALS, POLICY_UNAVAILABLE)
ON_PLAIN = MAPPERS[-2 * len(PLAIN) :]
"""For Anthropic's clients first."""
REPLIES = (POLICY_UNAVAILABLE, *LOCAL_REPLIES)
NAMES = (ANTHROPIC_NAME, GEMINI_NAME, BEDROCK_NAME, NAME)


def expression(mapper: Json) -> str:
    found: str = mapper["filter"]["extension_filter"]["typed_config"]["expression"]
    return found


def said(name: str) -> list[Any]:
    """What is said on the routes whose names begin so, in order."""
    begin = f'xds.route_name.startsWith("{name}") && '
    return [
        each["body_format_override"]["json_format"]
        for each in MAPPERS
        if expression(each).startswith(begin)
    ]


def test_our_own_answers_are_left_alone() -> None:
    assert "dragoman_" in expression(MAPPERS[0])
    assert set(MAPPERS[0]) == {"filter"}


def test_other_routes_are_left_alone_but_for_a_missing_policy_and_rules_of_envoys() -> None:
    assert expression(MAPPERS[-1]) == POLICY_UNAVAILABLE.when
    assert MAPPERS[-1]["status_code"] == 503
    for mapper in MAPPERS[1 : -2 * len(PLAIN)]:
        assert expression(mapper).startswith('xds.route_name.startsWith("dragoman/llm')
    said = [expression(mapper).rpartition(" && ")[2] for mapper in ON_PLAIN]
    assert said == [reply.when for reply in PLAIN] * 2


def test_clients_of_mcp_are_told_in_json_rpc() -> None:
    begin = 'xds.route_name.startsWith("dragoman/mcp") && '
    mappers = local_reply_config(serves_mcp=True, external=EXTERNAL_UNAVAILABLE)["mappers"]
    told = {
        expression(each).removeprefix(begin): each["body_format_override"]["json_format"]
        for each in mappers
        if expression(each).startswith(begin)
    }
    assert list(told) == [each.when for each in (POLICY_UNAVAILABLE, EXTERNAL_UNAVAILABLE, *OF_MCP)]
    assert told["response.code == 413"]["error"]["code"] == -32600
    assert told["response.code >= 500"] == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {
            "code": -32603,
            "message": "the MCP server could not be reached",
            "data": {"code": "server_unavailable"},
        },
    }


def test_clients_of_agents_are_told_so_that_each_binding_reads_it() -> None:
    mappers = local_reply_config(serves_a2a=True, external=EXTERNAL_UNAVAILABLE)["mappers"]
    told = {
        expression(each).rpartition(") && ")[2]: each["body_format_override"]["json_format"]
        for each in mappers
        if "dragoman/a2a" in expression(each)
    }
    assert list(told) == [each.when for each in (POLICY_UNAVAILABLE, EXTERNAL_UNAVAILABLE, *OF_A2A)]
    assert told["response.code == 413"]["error"]["code"] == -32600
    said = told["response.code >= 500"]
    assert (said["jsonrpc"], said["error"]["status"]) == ("2.0", "UNAVAILABLE")
    of_agents = [each for each in mappers if "dragoman/a2a" in expression(each)]
    assert all("application/grpc" in expression(each) for each in of_agents)


def test_what_services_and_limits_refuse_is_said_in_both_forms() -> None:
    mappers = local_reply_config(
        counts_requests=True, asks_services=True, external=EXTERNAL_UNAVAILABLE
    )["mappers"]
    for reply in (EXTERNAL_UNAVAILABLE, LIMITED, *OF_SERVICES):
        anthropics, openais = (
            each["body_format_override"]["json_format"]
            for each in mappers
            if expression(each).endswith(reply.when) and "route_name" not in expression(each)
        )
        assert anthropics["type"] == "error"
        assert openais["error"]["code"] == anthropics["error"]["code"] == reply.code


@pytest.mark.parametrize("place", range(len(DENIALS)))
def test_a_rule_of_envoys_refuses_in_pythons_words(place: int) -> None:
    """But for the reason, which Envoy looks up."""
    anthropics, openais = ON_PLAIN[place], ON_PLAIN[len(PLAIN) + place]
    status = openais.get("status_code", 403)
    headers = {
        each["header"]["key"]: each["header"]["value"] for each in openais.get("headers_to_add", ())
    }
    code = openais["body_format_override"]["json_format"]["error"]["code"]
    for mapper, dialect in ((anthropics, Dialect.ANTHROPIC), (openais, None)):
        told = mapper["body_format_override"]
        why = told["json_format"]["error"]["message"]
        said = refusal(dialect, Deny(status, code, why, headers=tuple(headers.items())))
        assert json.loads(said.body) == told["json_format"]
        assert dict(said.headers) == {"content-type": told["content_type"], **headers}
        assert mapper.get("status_code", 403) == said.status


@pytest.mark.parametrize("name", NAMES)
def test_what_a_service_was_not_asked_about_is_refused_as_by_a_rule(name: str) -> None:
    mappers = local_reply_config(external=EXTERNAL_UNAVAILABLE)["mappers"]
    begin = f'xds.route_name.startsWith("{name}") && '
    order = [expression(each) for each in mappers]
    asked = order.index(f"{begin}{UNASKED.when}")
    assert asked < order.index(f"{begin}response.code >= 400")
    assert "connect again" in json.dumps(mappers[asked]["body_format_override"])


def test_the_longest_name_is_asked_first() -> None:
    """OpenAI's is the beginning of all."""
    order = [name for mapper in MAPPERS[1:] for name in NAMES if f'"{name}"' in expression(mapper)]
    assert order == [name for name in NAMES for _ in REPLIES]


def test_every_error_of_openai_has_its_four_fields() -> None:
    for body, reply in zip(said(NAME), REPLIES, strict=True):
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert body["error"]["code"] == reply.code


def test_anthropics_errors_are_those_that_its_library_knows() -> None:
    assert len(said(ANTHROPIC_NAME)) == len(REPLIES)
    for body in said(ANTHROPIC_NAME):
        anthropic.types.ErrorResponse.model_validate_json(
            json.dumps({"request_id": None, **body}), strict=True
        )


def test_geminis_errors_repeat_the_status() -> None:
    for body in said(GEMINI_NAME):
        assert body["error"]["code"] == "%RESPONSE_CODE%"
        assert body["error"]["status"] in {"INVALID_ARGUMENT", "UNAUTHENTICATED", "UNAVAILABLE"}


def test_bedrocks_errors_have_a_name_and_a_message() -> None:
    assert [set(body) for body in said(BEDROCK_NAME)] == [{"__type", "message"}] * len(REPLIES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dead_policy_service_is_503_whatever_envoy_thought(name: str) -> None:
    [mapper] = [
        each
        for each in MAPPERS
        if expression(each) == f'xds.route_name.startsWith("{name}") && {POLICY_UNAVAILABLE.when}'
    ]
    assert mapper["status_code"] == 503


def test_what_fails_on_the_way_back_is_told_apart_from_who_is_not_logged_in() -> None:
    before = {expression(each) for each in MAPPERS}
    added = [
        each
        for each in local_reply_config(logs_in=True)["mappers"]
        if expression(each) not in before
    ]
    assert len(added) == 2 * len(OF_LOGINS)
    codes = [each["body_format_override"]["json_format"]["error"]["code"] for each in added]
    assert codes == ["login_failed", "login_required"] * 2
    for each in added:
        challenge = {"header": {"key": "www-authenticate", "value": "Bearer"}}
        assert each["headers_to_add"] == [challenge]
