"""Settings of theirs, and what is not served at all."""

from __future__ import annotations

import pytest
import yaml

from tests.gateway.importers.agentgateway.imports import config, guarded, imported, ours, outcomes

PLAIN = "binds: [{port: 80, listeners: [{routes: [{name: r, backends: [{host: 'a:1'}]}]}]}]\n"
MODELS = "llm: {port: 80, models: [{name: m, provider: ollama}]}\n"


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("localhost:15001", "localhost:15001"),
        ("off", "127.0.0.1:15000"),
        ("unix:/x", "127.0.0.1:15000"),
        ("127.0.0.1:80", "127.0.0.1:15000"),
        ("${ADDRESS}", "127.0.0.1:15000"),
        ("${ADDRESS:-0.0.0.0:15001}", "127.0.0.1:15000"),
    ],
)
def test_the_operators_address_is_taken_when_it_can_be(address: str, ours: str) -> None:
    assert config(f"{PLAIN}config: {{adminAddr: '{address}'}}").admin.address == ours


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("0.0.0.0:15000", "127.0.0.1:15000"),
        ("0.0.0.0:15001", "127.0.0.1:15001"),
        ("10.0.0.1:15001", "127.0.0.1:15001"),
        ("admin.example.com:15001", "127.0.0.1:15001"),
        ("'[::]:15001'", "127.0.0.1:15001"),
        ("'${HOST}:15001'", "127.0.0.1:15001"),
        ("'0.0.0.0:${PORT}'", "127.0.0.1:${PORT}"),
    ],
)
def test_our_admin_has_no_users_and_so_listens_on_this_machine_alone(
    address: str, ours: str
) -> None:
    text = f"{PLAIN}config: {{adminAddr: {address}}}"
    assert yaml.safe_load(imported(text).yaml)["admin"] == {"address": ours}
    assert "config.adminAddr" in guarded(text)
    assert "no users" in outcomes(text)["config.adminAddr"][2]


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.2:1", "'[::1]:1'", "'127.0.0.1:$P'"])
def test_an_address_of_this_machine_is_kept(address: str) -> None:
    text = f"{PLAIN}config: {{adminAddr: {address}}}"
    assert "config.adminAddr" not in guarded(text)


def test_a_gateway_may_have_the_port_of_our_admin() -> None:
    found = config(PLAIN.replace("port: 80", "port: 15000"))
    assert found.admin.address == "127.0.0.1:15001"


def test_prices_are_taken_over_where_they_are_whole() -> None:
    catalog = (
        "config: {modelCatalog: [{inline: {providers: {openai: {models: {"
        "a: {rates: {input: '1.5', output: 2, cacheRead: 0.1, cacheWrite: '3',"
        " reasoning: 3, inputAudio: '4', outputAudio: 5}},"
        "b: {rates: {input: '1'}}, c: {rates: {input: x, output: '1'}}}}}}}]}"
    )
    prices = config(MODELS + catalog).llm.prices
    assert list(prices) == ["openai/a"]
    price = prices["openai/a"]
    assert [str(price.input), str(price.output)] == ["1.5", "2"]
    assert [str(price.cached_input), str(price.cache_write)] == ["0.1", "3"]
    assert [price.reasoning, price.audio_input, price.audio_output] == [3, 4, 5]


def test_the_largest_body_is_that_of_every_gateway() -> None:
    found = config(f"{PLAIN}frontendPolicies: {{http: {{maxBufferSize: 1024}}}}")
    assert found.gateways["default"].max_request_bytes == 1024


def test_rules_about_connections_hold_for_every_request() -> None:
    rules = "frontendPolicies: {networkAuthorization: {rules: ['source.address == \"10.0.0.1\"']}}"
    gateway = ours(f"{PLAIN}{MODELS}{rules}")
    assert {(rule.scope.route, rule.scope.llm) for rule in gateway.rules} == {
        ("r", None),
        (None, "*"),
    }


@pytest.mark.parametrize(
    "lock",
    [
        "networkExtAuthz: {host: 'a:1'}",
        "networkAuthorization: {rules: ['source.port == 1']}",
        "unheard: 1",
    ],
)
def test_a_lock_on_connections_refuses_everything(lock: str) -> None:
    text = f"{PLAIN}{MODELS}frontendPolicies: {{{lock}}}"
    gateway = ours(text)
    assert {(rule.scope.route, rule.scope.llm, rule.expression) for rule in gateway.rules} == {
        ("r", None, "true"),
        (None, "*", "true"),
    }
    assert "frontendPolicies" in guarded(text)


def test_behind_a_load_balancer_the_clients_address_is_not_known() -> None:
    text = PLAIN.replace(
        "name: r,", "name: r, policies: {authorization: {rules: ['source.address == \"1\"']}},"
    )
    assert len(config(text).routes) == 1
    for key in ("proxy", "proxyProtocol"):
        assert config(f"{text}frontendPolicies: {{{key}: {{mode: strict}}}}").routes == ()


@pytest.mark.parametrize(
    ("section", "path"), [("mcp: {port: 80, targets: []}", "/mcp"), ("ui: {}", "/ui")]
)
def test_what_is_not_served_is_not_left_to_other_routes(section: str, path: str) -> None:
    text = "gateways: {default: {port: 80}}\nroutes: [{name: r, backends: [{host: 'a:1'}]}]\n"
    gateway = ours(text + section)
    closed = {rule.scope.route for rule in gateway.rules if rule.expression == "true"}
    assert {route.name for route in gateway.routes if route.match.prefix == path} <= closed
    assert path in {route.match.prefix for route in gateway.routes}


def test_mcp_alone_opens_its_port_and_serves_nothing() -> None:
    text = "mcp: {port: 3333, targets: [], policies: {jwtAuth: {}, authorization: {rules: []}}}"
    found = config(text)
    assert found.gateways["default"].port == 3333
    assert found.routes == ()
    assert guarded(text) == ["mcp.policies.jwtAuth", "mcp.policies.authorization"]


def test_connect_is_not_served() -> None:
    text = f"{PLAIN}frontendPolicies: {{connect: {{mode: deny}}}}"
    assert outcomes(text)["frontendPolicies.connect.mode"][0].value == "exact"
    text = f"{PLAIN}frontendPolicies: {{connect: {{mode: tunnel}}}}"
    assert outcomes(text)["frontendPolicies.connect.mode"][0].value == "unsupported"
