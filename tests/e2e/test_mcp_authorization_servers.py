"""Authorization servers that do otherwise than MCP clients expect, each as its vendor documents it:
by way of the gateway, the official SDK's client gets a token all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.kit import web
from tests.kit.mcp_clients import talk
from tests.kit.mcp_peers import McpServer, mcp_servers
from tests.kit.oauth_clients import REDIRECT, Browser, Shelf, signed_in
from tests.kit.oauth_server import Manners, OAuthServer
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

CLIENT, SECRET = "the-client", "s3cr+t"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  jwt: [{issuer: "ISSUER", audiences: [api], jwks: {url: "JWKS"}}]
mcp:
  servers: {tools: {url: "SERVER"}}
  auth: {url: "http://127.0.0.1:${DRAGOMAN_PORT}", scopes: {every: [mcp]}, proxy: {PROXY},
    metadata: {resource_name: NAME}}
"""
OPENID = "/.well-known/openid-configuration"
ENTRA = Manners(
    path="/tenant/v2.0",
    metadata_path=f"/tenant/v2.0{OPENID}",
    sends_iss=False,
    registers=False,
    refuses_resource=True,
    says_pkce=False,
    client=(CLIENT, SECRET),
)
AUTH0 = Manners(path="/", metadata_path=OPENID, sends_iss=False, audience_parameter=True)
OKTA = Manners(
    path="/oauth2/default",
    metadata_path="/oauth2/default/.well-known/oauth-authorization-server",
    sends_iss=False,
    registers=False,
    client=(CLIENT, ""),
)
AUTHENTIK = Manners(
    path="/application/o/mcp/",
    metadata_path=f"/application/o/mcp{OPENID}",
    sends_iss=False,
    registers=False,
    client=(CLIENT, ""),
)
KEYCLOAK = Manners(path="/realms/a", metadata_path=f"/realms/a{OPENID}")
DESCOPE = Manners(path="/P1", metadata_path=f"/P1{OPENID}")


@dataclass(slots=True)
class World:
    """One gateway, whose authorization server changes."""

    stack: Stack
    server: McpServer
    changes: int = 0

    @contextmanager
    def proxied(self, manners: Manners, proxy: str) -> Iterator[tuple[OAuthServer, Stack]]:
        self.changes += 1
        with OAuthServer(manners) as idp:
            text = written(idp, self.server, proxy, f"number {self.changes}")
            self.stack.config.write_text(text)
            eventually(self._is_there, "the authorization server is another")
            yield idp, self.stack

    def _is_there(self) -> bool:
        metadata = web.get(f"{self.stack.url}/.well-known/oauth-protected-resource").json()
        return bool(metadata["resource_name"] == f"number {self.changes}")


