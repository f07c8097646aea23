"""Whose configuration a text is: ours, or another gateway's, which is then converted.

Both AgentGateway's files and ours have `gateways`, `routes`, `llm` and `mcp`, so the shape decides:
their models are a list and ours are named. In doubt a file is ours, and our loader says what is
wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.config.document import read
from gateway.config.schema import Config
from gateway.imported import Imported
from gateway.importers.agentgateway import convert as convert_agentgateway
from gateway.importers.agentgateway.variables import Variables
from gateway.importers.litellm import convert as convert_litellm
from gateway.problem import Problem


class Foreign(StrEnum):
    """Whose files are converted."""

    AGENTGATEWAY = "agentgateway"
    LITELLM = "litellm"


_LITELLM = frozenset({"model_list", "litellm_settings", "router_settings", "general_settings"})
_LITELLM_BESIDE = frozenset({"environment_variables", "credential_list", "mcp_servers"})

_AGENTGATEWAY: Mapping[str, type] = {
    "binds": list,
    "policies": list,
    "workloads": list,
    "services": list,
    "backends": list,
    "routeGroups": list,
    "tcpRoutes": list,
    "frontendPolicies": dict,
    "config": dict,
    "ui": dict,
}
"""Keys at the top that only they have, and what stands below each."""
_SHARED = frozenset({"gateways", "routes", "llm", "mcp"})
_THEIR_GATEWAY = frozenset(
    {"protocol", "listeners", "oidc", "jwtAuth", "authorization", "extAuthz", "extProc"}
) | {"cors", "transformations", "basicAuth", "apiKey"}
_THEIR_ROUTE = frozenset({"matches", "policies", "hostnames", "namespace", "ruleName"})
_THEIR_BACKEND = frozenset({"host", "service", "backend", "ai", "mcp", "aws", "dynamic"}) | {
    "routeGroup",
    "policies",
}
_OUR_ROUTE = frozenset({"match", "backend", "replace_prefix", "auth", "retries", "timeout"})


def import_text(text: str, file: str) -> Imported | tuple[Problem, ...] | None:
    """A foreign file converted, or what is wrong with it. None: ours, or nobody's that we know."""
    match recognise(text):
        case Foreign.AGENTGATEWAY:
            return convert_agentgateway(text, file)
        case Foreign.LITELLM:
            return convert_litellm(text, file)
        case None:
            return None


def recognise(text: str) -> Foreign | None:
    """Whose file it is. None: ours, or nobody's that we know."""
    value = _value(text)
    if not isinstance(value, dict):
        return None
    if not _LITELLM.isdisjoint(value) or _is_guards_of_litellm(value):
        return Foreign.LITELLM
    if _is_agentgateways(value):
        return Foreign.AGENTGATEWAY
    return None


def _value(text: str) -> object:
    """The document. AgentGateway's variables may stand where YAML takes no braces."""
    document = read(text, {})
    if document.is_readable:
        return document.value
    return read(Variables().take_out(text), {}).value


def _is_guards_of_litellm(top: Mapping[str, object]) -> bool:
    """A file that is included by another may have no models."""
    if _is_ours(top):
        return False
    guards = top.get("guardrails")
    has_guards = isinstance(guards, list) and any(
        isinstance(guard, dict) and "guardrail_name" in guard for guard in guards
    )
    return has_guards or not _LITELLM_BESIDE.isdisjoint(top)


def _is_agentgateways(top: Mapping[str, object]) -> bool:
    if isinstance(top.get("binds"), list):
        return True
    if _is_ours(top):
        return False
    has_theirs = any(isinstance(top.get(key), kind) for key, kind in _AGENTGATEWAY.items())
    has_no_other = set(top) <= {*_AGENTGATEWAY, *_SHARED}
    return (has_theirs and has_no_other) or _has_their_shape(top)


def _is_ours(top: Mapping[str, object]) -> bool:
    """Whether anything is written as only we write it."""
    own = set(Config.model_fields) - _SHARED - set(_AGENTGATEWAY) - {"guardrails", "include"}
    if not own.isdisjoint(top):
        return True
    llm, mcp, routes = _below(top, "llm"), _below(top, "mcp"), top.get("routes")
    return (
        any(isinstance(llm.get(key), dict) for key in ("models", "providers", "prices"))
        or isinstance(mcp.get("servers"), dict)
        or _any_has(routes, _OUR_ROUTE)
    )


def _has_their_shape(top: Mapping[str, object]) -> bool:
    llm, mcp, gateways = _below(top, "llm"), _below(top, "mcp"), _below(top, "gateways")
    return (
        any(isinstance(llm.get(key), list) for key in ("models", "providers", "virtualModels"))
        or isinstance(mcp.get("targets"), list)
        or _any_has(top.get("routes"), _THEIR_ROUTE)
        or any(_any_has(backends, _THEIR_BACKEND) for backends in _backends(top.get("routes")))
        or _any_has(list(gateways.values()), _THEIR_GATEWAY)
    )


def _below(top: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = top.get(key)
    return found if isinstance(found, dict) else {}


def _backends(routes: object) -> list[object]:
    items = routes if isinstance(routes, list) else []
    return [item.get("backends") for item in items if isinstance(item, dict)]


def _any_has(items: object, keys: frozenset[str]) -> bool:
    return isinstance(items, list) and any(
        isinstance(item, dict) and not keys.isdisjoint(item) for item in items
    )
