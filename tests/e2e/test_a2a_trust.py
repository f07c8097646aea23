"""Who vouches for an agent: signed cards, extended ones, and what is told of all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc.aio
import httpx
import jwt
import pytest
from a2a.client import ClientConfig, create_client
from a2a.client.card_resolver import parse_agent_card
from a2a.client.client import Client
from a2a.types import a2a_pb2
from a2a.utils import signing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.stack import Stack, eventually, running

KEY = {"authorization": "Bearer sk-ada"}
BINDINGS = ("JSONRPC", "HTTP+JSON", "GRPC")
T = TypeVar("T")


def private() -> str:
    """A key of ES256."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signed_with(key: str, kid: str) -> Callable[[a2a_pb2.AgentCard], a2a_pb2.AgentCard]:
    """As the official SDK signs cards."""
    header: Any = {"kid": kid, "alg": "ES256", "typ": "JOSE", "jku": None}
    sign: Callable[[a2a_pb2.AgentCard], a2a_pb2.AgentCard] = signing.create_agent_card_signer(
        key, header
    )
    return sign


def jwks(key: str, kid: str) -> str:
    made = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    public = made.prepare_key(key).public_key()  # type: ignore[union-attr]
    members = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(public))
    return json.dumps({"keys": [{**members, "kid": kid, "use": "sig"}]})


@dataclass(frozen=True, slots=True)
class Trust:
    """A gateway, and agents behind it."""

    stack: Stack
    travel: Agent

    def card(self, agent: str, **headers: str) -> httpx.Response:
        url = f"{self.stack.url}/a2a/{agent}/.well-known/agent-card.json"
        return web.get(url, headers=headers, timeout=10)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    folder = tmp_path_factory.mktemp("trust")
    theirs, others, config = private(), private(), folder / "gateway.yaml"
    (folder / "ours.pem").write_text(private())
    (folder / "jwks.json").write_text(jwks(theirs, "theirs"))
    both, signatures = ("1.0", "0.3"), "signatures: {jwks: {file: jwks.json}}"
    with (
        running_agent("travel", both, sign=signed_with(theirs, "theirs")) as travel,
        running_agent("forger", sign=signed_with(others, "theirs")) as forger,
    ):
        config.write_text(
            f"""
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{required: false, api_keys: {{keys: [{{name: ada, key: sk-ada}}]}}}}
a2a:
  signing: {{key_file: ours.pem, kid: ours}}
  agents:
    travel: {{url: "{travel.url}", grpc: "{travel.grpc_url}", refresh: 1s, {signatures}}}
    forger: {{url: "{forger.url}", {signatures}}}
mcp: {{servers: {{find: {{agents: true}}}}}}
"""
        )
        with running(config, folder / "state", workers=1) as stack:
            yield Trust(stack, travel)


def verify(card: a2a_pb2.AgentCard, stack: Stack) -> None:
    """By the official SDK, with the keys that the signature names."""

    def key_of(kid: str | None, jku: str | None) -> jwt.PyJWK:
        assert (kid, jku) == ("ours", f"{stack.url}/a2a/.well-known/jwks.json")
        (key,) = jwt.PyJWKSet.from_dict(web.get(jku, timeout=10).json()).keys
        return key

    signing.create_signature_verifier(key_of, ["ES256"])(card)


def speaking(trust: Trust, binding: str, use: Callable[[Client], Awaitable[T]]) -> T:
    """What comes of a client of the official SDK."""

    async def spoken() -> T:
        async with httpx.AsyncClient(headers=KEY, timeout=10) as http:
            config = ClientConfig(
                httpx_client=http,
                supported_protocol_bindings=[binding],
                grpc_channel_factory=lambda url: grpc.aio.insecure_channel(
                    url, interceptors=[_Keyed()]
                ),
            )
            client = await create_client(f"{trust.stack.url}/a2a/travel", config)
            try:
                return await use(client)
            finally:
                await client.close()

    return asyncio.run(spoken())


class _Keyed(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = [*(details.metadata or ()), *KEY.items()]
        return await continuation(details._replace(metadata=metadata), request)


def test_the_official_sdk_verifies_the_card_that_clients_see(trust: Trust) -> None:
    found = trust.card("travel")
    assert found.status_code == 200
    verify(parse_agent_card(found.json()), trust.stack)
    again = trust.card("travel", **{"if-none-match": found.headers["etag"]})
    assert again.status_code == 304


def test_an_agent_whose_card_another_signed_is_not_shown(trust: Trust) -> None:
    assert trust.card("forger").status_code == 503
    listed = web.get(f"{trust.stack.url}/a2a", headers=KEY, timeout=10).json()["agents"]
    of = {each["name"]: each for each in listed}
    assert (of["travel"]["signedBy"], of["forger"].get("signedBy")) == ("theirs", None)
    assert "of the key 'theirs' is wrong" in of["forger"]["health"]["reason"]


@pytest.mark.parametrize("binding", BINDINGS)
def test_the_extended_card_is_at_the_gateway_and_signed(trust: Trust, binding: str) -> None:
    request = a2a_pb2.GetExtendedAgentCardRequest()
    card = speaking(trust, binding, lambda client: client.get_extended_agent_card(request))
    assert [each.id for each in card.skills] == ["greet", "book"]
    host = trust.stack.url.removeprefix("http://")
    assert {each.url for each in card.supported_interfaces} == {
        f"{trust.stack.url}/a2a/travel",
        host,
    }
    verify(card, trust.stack)
    assert [each["id"] for each in trust.card("travel").json()["skills"]] == ["greet"]


def test_clients_of_0_3_get_it_too(trust: Trust) -> None:
    url = f"{trust.stack.url}/a2a/travel"
    asked = {"jsonrpc": "2.0", "id": 1, "method": "agent/getAuthenticatedExtendedCard"}
    over_http = web.get(f"{url}/v1/card", headers=KEY, timeout=10).json()
    over_jsonrpc = web.post(url, json=asked, headers=KEY, timeout=10).json()
    assert (over_http["url"], over_jsonrpc["result"]) == (url, over_http)


def test_nobody_gets_it_whom_nobody_knows(trust: Trust) -> None:
    url = f"{trust.stack.url}/a2a/travel/extendedAgentCard"
    assert web.get(url, headers={"a2a-version": "1.0"}, timeout=10).status_code == 401


def test_models_find_agents_with_a_tool_of_mcp(trust: Trust) -> None:
    arguments = {"query": "greet people", "tag": "travel"}
    call = {"name": "search_agents", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    head = {**KEY, "accept": "application/json, text/event-stream"}
    found = web.post(f"{trust.stack.url}/mcp/find", json=body, headers=head, timeout=10).json()
    (agent,) = found["result"]["structuredContent"]["agents"]
    assert (agent["url"], agent["signedBy"]) == (f"{trust.stack.url}/a2a/travel", "theirs")


def test_cards_are_asked_for_again_though_nobody_wants_them(trust: Trust) -> None:
    def asked() -> int:
        return sum(each.path.endswith("/agent-card.json") for each in trust.travel.seen)

    before = asked()
    eventually(lambda: asked() >= before + 2, "the card is asked for again, twice", seconds=20)
