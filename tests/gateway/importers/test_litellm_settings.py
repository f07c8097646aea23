from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.imported import Outcome
from gateway.importers.opened import STORED
from gateway.model import Gateway
from gateway.resolve import resolve
from tests.gateway.importers.asked import let_in, lets_in, requests
from tests.gateway.importers.litellm_files import finding, imported, ours


def general(settings: str) -> str:
    """A file with these `general_settings`."""
    return f"model_list: []\ngeneral_settings: {{{settings}}}\n"


def test_the_master_key_is_a_key_for_clients() -> None:
    text = general("master_key: os.environ/MASTER")
    assert ours(text)["identity"] == {
        "api_keys": {"keys": [{"name": "master", "key": "${MASTER}"}]}
    }
    assert "admin" in finding(text, "general_settings.master_key").note


def test_the_master_key_may_be_among_the_variables_of_the_file() -> None:
    text = "environment_variables: {LITELLM_MASTER_KEY: sk-1}\nmodel_list: []\n"
    keys = ours(text)["identity"]["api_keys"]["keys"]
    assert keys == [{"name": "master", "key": "${LITELLM_MASTER_KEY:-sk-1}"}]


def test_without_a_key_only_this_machine_comes_in_and_it_is_said_first() -> None:
    found = imported(general(""))
    assert ours(general(""))["gateways"]["default"]["address"] == "127.0.0.1"
    assert found.mappings[0].is_security
    assert "LITELLM_MASTER_KEY" in found.mappings[0].note


@pytest.mark.parametrize(
    "settings",
    [
        "custom_auth: my.auth",
        "enable_jwt_auth: true",
        "enable_oauth2_auth: true",
        "litellm_jwtauth: {admin_jwt_scope: x}",
        "custom_auth_run_common_checks: true",
        "some_new_auth: true",
        "master_key: 'with a space'",
        "master_key: os.environ/no-name",
    ],
)
def test_what_cannot_be_mapped_does_not_leave_the_gateway_open(settings: str) -> None:
    text = general(settings)
    config = load(imported(text).yaml, file="ours.yaml", environment={})
    assert isinstance(config, Config)
    assert config.identity.is_required
    assert not config.identity.accepted_keys
    key = settings.partition(":")[0]
    assert finding(text, f"general_settings.{key}").is_security


@pytest.mark.parametrize("settings", ["custom_auth: ''", "enable_jwt_auth: false"])
def test_what_is_switched_off_requires_nothing(settings: str) -> None:
    assert "identity" not in ours(general(settings))


def opened(routes: object) -> Gateway:
    """What comes of a file with a model and `allowed_routes`."""
    text = (
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k}}]\n"
        f"general_settings: {{master_key: k, allowed_routes: {json.dumps(routes)}}}\n"
    )
    config = load(imported(text).yaml, file="ours.yaml", environment={})
    assert isinstance(config, Config), config
    return resolve(config)


@pytest.mark.parametrize(
    ("routes", "let"),
    [
        (["/v1/chat/completions"], {"/v1/chat/completions"}),
        (["/chat/completions"], {"/v1/chat/completions"}),
        (["/embeddings", "/v1/messages"], {"/v1/embeddings", "/v1/messages"}),
        (["/v1beta/models/m:generateContent"], {"/v1beta/models/m:generateContent"}),
        (["openai_routes", "/*", "*", "chat/completions", "/v1/models", "/v1/${X}"], set()),
        (["/v1/files"], set()),
        ([], set()),
    ],
)
def test_what_is_not_among_allowed_routes_is_closed(routes: list[str], let: set[str]) -> None:
    gateway = opened(routes)
    assert {path for path in let_in(gateway, requests()) if path not in let} == set()
    assert let <= let_in(gateway, requests())


def test_without_allowed_routes_everything_is_open() -> None:
    assert not opened(None).rules
    assert finding("general_settings: {allowed_routes: null}", "general_settings.allowed_routes")


texts = st.sampled_from(
    sorted(
        {path for _, path, _ in requests()}
        | {path.removeprefix("/v1") for _, path, _ in requests()}
        | {"/key/info", "/health", "llm_api_routes", "/v1/*"}
    )
)


@given(st.lists(texts, max_size=8))
@settings(max_examples=100, deadline=None)
def test_no_request_gets_in_that_was_kept_out_whatever_is_asked_for(routes: list[str]) -> None:
    gateway = opened(routes)
    for method, path, operation in requests():
        is_listed = path in routes or path.removeprefix("/v1") in routes
        is_let_in = lets_in(gateway, method, path)
        assert not is_let_in or is_listed, path
        assert is_let_in or not is_listed or operation in STORED, path


def test_allowed_addresses_are_a_rule_and_ranges_are_refused() -> None:
    text = general("allowed_ips: [10.0.0.1, 10.0.0.0/8]")
    assert ours(text)["authorize"] == [
        {"name": "allowed-ips", "require": 'source.address in ["10.0.0.1"]'}
    ]
    assert "ranges" in finding(text, "general_settings.allowed_ips").note


@pytest.mark.parametrize(("size", "written"), [("8", "8MiB"), ("0.5", "1MiB"), ("9999", "4095MiB")])
def test_the_largest_request(size: str, written: str) -> None:
    found = ours(general(f"max_request_size_mb: {size}"))
    assert found["gateways"]["default"]["max_request_bytes"] == written


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        ("max_budget: 100, budget_duration: 30d", {"limit": "100 USD", "per": "month"}),
        ("max_budget: 0.5, budget_duration: 12h", {"limit": "0.5 USD", "per": "day"}),
        ("max_budget: 7", {"limit": "7 USD", "per": "total"}),
        ("max_budget: 7, budget_duration: sometimes", {"limit": "7 USD", "per": "total"}),
    ],
)
def test_a_budget_is_never_more_than_theirs(settings: str, budget: dict[str, str]) -> None:
    text = f"model_list: []\nlitellm_settings: {{{settings}}}\n"
    assert ours(text)["budgets"] == [{"name": "everybody", **budget}]


def test_a_budget_of_nothing_is_none() -> None:
    text = "model_list: []\nlitellm_settings: {max_budget: 0, budget_duration: 1d}\n"
    assert "budgets" not in ours(text)
    assert finding(text, "litellm_settings.max_budget").outcome is Outcome.EXACT


def test_the_routers_timeout_counts_for_deployments_without_one() -> None:
    text = """
        model_list:
          - {model_name: a, litellm_params: {model: groq/a, api_key: k}}
          - {model_name: b, litellm_params: {model: xai/b, api_key: k, timeout: 5}}
        litellm_settings: {request_timeout: 600}
        router_settings: {timeout: 60}
    """
    providers = ours(text)["llm"]["providers"]
    assert [each["timeouts"]["silence"] for each in providers.values()] == ["60s", "5s"]
    assert finding(text, "litellm_settings.request_timeout").outcome is Outcome.UNSUPPORTED
