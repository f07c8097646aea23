"""MCP servers that want each user's own consent: asked for by a link, in a browser, at a real
authorization server, through a real Envoy."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from gateway import names
from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.browser import Browser
from tests.kit.consent_server import CLIENT, SECRET, ConsentServer
from tests.kit.identity_provider import claims, encoded
from tests.kit.login_provider import ISSUER, LoginProvider
from tests.kit.mcp_clients import talk
from tests.kit.mcp_peers import Answer, McpServer, ModernRawClient, RawClient, mcp_servers
from tests.kit.stack import Stack, eventually, free_ports, running

pytestmark = pytest.mark.envoy

URLS = {"elicitation": {"url": {}}}
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys:
    keys: [{name: ann, key: k-ann}, {name: bob, key: k-bob}, {name: cyd, key: k-cyd},
           {name: dot, key: k-dot}, {name: eva, key: k-eva}, {name: fay, key: k-fay},
           {name: gus, key: k-gus}, {name: hal, key: k-hal}, {name: ida, key: k-ida},
           {name: jan, key: k-jan},
           {name: kim, key: k-kim},
           {name: leo, key: k-leo}, {name: mia, key: k-mia},
           {name: nat, key: k-nat}]
mcp:
  consents: {url: "http://127.0.0.1:${DRAGOMAN_PORT}"}
  servers:
    mine:
      url: "MINE"
      consent: {issuer: "ISSUER", client: {id: "CLIENT", secret: "SECRET"}}
    again: {url: "MINE", consent: {issuer: "ISSUER"}}
    open: {url: "OPEN"}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, a server that wants consent, who gives it, and one that wants none."""

    stack: Stack
    idp: ConsentServer
    servers: dict[str, McpServer]

    def client(self, path: str, who: str, kind: type[RawClient] = RawClient) -> RawClient:
        return kind(f"{self.stack.url}{path}", {"authorization": f"Bearer k-{who}"})

    def shown(self, server: str) -> set[str]:
        return {row["headers"].get("authorization", "") for row in self.servers[server].seen()}


