"""REST APIs are answered for, and asked in their own words; others are asked as they were."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from extproc.mcp.views import served
from extproc.mcp_serving.apis import with_apis
from extproc.ports import Answered, Asked, ServiceUnavailable
from gateway.mcp import McpServer, Transport
from gateway.openapi.values import Terms
from tests.kit.mcp_exchange import Servers
from tests.kit.openapi_documents import SHOP_31, read

SHOP = McpServer(
    "shop", Transport.OPENAPI, "/", headers=(("x-own", "1"),), api=read(SHOP_31), timeout_seconds=3
)
OTHER = McpServer("other", Transport.STREAMABLE_HTTP, "/mcp")
CLUSTER = "service/mcp/shop"


def asked(body: object, method: str = "POST", **headers: str) -> Asked:
    head = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Asked(method, "/", head, json.dumps(body).encode())


def request(method: str, identity: object = 1, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def of_shop(to: Asked, servers: Servers) -> Answered:
    peers = with_apis(servers, (SHOP, OTHER), (served(SHOP), served(OTHER)))
    return asyncio.run(peers.ask(CLUSTER, to, 3.0))


def api(status: int = 200, body: bytes = b"[]") -> Servers:
    return Servers(
        {CLUSTER: lambda _: Answered(status, {"content-type": "application/json"}, body)}
    )


def result(found: Answered) -> Any:
    return json.loads(found.body)["result"]


def test_calls_are_requests_with_the_servers_headers_and_what_envoy_is_told() -> None:
    servers = api()
    call = request("tools/call", name="listThings", arguments={"limit": 2})
    found = of_shop(
        asked(call, x_envoy_max_retries="2", mcp_protocol_version="2025-11-25"), servers
    )
    assert result(found)["structuredContent"] == {"result": []}
    ((cluster, told),) = servers.asked
    assert (cluster, told.method, told.path) == (CLUSTER, "GET", "/v1/things?limit=2")
    assert dict(told.headers) == {
        "accept": "application/json, */*;q=0.1",
        "x-own": "1",
        "x-envoy-max-retries": "2",
    }


def test_what_every_request_has_in_its_query_is_no_argument() -> None:
    api_of = read(SHOP_31, Terms(own_query=("limit", "k y")))
    keyed = replace(SHOP, api=api_of, secret_query=(("k y", "s&cret"), ("limit", "9")))
    assert "s&cret" not in repr(keyed)
    servers = api()
    peers = with_apis(servers, (keyed,), (served(keyed),))
    for arguments, path in (
        ({}, "/v1/things?k%20y=s%26cret&limit=9"),
        ({"color": ["red"]}, "/v1/things?color=red&k%20y=s%26cret&limit=9"),
    ):
        call = request("tools/call", name="listThings", arguments=arguments)
        asyncio.run(peers.ask(CLUSTER, asked(call), 3.0))
        assert servers.asked[-1][1].path == path
    refused = request("tools/call", name="listThings", arguments={"limit": 1})
    found = result(asyncio.run(peers.ask(CLUSTER, asked(refused), 3.0)))
    assert found["isError"]
    assert "s&cret" not in json.dumps(found)


def test_what_is_no_call_asks_nobody() -> None:
    servers = Servers()
    assert "tools" in result(of_shop(asked(request("tools/list")), servers))
    assert of_shop(asked({"jsonrpc": "2.0", "method": "notifications/x"}), servers).status == 202
    assert of_shop(asked({}, "DELETE"), servers).status == 405
    assert of_shop(asked([]), servers).status == 400
    assert servers.asked == []


def test_silence_is_told_the_model() -> None:
    call = request("tools/call", name="listThings", arguments={})
    found = result(of_shop(asked(call), Servers()))
    assert found["isError"]
    assert "nobody is at" in found["content"][0]["text"]


def test_batches_are_answered_as_one() -> None:
    call = request("tools/call", "b", name="listThings", arguments={})
    note = {"jsonrpc": "2.0", "method": "notifications/x"}
    found = of_shop(asked([request("ping"), note, call]), api())
    assert [each["id"] for each in json.loads(found.body)] == [1, "b"]
    assert of_shop(asked([note]), api()) == Answered(202, {}, b"")


def test_others_are_asked_as_they_were() -> None:
    servers = Servers({"service/mcp/other": lambda to: Answered(200, {}, to.body)})
    peers = with_apis(servers, (SHOP, OTHER), (served(SHOP), served(OTHER)))
    to = asked({"x": 1})
    assert asyncio.run(peers.ask("service/mcp/other", to, 1.0)).body == to.body
    with pytest.raises(ServiceUnavailable):
        asyncio.run(peers.ask("service/mcp/nobody", to, 1.0))


def test_without_apis_nothing_stands_between() -> None:
    servers = Servers()
    assert with_apis(servers, (OTHER,), (served(OTHER),)) is servers
