"""MCP servers that are shown who calls, by tokens of the callers' own: exchanged at an
authorization server through a real Envoy, on all ways to a server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.mcp_peers import Answer, McpServer, ModernRawClient, RawClient, mcp_servers
from tests.kit.oauth_server import ACCESS, ASSERTION, OAuthServer, claims_of
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

SHOWN = f"Basic {base64.b64encode(b'gateway:s3cr%2Bt').decode()}"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  jwt: [{issuer: "ISSUER", audiences: [agents], jwks: {url: "JWKS"}}]
  api_keys: {keys: [{name: bob, key: k-bob}]}
mcp:
  servers:
    mine:
      url: "MINE"
      exchange:
        url: "IDP/token"
        client: {id: gateway, secret: "s3cr+t"}
        audience: the mine
        scopes: [dig]
    other:
      url: "OTHER"
      required: false
      exchange:
        url: "IDP/token"
        client: {id: gateway, secret: "s3cr+t"}
        subject: id_token
        audience: "SERVERS"
        assertion: {url: "SERVERS/token", client: {id: gateway, secret: "s3cr+t"}, scopes: [see]}
    open: {url: "OPEN"}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, who gives tokens for servers, and these."""

    stack: Stack
    idp: OAuthServer
    far: OAuthServer
    """The authorization server of `other`."""
    servers: dict[str, McpServer]

    def client(self, path: str, sub: str = "ann", kind: type[RawClient] = RawClient) -> RawClient:
        token = self.idp.access("agents", sub=sub)
        return kind(f"{self.stack.url}{path}", {"authorization": f"Bearer {token}"})

    def shown(self, server: str) -> list[str]:
        """By whom a server was asked: `sub`, or nothing."""
        said = [row["headers"].get("authorization", "") for row in self.servers[server].seen()]
        return [claims_of(each)["sub"] if each else "" for each in said]

    def forget(self) -> None:
        for each in self.servers.values():
            each.forget()
        for idp in (self.idp, self.far):
            idp.exchanged.clear()


@pytest.fixture(scope="module")
def served(serve_newest: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mcp-exchange")
    names = {name: ["--era", "legacy"] for name in ("mine", "other", "open")}
    with mcp_servers(**names) as servers, OAuthServer() as idp, OAuthServer() as far:
        idp.shown = far.shown = SHOWN
        text = YAML.replace("ISSUER", idp.issuer).replace("JWKS", f"{idp.url}/jwks")
        text = text.replace("IDP", idp.url).replace("SERVERS", far.issuer)
        for name, each in servers.items():
            text = text.replace(f'"{name.upper()}"', f'"{each.url}"')
        config = folder / "gateway.yaml"
        config.write_text(text)
        with serve_newest(config, folder / "state") as stack:
            yield World(stack, idp, far, servers)


@pytest.fixture
def world(served: World) -> World:
    served.forget()
    served.idp.refused.clear()
    return served


def add(client: RawClient, tool: str = "add") -> Answer:
    return client.call(tool, {"a": 2, "b": 3})


def test_a_server_alone_is_shown_a_token_of_each_callers_own(world: World) -> None:
    for who in ("ann", "bea"):
        client = world.client("/mcp/mine", who)
        client.initialize()
        for _ in range(3):
            assert add(client).result["structuredContent"] == {"total": 5, "by": "mine"}
        assert client.delete().status_code == 200
    assert set(world.shown("mine")) == {"ann", "bea"}
    seen = [row["headers"]["authorization"] for row in world.servers["mine"].seen()]
    assert {claims_of(each)["aud"] for each in seen} == {"the mine"}
    first, second = (each for each in world.idp.exchanged if "subject_token" in each)
    assert first["subject_token_type"] == ACCESS
    assert (first["audience"], first["scope"]) == ("the mine", "dig")
    assert claims_of(first["subject_token"])["sub"] == "ann"
    assert claims_of(second["subject_token"])["sub"] == "bea"


def test_the_example_shows_a_server_who_calls(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUER", world.idp.issuer)
    monkeypatch.setenv("JWKS_URL", f"{world.idp.url}/jwks")
    monkeypatch.setenv("TOKEN_URL", f"{world.idp.url}/token")
    monkeypatch.setenv("GATEWAY_SECRET", "s3cr+t")
    monkeypatch.setenv("MCP_URL", world.servers["mine"].url)
    with running(EXAMPLES / "mcp-exchange.yaml", tmp_path / "state", workers=1) as stack:
        token = world.idp.access("agents", sub="hal")
        client = RawClient(f"{stack.url}/mcp", {"authorization": f"Bearer {token}"})
        client.initialize()
        assert add(client).status == 200
    assert set(world.shown("mine")) == {"hal"}


def test_several_servers_are_each_shown_their_own_token(world: World) -> None:
    client = world.client("/mcp", "cyd")
    client.initialize()
    names = {each["name"] for each in client.ask("tools/list").result["tools"]}
    assert {"mine__add", "other__add", "open__add"} <= names
    for server in ("mine", "other", "open"):
        assert add(client, f"{server}__add").result["structuredContent"]["by"] == server
    assert set(world.shown("mine")) == set(world.shown("other")) == {"cyd"}
    assert set(world.shown("open")) == {""}
    (asserted,) = world.far.exchanged
    assert claims_of(asserted["assertion"])["got"] == ASSERTION
    assert asserted["scope"] == "see"
    audiences = {
        claims_of(row["headers"]["authorization"])["aud"] for row in world.servers["other"].seen()
    }
    assert audiences == {"the server"}


def test_the_streams_of_servers_are_asked_for_with_it_too(world: World) -> None:
    client = world.client("/mcp", "dot")
    client.initialize()
    headers = {
        **client.headers,
        "accept": "text/event-stream",
        "mcp-session-id": client.session,
        "mcp-protocol-version": client.version,
    }
    with web.stream("GET", client.url, headers=headers, timeout=20) as stream:
        assert stream.status_code == 200
        eventually(
            lambda: any(
                row["method"] == "GET" and row["headers"].get("authorization")
                for row in world.servers["mine"].seen()
            ),
            "the server is asked for its stream with a token",
        )


def test_a_client_of_the_other_era_is_shown_too(world: World) -> None:
    client = world.client("/mcp", "eva", ModernRawClient)
    assert add(client, "mine__add").result["structuredContent"]["by"] == "mine"
    assert set(world.shown("mine")) == {"eva"}


def test_who_brings_no_token_does_not_get_there(world: World) -> None:
    key = {"authorization": "Bearer k-bob"}
    refused = RawClient(f"{world.stack.url}/mcp/mine", key).ask("initialize", {})
    assert refused.status == 403
    assert refused.error["data"]["code"] == "token_needed"
    opened = RawClient(f"{world.stack.url}/mcp/open", key)
    opened.initialize()
    assert add(opened).status == 200
    assert world.shown("mine") == []
    assert set(world.shown("open")) == {""}


def test_who_is_given_none_is_refused_and_optional_servers_are_left_out(world: World) -> None:
    world.idp.refused.add("fay")
    refused = world.client("/mcp/mine", "fay").ask("initialize", {})
    assert refused.status == 403
    assert refused.error["data"]["code"] == "token_refused"
    assert "invalid_request" in refused.error["message"]
    assert "not this one" not in refused.text
    assert world.shown("mine") == []
    world.far.shown = "somebody else"
    try:
        client = world.client("/mcp", "gus")
        client.initialize()
        names = {each["name"] for each in client.ask("tools/list").result["tools"]}
        assert "mine__add" in names
        assert "other__add" not in names
    finally:
        world.far.shown = SHOWN
