"""The route of the LLM API: plan, retries, silence."""

from __future__ import annotations

import dataclasses

from gateway import names
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.resources.features import FEATURES
from xds_server.resources.llm_route import llm_route, longest_silence

GATEWAY = golden_gateway("llm-failover-paths")
BUDGETS = golden_gateway("budgets")
OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]


def test_the_longest_silence_is_allowed_to_every_try() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["retry_policy"]["per_try_idle_timeout"] == "5s"


def test_a_provider_that_no_model_names_has_no_say() -> None:
    idle = dataclasses.replace(GATEWAY.providers[0], name="idle", silence_seconds=600)
    gateway = dataclasses.replace(GATEWAY, providers=(*GATEWAY.providers, idle))
    assert longest_silence(gateway) == 5


def test_python_learns_the_largest_body_and_the_answer_where_a_budget_waits() -> None:
    for budgets, mode in ((GATEWAY.budgets, "SKIP"), (BUDGETS.budgets, "SEND")):
        gateway = dataclasses.replace(GATEWAY, budgets=budgets)
        route = llm_route(gateway, GATEWAY.listeners[0], NEW)
        overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        limit = str(GATEWAY.listeners[0].max_request_bytes)
        assert overrides["grpc_initial_metadata"] == [{"key": names.LIMIT_METADATA, "value": limit}]
        assert overrides["processing_mode"]["response_header_mode"] == mode
        assert overrides["processing_mode"]["response_trailer_mode"] == mode
        assert overrides["processing_mode"]["response_body_mode"] == "NONE"


def test_a_stream_is_idle_only_after_every_try_was_silent() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["timeout"] == "0s"
    assert action["idle_timeout"] == "40s"  # two tries of 5 s, and slack


def test_without_a_plan_nothing_is_tried_again_and_nobody_answers() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["retry_policy"]["num_retries"] == 0
    specifier = action["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    assert specifier["override_metadata_namespace"] == names.PLAN_NAMESPACE
    [group] = specifier["priority_groups"]
    assert [each["cluster_name"] for each in group["clusters"]] == [names.UNPLANNED_CLUSTER]


def test_an_envoy_that_reads_no_plans_is_steered_by_header_and_says_so() -> None:
    route = llm_route(GATEWAY, GATEWAY.listeners[0], OLD)
    assert route["route"]["cluster_header"] == names.PLAN_HEADER
    assert "inline_cluster_specifier_plugin" not in route["route"]
    assert "refresh_cluster_on_retry" not in route["route"]["retry_policy"]
    overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
    steering = {"key": names.STEERING_METADATA, "value": names.STEERED_BY_HEADER}
    assert steering in overrides["grpc_initial_metadata"]


def test_python_sees_the_answer_where_envoy_cannot_read_its_usage_and_a_budget_waits() -> None:
    for gateway, header, body in ((GATEWAY, "SKIP", "NONE"), (BUDGETS, "SEND", "STREAMED")):
        route = llm_route(gateway, gateway.listeners[0], OLD)
        mode = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        assert mode["processing_mode"]["response_header_mode"] == header
        assert mode["processing_mode"]["response_body_mode"] == body
        assert mode["processing_mode"]["response_trailer_mode"] == "SKIP"
