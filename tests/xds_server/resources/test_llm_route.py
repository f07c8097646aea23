"""The route of the LLM API: plan, retries, silence."""

from __future__ import annotations

from gateway import names
from tests.kit.gateways import golden_gateway
from xds_server.resources.llm_route import llm_route

GATEWAY = golden_gateway("llm-failover-paths")


def test_the_longest_silence_is_allowed_to_every_try() -> None:
    action = llm_route(GATEWAY)["route"]
    assert action["retry_policy"]["per_try_idle_timeout"] == "5s"


def test_a_stream_is_idle_only_after_every_try_was_silent() -> None:
    action = llm_route(GATEWAY)["route"]
    assert action["timeout"] == "0s"
    assert action["idle_timeout"] == "40s"  # two tries of 5 s, and slack


def test_without_a_plan_nothing_is_tried_again_and_nobody_answers() -> None:
    action = llm_route(GATEWAY)["route"]
    assert action["retry_policy"]["num_retries"] == 0
    specifier = action["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    assert specifier["override_metadata_namespace"] == names.PLAN_NAMESPACE
    [group] = specifier["priority_groups"]
    assert [each["cluster_name"] for each in group["clusters"]] == [names.UNPLANNED_CLUSTER]