@pytest.fixture(scope="module")
def served(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mcp-consent")
    with ConsentServer() as idp:
        options = {"mine": ["--tokens", f"{idp.url}/good"], "open": ["--era", "legacy"]}
        with mcp_servers(**options) as servers:
            text = YAML.replace("ISSUER", idp.url).replace("CLIENT", CLIENT)
            text = text.replace("SECRET", SECRET)
            for name, each in servers.items():
                text = text.replace(f'"{name.upper()}"', f'"{each.url}"')
            config = folder / "gateway.yaml"
            config.write_text(text)
            with serve(config, folder / "state") as stack:
                yield World(stack, idp, servers)


@pytest.fixture
def world(served: World) -> World:
    for each in served.servers.values():
        each.forget()
    return served


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def tools(client: RawClient) -> set[str]:
    return {each["name"] for each in client.ask("tools/list").result["tools"]}


def add(client: RawClient, tool: str = "add") -> Answer:
    return client.call(tool, {"a": 2, "b": 3})


def link_of(answer: Answer) -> str:
    """Of an error that asks for consent."""
    assert answer.error["code"] == -32042, answer.text
    (one,) = answer.error["data"]["elicitations"]
    assert one["mode"] == "url"
    assert one["elicitationId"]
    assert "http" not in one["message"]
    url: str = one["url"]
    return url


def connected(world: World, who: str, browser: Browser, path: str = "/mcp") -> RawClient:
    client = world.client(path, who)
    client.initialize(URLS)
    page = browser.consent(link_of(client.call("connect_mine")))
    assert page.status_code == 200, page.text
    return client


def test_a_server_alone_is_there_once_its_user_agrees(world: World, browser: Browser) -> None:
    client = world.client("/mcp/mine", "ann")
    client.initialize(URLS)
    assert tools(client) == {"connect_mine"}
    url = link_of(add(client))
    assert "ann" not in url
    page = browser.open(url)
    assert page.status_code == 200
    assert "api_key ann" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    done = browser.agree(page)
    assert done.status_code == 200
    assert "is connected" in done.text
    assert add(client).result["structuredContent"] == {"total": 5, "by": "mine"}
    assert "add" in tools(client)
    assert "connect_mine" not in tools(client)
    (asked,) = world.idp.authorized[-1:]
    assert asked["resource"] == world.servers["mine"].url
    assert all("k-ann" not in each for each in world.shown("mine"))


def test_in_a_federation_the_others_are_there_meanwhile(world: World, browser: Browser) -> None:
    client = world.client("/mcp", "bob")
    hello = client.initialize(URLS)
    assert hello.result["capabilities"]["tools"]["listChanged"]
    found = tools(client)
    assert {"connect_mine", "open__add"} <= found
    assert not any(each.startswith("mine__") for each in found)
    assert add(client, "open__add").result["structuredContent"]["by"] == "open"
    assert browser.consent(link_of(add(client, "mine__add"))).status_code == 200
    assert add(client, "mine__add").result["structuredContent"]["by"] == "mine"
    assert {"mine__add", "open__add"} <= tools(client)
    assert client.call("connect_mine").result["content"][0]["text"].startswith("mine is connected")


def test_a_client_without_links_is_told_in_the_text(world: World, browser: Browser) -> None:
    client = world.client("/mcp", "cyd")
    client.initialize()
    said = add(client, "mine__add").result
    assert said["isError"]
    assert said["_meta"] == {"dragoman/denied": "consent_needed"}
    (url,) = re.findall(r"http://\S+", said["content"][0]["text"])
    assert browser.consent(url).status_code == 200
    assert add(client, "mine__add").result["structuredContent"]["by"] == "mine"
    refused = world.client("/mcp", "dot")
    refused.initialize()
    error = refused.ask("prompts/get", {"name": "mine__review", "arguments": {"colour": "x"}}).error
    assert error["data"] == {"code": "consent_needed"}
    assert "http://" in error["message"]


class Ann:
    """She opens links, and says yes there, while her client goes on."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.going: list[asyncio.Future[httpx.Response]] = []

    async def elicit(self, _context: Any, asked: ElicitRequestParams) -> ElicitResult:
        assert isinstance(asked, ElicitRequestURLParams)
        opening = asyncio.to_thread(self.browser.consent, asked.url)
        self.going.append(asyncio.ensure_future(opening))
        return ElicitResult(action="accept")

    async def call(self, url: str, key: str, *calls: dict[str, int]) -> list[Any]:
        """What `mine__add` says."""
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
            way = streamable_http_client(url, http_client=http)
            async with Client(way, mode="auto", elicitation_callback=self.elicit) as client:
                return [await client.call_tool("mine__add", each) for each in calls]


def test_the_official_client_of_2026_asks_until_its_user_is_through(
    world: World, browser: Browser
) -> None:
    ann, url = Ann(browser), f"{world.stack.url}/mcp"
    first, second = talk(lambda: ann.call(url, "k-eva", {"a": 2, "b": 3}, {"a": 1, "b": 1}))
    assert all(each.result().status_code == 200 for each in ann.going)
    assert first.structured_content == {"total": 5, "by": "mine"}
    assert second.structured_content == {"total": 2, "by": "mine"}
    assert len(ann.going) == 1
    bodies = [row["body"] for row in world.servers["mine"].seen() if row["body"]]
    assert not any("dmc." in each or "inputResponses" in each for each in bodies)


def test_the_official_client_of_2025_is_told_the_link_as_an_error(
    world: World, browser: Browser
) -> None:
    async def conversation() -> Any:
        async with httpx2.AsyncClient(headers={"authorization": "Bearer k-nat"}) as http:
            way = streamable_http_client(f"{world.stack.url}/mcp", http_client=http)
            ann = Ann(browser)
            async with Client(way, mode="legacy", elicitation_callback=ann.elicit) as client:
                with pytest.raises(MCPError) as caught:
                    await client.call_tool("mine__add", {"a": 2, "b": 3})
                (one,) = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
                page = await asyncio.to_thread(browser.consent, one.url)
                assert page.status_code == 200
                return await client.call_tool("mine__add", {"a": 2, "b": 3})

    assert talk(conversation).structured_content == {"total": 5, "by": "mine"}


def test_who_declines_is_not_asked_in_a_loop(world: World) -> None:
    client = world.client("/mcp/mine", "fay", ModernRawClient)
    client.capabilities = URLS
    asked = add(client).result
    assert asked["resultType"] == "input_required"
    (question,) = asked["inputRequests"].values()
    assert question["params"]["mode"] == "url"
    (key,) = asked["inputRequests"]
    said = {
        "name": "add",
        "arguments": {"a": 1, "b": 1},
        "requestState": asked["requestState"],
        "inputResponses": {key: {"action": "decline"}},
    }
    declined = client.ask("tools/call", said).result
    assert declined["isError"]
    assert "does not allow" in declined["content"][0]["text"]


def test_tokens_are_renewed_and_asked_for_anew_when_taken_back(
    world: World, browser: Browser
) -> None:
    client = connected(world, "gus", browser)
    assert add(client, "mine__add").result["structuredContent"]["by"] == "mine"
    first = set(world.idp.access)
    world.idp.end_access()
    assert add(client, "mine__add").result["structuredContent"]["by"] == "mine"
    assert "mine__add" in tools(client)
    assert first.isdisjoint(world.idp.access)
    assert world.idp.asked[-1]["grant_type"] == "refresh_token"
    world.idp.end_all()
    again = add(client, "mine__add")
    if "error" in again.last and again.error["code"] != -32042:
        # it was renewed a moment ago: the server is not believed at once
        assert again.error["data"]["code"] == "consent_unavailable"
    assert "open__add" in tools(client)


def test_the_gateway_registers_itself_where_no_client_is_written_down(
    world: World, browser: Browser
) -> None:
    for who in ("leo", "mia"):
        client = world.client("/mcp/again", who)
        client.initialize(URLS)
        assert browser.consent(link_of(client.call("connect_again"))).status_code == 200
        assert add(client).result["structuredContent"]["by"] == "mine"
    (registered,) = world.idp.registered
    back = f"{world.stack.url}/mcp/.oauth/callback/again"
    assert registered["redirect_uris"] == [back]
    assert world.idp.authorized[-1]["client_id"] == "client-1"
    document = web.get(f"{world.stack.url}/mcp/.oauth/client/again").json()
    assert document["client_id"] == f"{world.stack.url}/mcp/.oauth/client/again"
    assert document["redirect_uris"] == [back]
    assert web.get(f"{world.stack.url}/mcp/.oauth/client/mine").status_code == 404


def test_operators_end_what_was_agreed_to(world: World, browser: Browser) -> None:
    client = connected(world, "kim", browser)
    assert add(client, "mine__add").status == 200
    tokens = world.shown("mine") - {""}
    head = {"authorization": f"Bearer {(world.stack.state / 'admin-token').read_text().strip()}"}
    admin = f"{world.stack.admin_url}/api/mcp"
    rows = web.get(f"{admin}/connections", headers=head).json()["connections"]
    (row,) = (each for each in rows if each["who"] == "api_key kim")
    said = {"server": "mine", "id": row["id"]}
    assert web.post(f"{admin}/disconnect", json=said, headers=head).status_code == 200

    def is_asked_again() -> bool:
        return "error" in client.call("connect_mine").last

    eventually(is_asked_again, "kim is asked again")
    eventually(
        lambda: is_asked_again() and any(f"Bearer {each}" in tokens for each in world.idp.revoked),
        "the token is revoked",
    )


def test_links_are_good_once_and_for_one_browser(world: World, browser: Browser) -> None:
    client = world.client("/mcp", "hal")
    client.initialize(URLS)
    url = link_of(client.call("connect_mine"))
    page = browser.open(url)
    with Browser() as other:
        stolen = other.ask("POST", url, data={"once": "0" * 64})
        assert stolen.status_code == 403
        away = browser.agree(page, follows=False)
        assert away.status_code == 303
        back = other.ask("GET", away.headers["location"])
        assert back.status_code == 302
        assert other.ask("GET", back.headers["location"]).status_code == 403
    assert browser.agree(page).status_code == 410
    assert browser.open(f"{url[:-4]}AAAA").status_code == 410
    assert client.call("connect_mine").error["code"] == -32042
    foreign = httpx.post(url, data={"once": "x"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_who_says_no_is_told_so_and_other_issuers_are_not_believed(
    world: World, browser: Browser
) -> None:
    client = world.client("/mcp", "ida")
    client.initialize(URLS)
    world.idp.is_refusing = True
    try:
        page = browser.consent(link_of(client.call("connect_mine")))
    finally:
        world.idp.is_refusing = False
    assert page.status_code == 403
    assert "access_denied" in page.text
    world.idp.other_issuer = "https://evil.example"
    try:
        page = browser.consent(link_of(client.call("connect_mine")))
    finally:
        world.idp.other_issuer = ""
    assert page.status_code == 502
    assert client.call("connect_mine").error["code"] == -32042


def test_clients_hear_that_it_is_done(world: World, browser: Browser) -> None:
    client = world.client("/mcp", "jan")
    client.initialize(URLS)
    head = {
        **client.headers,
        "accept": "text/event-stream",
        "mcp-session-id": client.session,
        "mcp-protocol-version": client.version,
    }
    with web.stream("GET", client.url, headers=head, timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": open"
        answer = client.call("connect_mine")
        browser.consent(link_of(answer))
        heard: list[str] = []
        for line in lines:
            heard.append(line)
            if "tools/list_changed" in line:
                break
    number = answer.error["data"]["elicitations"][0]["elicitationId"]
    done = [json.loads(each[6:]) for each in heard if "elicitation/complete" in each]
    assert [each["params"] for each in done] == [{"elicitationId": number}]


def test_the_example_asks_who_opens_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = free_ports(4)
    gateway = f"http://127.0.0.1:{ports[0]}"
    with LoginProvider() as people, ConsentServer() as idp:
        people.redirect_uris.add(f"{gateway}/login/staff/callback")
        with mcp_servers(tickets=["--tokens", f"{idp.url}/good"]) as servers:
            said = {
                "ISSUER": ISSUER,
                "IDP_URL": people.url,
                "LOGIN_CLIENT": people.client[0],
                "LOGIN_SECRET": people.client[1],
                "GATEWAY_URL": gateway,
                "MCP_URL": servers["tickets"].url,
                "TICKETS_ISSUER": idp.url,
                "TICKETS_CLIENT": CLIENT,
                "TICKETS_SECRET": SECRET,
            }
            for name, value in said.items():
                monkeypatch.setenv(name, value)
            example = EXAMPLES / "mcp-consent.yaml"
            with running(example, tmp_path / "state", workers=1, ports=ports) as stack:
                token = people.key.sign(claims(ISSUER, sub="ann", aud="agents"))
                client = RawClient(f"{stack.url}/mcp", {"authorization": f"Bearer {token}"})
                client.initialize(URLS)
                url = link_of(client.call("connect_tickets"))
                people.person = "mallory"
                with Browser() as mallory:
                    assert mallory.open(url).status_code == 403
                    said = {"iss": ISSUER, "sub": "ann"}
                    claims_said = encoded(json.dumps(said).encode())
                    forged = {names.LOGIN_CLAIMS_HEADER: claims_said}
                    for more in ({}, {"authorization": f"Bearer {token}"}):
                        answer = mallory.ask("GET", url, headers=forged | more)
                        assert answer.status_code in (302, 401, 403), answer.text
                people.person = "ann"
                with Browser() as ann:
                    page = ann.open(url)
                    assert "jwt ann" in page.text
                    assert ann.agree(page).status_code == 200
                assert add(client).result["structuredContent"]["by"] == "tickets"
                log = stack.log.read_text()
                assert not any(each in log for each in (*idp.access, SECRET))
