"""What the block of the A2A gateway means, and who is told what of it."""

from __future__ import annotations

import pytest

from gateway.a2a import A2aAgent, Choosing
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


INSTANCES = """
a2a:
  agents:
    travel:
      key: the-key
      price: 0.5
      instances:
        blue: {url: "http://a:1/x", grpc: "http://a:2"}
        green: {url: "http://b:1", weight: 3}
    hotels: {url: "http://h"}
  groups:
    desk:
      agents: {travel: {weight: 8}, hotels: {skills: [book]}}
      choose: failover
      title: The desk
"""


def test_instances_are_places_with_names_that_no_client_can_ask_for() -> None:
    gateway = gateway_of(INSTANCES)
    travel, _, _ = gateway.a2a.agents
    assert travel.pool is not None
    blue, green = travel.pool.members
    assert (blue.agent.name, blue.key, blue.of) == ("travel~blue", "blue", "travel")
    assert (blue.agent.authority, blue.agent.grpc_authority) == ("a:1", "a:2")
    assert blue.agent.card_path == "/x/.well-known/agent-card.json"
    assert (green.weight, green.agent.price) == (3, 500_000_000)
    assert travel.pool.choosing is Choosing.LEAST_BUSY
    names = [each.name for each in gateway.services]
    assert names == ["a2a/travel~blue", "a2a-grpc/travel~blue", "a2a/travel~green", "a2a/hotels"]
    assert [each.name for each in gateway.a2a.places] == ["travel~blue", "travel~green", "hotels"]
    assert gateway.a2a.longest_seconds == 10.0
    blue_service, *_ = gateway.services
    assert blue_service.credential == StaticKey("authorization", "Bearer ", "the-key")


def test_instances_of_an_agent_share_its_weight_and_its_place_in_a_group() -> None:
    desk = gateway_of(INSTANCES).a2a.agent("desk")
    assert desk is not None
    assert desk.pool is not None
    said = [
        (each.key, each.of, each.weight, each.place, sorted(each.skills))
        for each in desk.pool.members
    ]
    assert said == [
        ("blue~travel", "travel", 2.0, 0, []),
        ("green~travel", "travel", 6.0, 0, []),
        ("hotels", "hotels", 1.0, 1, ["book"]),
    ]
    assert (desk.pool.is_group, desk.pool.title, desk.price) == (True, "The desk", 0)


def test_the_order_of_instances_is_that_of_failover_also_in_a_group() -> None:
    text = INSTANCES.replace("price: 0.5", "choose: failover")
    for name in ("travel", "desk"):
        agent = gateway_of(text).a2a.agent(name)
        assert agent is not None
        assert agent.pool is not None
        assert [each.turn for each in agent.pool.members[:2]] == [0, 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("groups: {g: {agents: {b: {}}}}", "a2a.groups.g.agents.b: no agent 'b'"),
        ("groups: {a: {agents: {a: {}}}}", "a2a.groups.a: an agent is called 'a', too"),
        ("groups: {g: {agents: {}}}", "a2a.groups.g: needs at least one agent"),
    ],
)
def test_what_is_no_group_is_told(text: str, complaint: str) -> None:
    (found,) = complaints(f"a2a: {{agents: {{a: {{url: 'http://a'}}}}, {text}}}")
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ("limits: [{name: x, for: {a2a: g}, requests: 1/min}]", "limits.0.for.a2a"),
        ("budgets: [{name: x, for: {a2a: g}, limit: 1 USD, per: day}]", "budgets.0.for.a2a"),
        (
            "authorize: [{name: x, for: {a2a: g}, phase: response, deny: 'response.status > 0'}]",
            "authorize.0.for.a2a",
        ),
        (
            "guardrails: [{type: regex, patterns: [x], for: {a2a: g}}]",
            "guardrails.0.for.a2a",
        ),
    ],
)
def test_what_is_counted_and_guarded_is_so_by_agent(policy: str, path: str) -> None:
    agents = "a2a: {agents: {a: {url: 'http://a'}}, groups: {g: {agents: {a: {}}}}}\n"
    found = complaints(agents + policy)
    assert any(each.startswith(path) and "this is a group" in each for each in found), found


def test_rules_may_name_a_group() -> None:
    rule = "authorize: [{name: x, for: {a2a: g}, deny: 'a2a.skill == \"x\"'}]"
    agents = "a2a: {agents: {a: {url: 'http://a'}}, groups: {g: {agents: {a: {}}}}}\n"
    assert [each.name for each in gateway_of(agents + rule).rules] == ["x"]


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
