"""Tokens of callers' own: asked for once, kept while they are good, each shown to its server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field

import pytest

from extproc.events import Direct, RequestBody, ResponseHeaders, Show
from extproc.mcp.views import View, Views
from extproc.mcp_serving.tokens import Entered, Exchanger, bearer, exchanger
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.mcp import Mcp
from tests.kit.gateways import gateway_of
from tests.kit.identity_provider import encoded
from tests.kit.mcp_exchange import Servers, call, played, program, told

SECRET = "a secret of at least thirty-two characters"
KEYS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "kid": "1"}]}'
YAML = f"""
identity: {{jwt: [{{issuer: 'https://idp', audiences: [a], jwks: {{inline: '{KEYS}'}}}}]}}
mcp:
  servers:
    a: {{url: 'http://a/mcp', headers: {{x-one: '1'}}, exchange: {{url: 'https://idp/token'}}}}
    b: {{url: 'http://b/mcp', required: false, exchange: {{url: 'https://idp/other'}}}}
    c: {{url: 'http://c/mcp'}}
"""
ANN = Principal(Kind.JWT, "ann", claims={})


@dataclass(slots=True)
class Peers:
    """Authorization servers behind Envoy; each token is another."""

    seconds: float = 100.0
    status: int = 200
    is_away: bool = False
    refused: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        self.asked.append((cluster, asked.path))
        token = f"t{len(self.asked)}"
        await asyncio.sleep(0)
        if self.is_away:
            raise ServiceUnavailable("it is away")
        status = 400 if cluster in self.refused else self.status
        said = {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}
        return Answered(status, {}, json.dumps(said).encode())


@dataclass(slots=True)
class World:
    peers: Peers = field(default_factory=Peers)
    now: float = 0.0
    mcp: Mcp = field(default_factory=lambda: gateway_of(YAML).mcp)
    exchanger: Exchanger | None = None

    def view(self, name: str = "") -> View:
        return Views(self.mcp, (SECRET,)).all[name]

    async def enter(
        self, view: str = "", token: str = "x", who: Principal | None = ANN
    ) -> Entered | Deny:
        self.exchanger = self.exchanger or exchanger(self.mcp, self.peers, lambda: self.now)
        assert self.exchanger is not None
        headers = {"authorization": f"Bearer {token}"}
        found = self.exchanger.enter(self.view(view), who, headers)
        return await found if isinstance(found, Awaitable) else found


def tokens(found: Entered | Deny) -> dict[str, str]:
    assert isinstance(found, Entered), found
    return dict(found.tokens)


def test_where_no_server_wants_one_nobody_is_asked() -> None:
    alone = gateway_of("mcp: {servers: {c: {url: 'http://c'}}}").mcp
    assert exchanger(alone, Peers(), lambda: 0.0) is None
    world = World()
    asyncio.run(world.enter())
    assert world.exchanger is not None
    assert world.exchanger.is_for(world.view("a"))
    assert not world.exchanger.is_for(world.view("c"))


def test_each_server_is_shown_its_own_beside_what_is_always_said() -> None:
    found = asyncio.run(World().enter())
    assert tokens(found) == {"a": "Bearer t1", "b": "Bearer t2"}
    assert isinstance(found, Entered)
    assert list(found.view.servers) == ["a", "b", "c"]
    assert found.view.servers["a"].headers == (("x-one", "1"), ("authorization", "Bearer t1"))
    assert found.view.servers["c"].headers == ()


def test_a_token_is_kept_while_it_is_good_and_for_its_caller_alone() -> None:
    world = World()

    async def conversation() -> list[str]:
        found = [tokens(await world.enter("a"))["a"]]
        world.now = 89.0
        found.append(tokens(await world.enter("a"))["a"])
        found.append(tokens(await world.enter("a", "y"))["a"])
        world.now = 90.0
        found.append(tokens(await world.enter("a"))["a"])
        return found

    assert asyncio.run(conversation()) == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t3"]


def test_a_token_that_a_server_takes_no_more_is_asked_for_anew() -> None:
    world = World()

    async def conversation() -> list[str]:
        found = [tokens(await world.enter("a"))["a"], tokens(await world.enter("a", "y"))["a"]]
        assert world.exchanger is not None
        world.exchanger.forget(("a", "b"), {"authorization": "Bearer x"})
        found.append(tokens(await world.enter("a"))["a"])
        found.append(tokens(await world.enter("a", "y"))["a"])
        return found

    assert asyncio.run(conversation()) == ["Bearer t1", "Bearer t2", "Bearer t3", "Bearer t2"]


def test_no_token_is_kept_for_more_than_an_hour() -> None:
    world = World(Peers(seconds=1e9))

    async def conversation() -> None:
        await world.enter("a")
        world.now = 3601.0
        await world.enter("a")

    asyncio.run(conversation())
    assert len(world.peers.asked) == 2


def test_many_requests_of_one_caller_ask_once() -> None:
    world = World()

    async def conversation() -> list[Entered | Deny]:
        return await asyncio.gather(*(world.enter("a") for _ in range(5)))

    assert {tokens(each)["a"] for each in asyncio.run(conversation())} == {"Bearer t1"}
    assert world.peers.asked == [("service/mcp-token/a", "/token")]


@pytest.mark.parametrize(
    "who", [None, Principal(Kind.API_KEY, "bob"), Principal(Kind.CERTIFICATE, "c")]
)
def test_who_has_no_token_does_not_get_there(who: Principal | None) -> None:
    world = World()
    found = asyncio.run(world.enter(who=who))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (403, "token_needed")
    assert world.peers.asked == []


@pytest.mark.parametrize(
    ("peers", "status", "code"),
    [
        (Peers(status=400), 403, "token_refused"),
        (Peers(status=500), 502, "token_unavailable"),
        (Peers(is_away=True), 502, "token_unavailable"),
    ],
)
def test_without_a_token_nothing_is_asked_of_the_server(
    peers: Peers, status: int, code: str
) -> None:
    world = World(peers)

    async def conversation() -> None:
        for _ in range(2):
            found = await world.enter("b")
            assert isinstance(found, Deny)
            assert (found.status, found.code) == (status, code)

    asyncio.run(conversation())
    assert len(peers.asked) == 2


def test_optional_servers_are_left_out_and_required_ones_are_not() -> None:
    optional = asyncio.run(World(Peers(refused=frozenset({"service/mcp-token/b"}))).enter())
    assert isinstance(optional, Entered)
    assert list(optional.view.servers) == ["a", "c"]
    required = asyncio.run(World(Peers(refused=frozenset({"service/mcp-token/a"}))).enter())
    assert isinstance(required, Deny)


def test_the_token_is_found_where_keys_are() -> None:
    assert bearer({"authorization": "bearer  t "}) == "t"
    assert bearer({"x-api-key": "t"}) == "t"
    assert bearer({}) == ""


def test_envoy_is_told_what_the_server_is_shown() -> None:
    said = {"iss": "https://idp", "aud": "a", "sub": "ann"}
    claims = encoded(json.dumps(said).encode())
    granted = b'{"access_token": "theirs", "token_type": "Bearer"}'
    idp = Servers({"service/mcp-token/a": lambda _: Answered(200, {}, granted)})
    head = {"x_dragoman_claims": claims, "authorization": f"Bearer h.{claims}.s"}
    action = played(program(YAML, idp), "/mcp/a", **head).post(call("add"))
    assert isinstance(action, Direct)
    metadata = told(RequestBody(b""), action).dynamic_metadata
    assert metadata["dragoman.mcp"]["token"] == "Bearer theirs"
    ((_, asked),) = idp.asked
    assert f"h.{claims}.s".encode() in asked.body


@pytest.mark.parametrize(("status", "times"), [(200, 1), (401, 2), (403, 1)])
def test_a_server_that_wants_another_token_gets_one_with_the_next_call(
    status: int, times: int
) -> None:
    said = {"iss": "https://idp", "aud": "a", "sub": "ann"}
    claims = encoded(json.dumps(said).encode())
    granted = b'{"access_token": "theirs", "token_type": "Bearer"}'
    idp = Servers({"service/mcp-token/a": lambda _: Answered(200, {}, granted)})
    head = {"x_dragoman_claims": claims, "authorization": f"Bearer h.{claims}.s"}
    of = program(YAML, idp)
    for _ in range(2):
        one = played(of, "/mcp/a", mcp_session_id="", **head)
        assert isinstance(one.begin(), Show)
        one.say(RequestBody(json.dumps(call("add")).encode()))
        assert not one.exchange.is_over
        one.say(ResponseHeaders(status, "", headers={}))
        assert one.exchange.is_over
    assert len(idp.asked) == times
