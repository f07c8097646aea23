"""What the block of the A2A gateway means, and who is told what of it."""

from __future__ import annotations

import pytest

from gateway.a2a import A2aAgent
from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.credentials import StaticKey
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of, golden_gateway


def test_each_agent_is_behind_a_cluster_and_another_where_it_speaks_grpc() -> None:
    gateway = golden_gateway("a2a")
    travel, hotels = gateway.a2a.agents
    assert travel == A2aAgent(
        "travel",
        "travel.internal:9999",
        "/.well-known/agent-card.json",
        "travel.internal:50051",
        price=10_000_000,
    )
    assert (hotels.authority, hotels.card_path) == (
        "hotels.example",
        "/agent/.well-known/agent-card.json",
    )
    assert (hotels.headers, hotels.timeout_seconds) == ((("x-partner", "dragoman"),), 3.0)
    services = {each.name: each for each in gateway.services}
    assert list(services) == ["a2a/travel", "a2a-grpc/travel", "a2a/hotels"]
    assert [each.is_grpc for each in services.values()] == [False, True, False]
    assert services["a2a/hotels"].credential == StaticKey("authorization", "Bearer ", "hotels-key")


def test_a_card_may_be_elsewhere() -> None:
    (agent,) = gateway_of("a2a: {agents: {a: {url: 'http://a/b', card: /card.json}}}").a2a.agents
    assert agent.card_path == "/card.json"


def test_agents_may_ask_each_other_for_a_while_and_not_in_circles() -> None:
    usual = gateway_of("a2a: {agents: {a: {url: 'http://a'}}}").a2a
    assert (usual.most_hops, usual.allows_loops) == (16, False)
    said = gateway_of("a2a: {max_hops: 3, loops: allow, agents: {a: {url: 'http://a'}}}").a2a
    assert (said.most_hops, said.allows_loops) == (3, True)


def test_workers_need_no_key() -> None:
    text = "a2a: {agents: {a: {url: 'http://a', key: the-key}}}"
    config = load(text, file="a.yaml", environment={})
    assert isinstance(config, Config)
    for text in (for_workers(config), published(config)):
        assert "the-key" not in text
        assert "http://a" in text


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("/", ""),
        ("/mcp", ""),
        ("/mcp/a2a", ""),
        ("/m", "path: /m/cp, "),
        ("/sse", "sse_path: /sse, "),
    ],
)
def test_agents_are_not_where_mcp_servers_are(path: str, others: str) -> None:
    text = f"""
a2a: {{path: {path}, agents: {{a: {{url: 'http://a'}}}}}}
mcp: {{{others}servers: {{b: {{url: 'http://b'}}}}}}
"""
    assert any(each.startswith("a2a.path: ") for each in complaints(text))
