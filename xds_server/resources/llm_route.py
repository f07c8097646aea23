"""The route of the LLM API: Envoy goes through the plan that extproc wrote, try by try."""

from __future__ import annotations

from gateway import names
from gateway.model import Gateway, Listener
from xds_server.resources import ext_proc
from xds_server.resources.extension import Json, duration, extension
from xds_server.resources.features import Features

NAME = "dragoman/llm"
"""No plain route can have this name, since theirs have no slash."""

_RETRY_ON = "5xx,connect-failure,reset,retriable-status-codes"
_RETRIED_CLIENT_ERRORS = [429]
_PROVIDERS_OWN = ("set-cookie", "openai-organization", "openai-project")
"""What a provider says to its customer, which is the gateway's operator."""
_SLACK_SECONDS = 30.0

_UNPLANNED: Json = {"cluster_name": names.UNPLANNED_CLUSTER, "weight": 1}
_PLANNED: Json = {
    "inline_cluster_specifier_plugin": {
        "extension": extension(
            "envoy.router.cluster_specifier_plugin.priority_group",
            "envoy.extensions.router.cluster_specifiers.priority_group.v3"
            ".PriorityGroupClusterSpecifier",
            priority_groups=[{"name": "unplanned", "clusters": [_UNPLANNED]}],
            override_metadata_namespace=names.PLAN_NAMESPACE,
        )
    }
}
"""Each try goes to the next cluster of the plan."""

_STEERED: Json = {"cluster_header": names.PLAN_HEADER}
"""The cluster is the plan, and goes through it itself. Without the header: 503."""


def llm_route(gateway: Gateway, listener: Listener, features: Features) -> Json:
    """`/v1/` → the plan, or 503 when extproc wrote none."""
    silence = longest_silence(gateway)
    return {
        "name": NAME,
        "match": {"prefix": names.LLM_PREFIX},
        "typed_per_filter_config": {
            names.EXT_PROC_FILTER: ext_proc.whole_bodies(
                listener.max_request_bytes, features, settles=bool(gateway.budgets)
            )
        },
        "response_headers_to_remove": list(_PROVIDERS_OWN),
        "route": {
            **(_PLANNED if features.reads_plans else _STEERED),
            "auto_host_rewrite": True,  # to the endpoint's hostname, at each try
            "timeout": "0s",  # answers stream for as long as they like
            "idle_timeout": duration(silence * _longest_plan(gateway) + _SLACK_SECONDS),
            "retry_policy": {
                "retry_on": _RETRY_ON,
                "retriable_status_codes": _RETRIED_CLIENT_ERRORS,
                "num_retries": 0,  # extproc raises it to what the plan has
                **({"refresh_cluster_on_retry": True} if features.reads_plans else {}),
                "per_try_idle_timeout": duration(silence),
                "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.050s"},
            },
        },
    }


def longest_silence(gateway: Gateway) -> float:
    """How long a try may send nothing. Envoy has one value for all tries of a route.

    The longest of all providers that some model names, since a shorter one would give up a
    provider that was allowed to be silent for longer.
    """
    asked = {target.provider for model in gateway.models for tier in model.tiers for target in tier}
    allowed = [each.silence_seconds for each in gateway.providers if each.name in asked]
    return max(allowed, default=300.0)


def _longest_plan(gateway: Gateway) -> int:
    return max((len(model.tiers) for model in gateway.models), default=1)
