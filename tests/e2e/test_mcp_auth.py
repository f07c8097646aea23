"""The MCP gateway as an OAuth resource server, by the official SDK's client and a real Envoy: a
client that knows nothing but the address gets a token, and a better one when it needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.http_server import Handler, HttpServer
from tests.kit.mcp_clients import talk
from tests.kit.mcp_peers import McpServer, RawClient, mcp_servers
from tests.kit.oauth_clients import Browser, Shelf, signed_in
from tests.kit.oauth_server import Manners, OAuthServer
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

PAGE = "https://app.example"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  jwt: [{issuer: "ISSUER", audiences: [agents], jwks: {url: "JWKS"}}]
  api_keys: {keys: [{name: bob, key: k-bob}]}
mcp:
  servers:
    tools: {url: "SERVER"}
    more: {url: "SERVER", required: false}
    closed: {url: "CLOSED", required: false}
  allowed_origins: ["https://app.example"]
  auth:
    url: "http://127.0.0.1:${DRAGOMAN_PORT}"
    scopes: {views: {tools: [mcp]}, tools: {tools/add: [mcp:add]}}
    metadata: {resource_name: Tools of the house}
routes:
  - {name: plain, match: {path: {prefix: /plain}}, backend: "http://127.0.0.1:9", auth: jwt}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, who gives tokens for it, and what is behind it."""

    stack: Stack
    idp: OAuthServer
    server: McpServer

    @property
    def tools(self) -> str:
        return f"{self.stack.url}/mcp/tools"

    def ask(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        sent["accept"] = "application/json, text/event-stream"
        return web.post(f"{self.stack.url}{path}", json=body, headers=sent, timeout=10)


class Closed(Handler):
    """A server that wants a token of its own."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(401)
        self.send_header("www-authenticate", 'Bearer resource_metadata="https://closed.example"')
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mcp-auth")
    with (
        mcp_servers(tools=[]) as servers,
        OAuthServer(Manners(path="/realms/a")) as idp,
        HttpServer(Closed) as closed,
    ):
        text = YAML.replace("ISSUER", idp.issuer).replace("JWKS", f"{idp.url}/jwks")
        config = folder / "gateway.yaml"
        text = text.replace("SERVER", servers["tools"].url).replace("CLOSED", closed.url)
        config.write_text(text)
        with serve(config, folder / "state") as stack:
            yield World(stack, idp, servers["tools"])


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_that_knows_the_address_alone_comes_in_and_gets_more_when_it_needs_more(
    world: World, mode: str
) -> None:
    browser, shelf = Browser(), Shelf()
    world.server.forget()

    async def conversation() -> None:
        async with signed_in(world.tools, browser, shelf, mode) as client:
            await in_talk(client)

    async def in_talk(client: Client) -> None:
        assert "add" in [each.name for each in (await client.list_tools()).tools]
        assert world.idp.authorized[-1]["scope"] == "mcp"
        added = await client.call_tool("add", {"a": 2, "b": 3})
        assert added.structured_content == {"total": 5, "by": "tools"}
        assert world.idp.authorized[-1]["scope"].split() == ["mcp", "mcp:add"]

    talk(conversation)
    assert {each["resource"] for each in world.idp.authorized[-2:]} == {world.tools}
    assert len(browser.visited) == 2
    passed = [row["headers"] for row in world.server.seen()]
    assert passed
    assert not any("authorization" in headers for headers in passed)


def test_several_servers_as_one_ask_for_more_when_a_tool_needs_it(world: World) -> None:
    async def conversation() -> None:
        async with signed_in(f"{world.stack.url}/mcp", Browser(), Shelf()) as client:
            names = [each.name for each in (await client.list_tools()).tools]
            assert {"tools__add", "more__add"} <= set(names)
            asked = len(world.idp.authorized)
            assert not (await client.call_tool("more__add", {"a": 2, "b": 3})).is_error
            assert len(world.idp.authorized) == asked
            assert not (await client.call_tool("tools__add", {"a": 2, "b": 3})).is_error
            assert world.idp.authorized[asked]["scope"] == "mcp:add"
            assert world.idp.authorized[asked]["resource"] == f"{world.stack.url}/mcp"

    talk(conversation)


def test_the_example_lets_a_client_in_that_knows_the_address_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUER", world.idp.issuer)
    monkeypatch.setenv("JWKS_URL", f"{world.idp.url}/jwks")
    monkeypatch.setenv("MCP_URL", world.server.url)
    with running(EXAMPLES / "mcp-oauth.yaml", tmp_path / "state", workers=1) as stack:

        async def conversation() -> None:
            async with signed_in(f"{stack.url}/mcp", Browser(), Shelf()) as client:
                added = await client.call_tool("add", {"a": 2, "b": 3})
                assert added.structured_content == {"total": 5, "by": "tools"}
                with pytest.raises(MCPError, match="Unknown tool"):
                    await client.call_tool("add", {"a": 2000, "b": 3})

        talk(conversation)


@pytest.mark.parametrize(
    ("path", "resource"),
    [("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/tools", "/mcp/tools"), ("/mcp/more", "/mcp/more")],
)
def test_each_address_tells_what_it_is_and_who_gives_tokens(
    world: World, path: str, resource: str
) -> None:
    answer = web.get(f"{world.stack.url}/.well-known/oauth-protected-resource{path}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    said = answer.json()
    assert said["resource"] == f"{world.stack.url}{resource}"
    assert said["authorization_servers"] == [world.idp.issuer]
    assert said["bearer_methods_supported"] == ["header"]
    assert said["resource_name"] == "Tools of the house"
    assert said.get("scopes_supported") == (["mcp"] if path == "/mcp/tools" else None)


def test_there_is_no_metadata_of_what_there_is_not(world: World) -> None:
    url = f"{world.stack.url}/.well-known/oauth-protected-resource/mcp/nobody"
    assert web.get(url).status_code == 404


def test_who_brings_nothing_or_what_is_no_token_is_told_where_to_get_one(world: World) -> None:
    metadata = f'{world.stack.url}/.well-known/oauth-protected-resource/mcp/tools"'
    missing, wrong = world.ask("/mcp/tools"), world.ask("/mcp/tools", "nonsense")
    assert missing.status_code == wrong.status_code == 401
    assert missing.headers["www-authenticate"] == (
        f'Bearer scope="mcp", resource_metadata="{metadata}'
    )
    assert wrong.headers["www-authenticate"].startswith('Bearer error="invalid_token", ')


def test_a_token_is_for_the_address_and_for_nothing_beside_it(world: World) -> None:
    gateway, idp = world.stack.url, world.idp
    for audience in ("agents", gateway, f"{gateway}/mcp", [world.tools, "x"]):
        assert world.ask("/mcp/tools", idp.access(audience, "mcp")).status_code in (200, 400)
    for audience in (f"{gateway}/mcp/more", "https://else.example", ""):
        refused = world.ask("/mcp/tools", idp.access(audience, "mcp"))
        assert refused.status_code == 401
        assert refused.json()["error"]["data"]["code"] == "invalid_token"


def test_a_token_for_mcp_opens_nothing_else(world: World) -> None:
    url = f"{world.stack.url}/plain"
    for audience, status in ((world.tools, 401), ("agents", 503)):
        headers = {"authorization": f"Bearer {world.idp.access(audience, 'mcp')}"}
        assert web.get(url, headers=headers).status_code == status


def test_a_token_without_a_scope_is_told_which(world: World) -> None:
    refused = world.ask("/mcp/tools", world.idp.access(world.tools, "other"))
    assert refused.status_code == 403
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope", scope="mcp", ')
    assert world.ask("/mcp/more", world.idp.access("agents")).status_code in (200, 400)


def test_no_client_is_sent_for_a_token_for_a_server(world: World) -> None:
    refused = world.ask("/mcp/closed", world.idp.access("agents"))
    assert refused.status_code == 401
    assert "www-authenticate" not in refused.headers


def test_a_key_has_no_scopes(world: World) -> None:
    assert world.ask("/mcp/tools", "k-bob").status_code == 403
    client = RawClient(f"{world.stack.url}/mcp/more", headers={"authorization": "Bearer k-bob"})
    client.initialize()
    assert client.ask("tools/list").status == 200


def test_pages_of_an_origin_that_may_ask_can_read_what_they_need(world: World) -> None:
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, mcp-protocol-version",
    }
    preflight = web.request("OPTIONS", world.tools, headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    refused = world.ask("/mcp/tools", origin=PAGE)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == PAGE
    exposed = refused.headers["access-control-expose-headers"]
    assert {"mcp-session-id", "www-authenticate"} <= set(exposed.split(", "))
    token = world.idp.access(world.tools, "mcp")
    passed = world.ask("/mcp/tools", token, origin=PAGE)
    assert passed.headers["access-control-allow-origin"] == PAGE


def test_other_pages_are_told_nothing(world: World) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    preflight = web.request("OPTIONS", world.tools, headers=asked)
    assert preflight.status_code in (403, 405)
    assert "access-control-allow-origin" not in preflight.headers
    metadata = f"{world.stack.url}/.well-known/oauth-protected-resource/mcp"
    assert web.request("OPTIONS", metadata, headers=asked).status_code == 204