def written(idp: OAuthServer, server: McpServer, proxy: str, name: str) -> str:
    text = YAML.replace("ISSUER", idp.issuer).replace("JWKS", f"{idp.url}/jwks")
    text = text.replace("SERVER", server.url).replace("PROXY", proxy)
    return text.replace("NAME", name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mcp-authorization")
    with mcp_servers(tools=[]) as servers, OAuthServer() as idp:
        config = folder / "gateway.yaml"
        config.write_text(written(idp, servers["tools"], "", "number 0"))
        with running(config, folder / "state", workers=1) as stack:
            yield World(stack, servers["tools"])


def add(stack: Stack, browser: Browser) -> None:
    async def conversation() -> None:
        async with signed_in(f"{stack.url}/mcp/tools", browser, Shelf()) as client:
            added = await client.call_tool("add", {"a": 2, "b": 3})
            assert added.structured_content == {"total": 5, "by": "tools"}

    talk(conversation)


def test_entra_knows_one_client_and_no_resource(world: World) -> None:
    ours = f"vendor: entra, client: {{id: {CLIENT}, secret: '{SECRET}'}}"
    with world.proxied(ENTRA, ours) as (idp, stack):
        idp.audience = "api"
        browser = Browser()
        add(stack, browser)
        assert [each.split("?")[0] for each in browser.visited] == [
            f"{stack.url}/mcp/.oauth/authorize",
            f"{idp.url}/authorize",
        ]
        assert "resource" not in idp.authorized[-1]
        assert idp.exchanged[-1]["client_secret"] == SECRET
        form = {"grant_type": "client_credentials", "client_id": CLIENT}
        stolen = web.post(f"{stack.url}/mcp/.oauth/token", data=form)
        assert stolen.status_code == 400
        assert "client_secret" not in idp.exchanged[-1]


def test_auth0_is_asked_for_an_audience(world: World) -> None:
    ours = "vendor: auth0, audience: api"
    with world.proxied(AUTH0, ours) as (idp, stack):
        add(stack, Browser())
        assert idp.authorized[-1]["audience"] == "api"
        assert len(idp.registered) == 1


@pytest.mark.parametrize(("vendor", "manners"), [("okta", OKTA), ("authentik", AUTHENTIK)])
def test_where_nobody_can_register_clients_are_told_who_they_are(
    world: World, vendor: str, manners: Manners
) -> None:
    ours = f"vendor: {vendor}, client: {{id: {CLIENT}}}"
    with world.proxied(manners, ours) as (idp, stack):
        add(stack, Browser())
        assert idp.authorized[-1]["client_id"] == CLIENT
        bad = web.post(f"{stack.url}/mcp/.oauth/register", json={"redirect_uris": []})
        assert bad.status_code == 400
        assert bad.json()["error"] == "invalid_client_metadata"


@pytest.mark.parametrize(("vendor", "manners"), [("keycloak", KEYCLOAK), ("descope", DESCOPE)])
def test_pages_can_register_by_way_of_the_gateway(
    world: World, vendor: str, manners: Manners
) -> None:
    """Clients that check who answers go to the server itself."""
    with world.proxied(manners, f"vendor: {vendor}") as (idp, stack):
        add(stack, Browser())
        assert idp.authorized[-1]["resource"] == f"{stack.url}/mcp/tools"
        said = web.get(f"{stack.url}/.well-known/oauth-authorization-server").json()
        assert said["issuer"] == stack.url
        assert said["token_endpoint"] == f"{idp.url}/token"
        where = said["registration_endpoint"]
        assert where == f"{stack.url}/mcp/.oauth/register"
        page = {"origin": "https://app.example", "access-control-request-method": "POST"}
        preflight = web.request("OPTIONS", where, headers=page)
        assert preflight.status_code == 204
        assert "POST" in preflight.headers["access-control-allow-methods"]
        found = web.post(where, json={"redirect_uris": [REDIRECT]}, headers=page)
        assert found.status_code == 201
        assert found.headers["access-control-allow-origin"] == "*"
        assert found.json()["client_id"] == f"client-{len(idp.registered)}"


def test_metadata_that_needs_nothing_passes_as_it_is(world: World) -> None:
    with world.proxied(Manners(path="/a"), "") as (idp, stack):
        for end in ("oauth-authorization-server", "openid-configuration/mcp/tools?x=1"):
            answer = web.get(f"{stack.url}/.well-known/{end}")
            assert answer.status_code == 200
            assert answer.json() == idp.metadata()
            assert answer.headers["access-control-allow-origin"] == "*"


def test_a_server_that_is_away_is_told_of(world: World) -> None:
    away = replace(KEYCLOAK, metadata_path="/elsewhere")
    with world.proxied(away, "vendor: keycloak") as (_idp, stack):
        answer = web.get(f"{stack.url}/.well-known/oauth-authorization-server")
        assert answer.status_code == 502
        assert answer.json()["error"] == "temporarily_unavailable"
        assert web.get(f"{stack.url}/mcp/.oauth/else").status_code == 404
