"""Bad input to the MCP gateway: refused clearly, and the session is unharmed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit import web
from tests.kit.mcp_gateways import gateway_before
from tests.kit.mcp_peers import (
    MODERN,
    McpServer,
    ModernRawClient,
    RawClient,
    mcp_servers,
)
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

SERVERS: dict[str, list[str]] = {"alpha": ["--json"], "beta": ["--json"]}
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {required: false}
mcp:
  allowed_origins: ["https://app.example.com"]
  servers:
"""
PLACES = {"one": "mcp/alpha", "federation": "mcp"}
TOOLS = {"one": "echo", "federation": "alpha__echo"}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, McpServer]]:
    with mcp_servers(**SERVERS) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(
    servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with gateway_before(servers, YAML, tmp_path_factory.mktemp("bad")) as stack:
        yield stack


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def opened(gateway: Stack, place: str) -> RawClient:
    """One session for all tests: none of them may harm it."""
    client = RawClient(f"{gateway.url}/{PLACES[place]}")
    client.initialize()
    return client


@pytest.fixture
def client(opened: RawClient, servers: dict[str, McpServer], place: str) -> Iterator[RawClient]:
    for each in servers.values():
        each.forget()
    yield opened
    said = opened.call(TOOLS[place], {"text": "still here"}).result
    assert said["content"][0]["text"] == "alpha: still here"


def call(place: str, text: str = '"x"', more: str = "") -> str:
    """A call, in JSON as it is written."""
    name = TOOLS[place]
    return (
        '{"jsonrpc":"2.0","id":7,"method":"tools/call",'
        f'"params":{{"name":"{name}","arguments":{{"text":{text}}}{more}}}}}'
    )


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


BROKEN: dict[str, tuple[Callable[[str], bytes | str], int]] = {
    "nothing": (lambda _: b"", -32700),
    "no JSON": (lambda _: "hello", -32700),
    "half": (lambda place: call(place)[:-1], -32700),
    "more behind": (lambda place: call(place) + "{}", -32700),
    "no UTF-8": (
        lambda place: call(place).replace('"x"', '"~"').encode().replace(b"~", b"\xff"),
        -32700,
    ),
    "a byte order mark": (lambda place: b"\xef\xbb\xbf" + call(place).encode(), -32700),
    "UTF-16": (lambda place: call(place).encode("utf-16"), -32700),
    "NaN": (lambda place: call(place, "NaN"), -32700),
    "a lone surrogate": (lambda place: call(place, '"\\ud800"'), -32700),
    "a text": (lambda _: '"ping"', -32600),
    "a number": (lambda _: "17", -32600),
    "null": (lambda _: "null", -32600),
    "an empty object": (lambda _: "{}", -32600),
    "an empty batch": (lambda _: "[]", -32600),
    "a batch": (lambda place: f"[{call(place)}]", -32600),
    "a batch of calls": (lambda place: f"[{call(place)},{call(place)}]", -32600),
    "no version": (lambda place: call(place).replace('"jsonrpc":"2.0",', ""), -32600),
    "version 1.0": (lambda place: call(place).replace('"2.0"', '"1.0"'), -32600),
    "the method twice": (
        lambda place: call(place).replace('"id":7', '"id":7,"method":"ping"'),
        -32600,
    ),
    "the id twice": (lambda place: call(place).replace('"id":7', '"id":7,"id":8'), -32600),
    "params twice": (lambda place: call(place)[:-1] + ',"params":{"name":"fail"}}', -32600),
    "the name twice": (lambda place: call(place, more=',"name":"fail"'), -32600),
    "the name twice, escaped": (lambda place: call(place, more=',"n\\u0061me":"fail"'), -32600),
    "arguments twice": (lambda place: call(place, more=',"arguments":{"text":"y"}'), -32600),
    "an argument twice": (lambda place: call(place, '"x","text":"y"'), -32600),
    "a key twice, deep inside": (lambda place: call(place, '[{"a":{"b":1,"b":2}}]'), -32600),
    "nested too deep": (lambda place: call(place, nested(64)), -32600),
    "nested very deep": (lambda place: call(place, nested(100_000)), -32600),
    "the method in another spelling": (
        lambda place: call(place).replace('"id":7', '"id":7,"Method":"ping"'),
        -32600,
    ),
    "the name in another spelling": (lambda place: call(place, more=',"Name":"fail"'), -32600),
    "params are a list": (
        lambda _: '{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}',
        -32600,
    ),
    "method is a number": (lambda _: '{"jsonrpc":"2.0","id":7,"method":7}', -32600),
    "asks and answers": (
        lambda _: '{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}',
        -32600,
    ),
    "result and error": (
        lambda _: '{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"x"}}',
        -32600,
    ),
    **{
        f"the id is {written}": (
            lambda place, written=written: call(place).replace('"id":7', f'"id":{written}'),
            -32600,
        )
        for written in ("null", "true", "{}", "[7]", "7.5", "7.0", "7e1")
    },
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_no_message_is_refused_and_reaches_no_server(
    client: RawClient, servers: dict[str, McpServer], place: str, how: str
) -> None:
    written, code = BROKEN[how]
    answer = client.post(written(place))
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.error["code"] == code
    assert answer.error["message"]
    assert set(answer.last) == {"jsonrpc", "id", "error"}
    assert not any(each.asked("tools/call") for each in servers.values())


@pytest.mark.parametrize(
    "written", ["0", "-1", "9007199254740993", '"7"', '""', '"ä/☃"', '"alpha/i:1"']
)
def test_an_id_comes_back_as_it_was(client: RawClient, place: str, written: str) -> None:
    answer = client.post(call(place).replace('"id":7', f'"id":{written}'))
    assert answer.status == 200
    assert answer.last["id"] == json.loads(written)
    assert type(answer.last["id"]) is type(json.loads(written))


def test_what_is_nested_as_deep_as_it_may_be_passes(client: RawClient, place: str) -> None:
    answer = client.post(call(place, nested(61)))  # the server wants a text, and says so
    assert answer.status == 200
    assert answer.result["isError"]


def test_ten_megabytes_of_arguments_pass(client: RawClient, place: str) -> None:
    long = "x" * 10_000_000
    answer = client.post(call(place, json.dumps(long)))
    assert answer.result["content"][0]["text"] == f"alpha: {long}"


def test_more_than_the_gateway_takes_is_refused(client: RawClient, place: str) -> None:
    answer = client.post(call(place, json.dumps("x" * 40_000_000)))
    assert answer.status == 413


FOREIGN: dict[str, Callable[[str], str]] = {
    "garbage": lambda _: "0123456789abcdef",
    "another letter": lambda mine: mine[:-2] + ("AA" if mine[-2:] != "AA" else "BB"),
    "cut": lambda mine: mine[: len(mine) // 2],
    "longer": lambda mine: mine + "A",
    "twice": lambda mine: f"{mine},{mine}",
    "very long": lambda mine: mine * 20,
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_foreign_session_is_not_found(client: RawClient, place: str, how: str) -> None:
    stranger = RawClient(client.url, session=FOREIGN[how](client.session))
    answer = stranger.call(TOOLS[place], {"text": "x"})
    assert answer.status == 404
    assert "error" in answer.last
    assert stranger.delete().status_code == 404
    headers = {"accept": "text/event-stream", "mcp-session-id": stranger.session}
    assert web.get(client.url, headers=headers, timeout=10).status_code == 404


def test_a_session_of_one_place_is_none_of_the_other(
    client: RawClient, gateway: Stack, place: str
) -> None:
    other = next(each for each in PLACES if each != place)
    stranger = RawClient(f"{gateway.url}/{PLACES[other]}", session=client.session)
    assert stranger.call(TOOLS[other], {"text": "x"}).status == 404


def test_a_request_without_a_session_is_refused(client: RawClient, place: str) -> None:
    stranger = RawClient(client.url)
    answer = stranger.call(TOOLS[place], {"text": "x"})
    assert answer.status == 400
    assert "error" in answer.last


def test_a_revision_that_nobody_knows_is_refused(client: RawClient, place: str) -> None:
    answer = client.call(TOOLS[place], {"text": "x"}, mcp_protocol_version="1999-01-01")
    assert answer.status == 400
    assert "error" in answer.last


def test_unknown_methods_are_errors(client: RawClient) -> None:
    for method in ("no/such", "tools/calls", "server/discover", "x" * 10_000):
        answer = client.ask(method)
        assert answer.error["code"] in (-32601, -32602)


def test_what_calls_lack_is_said(client: RawClient, place: str) -> None:
    for params in ({}, {"name": 7}, {"name": ""}, {"name": TOOLS[place] + "x"}):
        answer = client.ask("tools/call", params)
        said = answer.last
        assert said.get("error", {}).get("code") in (-32602, -32601) or said["result"]["isError"]


def test_other_methods_of_http_are_refused(client: RawClient) -> None:
    for method in ("PUT", "PATCH", "HEAD"):
        answer = web.request(
            method, client.url, headers={"mcp-session-id": client.session}, timeout=10
        )
        assert answer.status_code == 405


def test_another_content_type_is_refused(client: RawClient, place: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert client.post(call(place), content_type=kind).status in (400, 415)


def test_pages_of_other_origins_are_refused(
    client: RawClient, servers: dict[str, McpServer], place: str
) -> None:
    for origin in ("https://evil.example.com", "null", "https://app.example.com.evil.com"):
        answer = client.call(TOOLS[place], {"text": "x"}, origin=origin)
        assert answer.status == 403
    assert not any(each.asked("tools/call") for each in servers.values())
    assert client.call(TOOLS[place], {"text": "x"}, origin="https://app.example.com").status == 200


def test_a_page_that_calls_this_machine_by_its_own_name_is_refused(
    client: RawClient, place: str
) -> None:
    """DNS rebinding: host and origin agree, and are none of this machine's names."""
    answer = client.call(
        TOOLS[place], {"text": "x"}, host="evil.example.com", origin="http://evil.example.com"
    )
    assert answer.status == 403


MISMATCHES: dict[str, dict[str, str]] = {
    "another method": {"mcp_method": "tools/list"},
    "no method": {"mcp_method": ""},
    "another name": {"mcp_name": "fail"},
    "no name": {"mcp_name": ""},
    "a name in broken Base64": {"mcp_name": "=?base64?%%%?="},
    "another revision": {"mcp_protocol_version": "2027-01-01"},
}


@pytest.mark.parametrize("how", MISMATCHES)
def test_headers_of_the_stateless_era_say_what_the_body_says(
    client: RawClient, servers: dict[str, McpServer], place: str, how: str
) -> None:
    modern = ModernRawClient(client.url)
    answer = modern.call(TOOLS[place], {"text": "x"}, **MISMATCHES[how])
    assert answer.status == 400
    assert answer.error["code"] in (-32020, -32022)
    assert not any(each.asked("tools/call") for each in servers.values())
    assert modern.call(TOOLS[place], {"text": "x"}).status == 200


def test_a_legacy_session_does_not_carry_modern_requests(client: RawClient, place: str) -> None:
    """Each era by its own rules: the header alone makes no request modern."""
    answer = client.call(TOOLS[place], {"text": "x"}, mcp_protocol_version=MODERN)
    assert answer.status == 400
    assert "error" in answer.last


def test_the_state_of_a_round_that_was_changed_is_refused(client: RawClient, place: str) -> None:
    modern = ModernRawClient(client.url, capabilities={"elicitation": {"form": {}}})
    tool = TOOLS[place].replace("echo", "greet")
    first = modern.call(tool).result
    assert first["resultType"] == "input_required"
    (key,) = first["inputRequests"]
    responses = {key: {"action": "accept", "content": {"name": "Ann"}}}

    def again(state: str) -> Any:
        params = {"name": tool, "arguments": {}}
        more = {"inputResponses": responses, "requestState": state}
        return modern.ask("tools/call", params | more).last

    state = first["requestState"]
    assert again(state)["result"]["content"][0]["text"] == "hello Ann"
    for changed in (state[:-3], state + "AAA", "x" + state, ""):
        assert again(changed)["error"]["code"] == -32602


def test_a_client_that_takes_no_stream_is_told(client: RawClient, place: str) -> None:
    assert client.post(call(place), accept="text/html").status == 406
