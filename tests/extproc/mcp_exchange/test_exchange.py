"""An MCP request: who asks, what, and in which form."""

from __future__ import annotations

import json

import pytest

from extproc.events import CONTINUE, Direct, RequestBody, Respond
from extproc.mcp.jsonrpc import HEADER_MISMATCH, INVALID_REQUEST, PARSE_ERROR
from gateway import names
from tests.kit.gateways import golden_gateway
from tests.kit.golden import GOLDEN
from tests.kit.identity_provider import encoded
from tests.kit.mcp_exchange import (
    KEYED,
    LIMIT_BYTES,
    ONE,
    call,
    error,
    played,
    program,
    request,
)

PROGRAM = program(ONE)


def test_a_request_goes_on_when_its_body_was_read() -> None:
    one = played(PROGRAM)
    assert one.begin() is CONTINUE
    assert isinstance(one.say(RequestBody(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')), Direct)
    assert one.exchange.is_over


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/a", "/mcp/a/", "/mcp?x=1"])
def test_a_server_is_at_its_name_and_where_all_are(path: str) -> None:
    assert isinstance(played(PROGRAM, path).post(request("ping")), Direct)


@pytest.mark.parametrize("path", ["/mcp/b", "/mcp/a/b", "/mcpa"])
def test_elsewhere_is_none(path: str) -> None:
    answer = played(PROGRAM, path).begin()
    assert isinstance(answer, Respond)
    assert answer.status == 404


def test_who_is_not_known_is_told_so_in_json_rpc() -> None:
    of = program(ONE + KEYED)
    answer = played(of).begin()
    assert isinstance(answer, Respond)
    assert answer.status == 401
    assert ("www-authenticate", "Bearer") in answer.headers
    assert (
        error(answer)["data"] == {"code": "missing_credential"} or error(answer)["code"] == -32001
    )


def test_a_page_of_another_origin_may_not_ask() -> None:
    answer = played(PROGRAM, origin="https://evil.example").begin()
    assert isinstance(answer, Respond)
    assert answer.status == 403
    assert played(PROGRAM, origin="https://gateway.example").begin() is CONTINUE
    allowed = program(ONE.replace("mcp: {", "mcp: {allowed_origins: ['https://app.example'], "))
    assert played(allowed, origin="https://App.example").begin() is CONTINUE
    anybody = program(ONE.replace("mcp: {", "mcp: {allowed_origins: ['*'], "))
    assert played(anybody, origin="null").begin() is CONTINUE


def test_other_methods_are_refused_and_told_which_there_are() -> None:
    answer = played(PROGRAM, method="PUT").begin()
    assert isinstance(answer, Respond)
    assert answer.status == 405
    assert ("allow", "POST, GET, DELETE") in answer.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST),
        (b"[]", INVALID_REQUEST),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, code: int) -> None:
    answer = played(PROGRAM).post(body)
    assert isinstance(answer, Respond)
    assert answer.status == 400
    assert error(answer)["code"] == code


def test_a_request_without_a_body_is_refused() -> None:
    assert error(played(PROGRAM).begin(is_end=True))["code"] == PARSE_ERROR


def test_a_request_above_the_limit_is_refused_where_envoy_buffers_more() -> None:
    answer = played(PROGRAM).post(b" " * (LIMIT_BYTES + 1))
    assert isinstance(answer, Respond)
    assert answer.status == 413


def test_batches_are_of_one_revision() -> None:
    both = [request("ping", 1), request("ping", 2)]
    assert isinstance(played(PROGRAM).post(both), Direct)
    assert isinstance(played(PROGRAM, mcp_protocol_version="2025-03-26").post(both), Direct)
    refused = played(PROGRAM, mcp_protocol_version="2025-06-18").post(both)
    assert error(refused)["code"] == INVALID_REQUEST


def test_headers_that_the_body_contradicts_are_refused() -> None:
    answer = played(PROGRAM, mcp_protocol_version="2026-07-28", mcp_method="tools/list").post(
        {**call("x"), "params": {"name": "x", "_meta": META}}
    )
    assert error(answer)["code"] == HEADER_MISMATCH


def test_without_servers_nobody_is_served() -> None:
    answer = played(program("llm: {}")).begin()
    assert isinstance(answer, Respond)
    assert answer.status == 503
    assert golden_gateway("mcp").mcp.servers


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def test_who_brings_nothing_is_told_where_to_get_a_token() -> None:
    of = program((GOLDEN / "mcp-auth.yaml").read_text())
    answer = played(of, "/mcp/github").begin()
    assert isinstance(answer, Respond)
    assert answer.status == 401
    (challenge,) = (value for name, value in answer.headers if name == "www-authenticate")
    metadata = "https://gateway.example/.well-known/oauth-protected-resource/mcp/github"
    assert challenge == f'Bearer scope="mcp github", resource_metadata="{metadata}"'


def test_a_call_that_needs_more_of_a_token_is_told_so_and_that_alone_is_refused() -> None:
    of = program((GOLDEN / "mcp-auth.yaml").read_text())
    said = {"iss": "https://idp.example/realms/a", "aud": "agents", "scope": "mcp github"}
    token = {names.CLAIMS_HEADER.replace("-", "_"): encoded(json.dumps(said).encode())}
    assert isinstance(played(of, "/mcp/github", **token).post(call("get_issue")), Direct)
    answer = played(of, "/mcp/github", **token).post(call("delete_issue", 7))
    assert isinstance(answer, Respond)
    assert answer.status == 403
    found = json.loads(answer.body)
    assert found["id"] == 7
    assert found["error"]["data"]["code"] == "insufficient_scope"
    assert 'scope="github mcp github:write"' in dict(answer.headers)["www-authenticate"]
