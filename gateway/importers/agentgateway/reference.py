"""`docs/reference/import-agentgateway.md`: every key of AgentGateway's that we know."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.importers.agentgateway import llm_keys, policy_keys, settings_keys, traffic_keys
from gateway.importers.agentgateway.keys import Keys, Rows
from gateway.importers.agentgateway.providers import KNOWN, REFUSED

BLOCKS: Mapping[str, Rows] = MappingProxyType(
    {
        "": traffic_keys.ROOT,
        "config": settings_keys.CONFIG,
        "config.modelCatalog[]": settings_keys.CATALOG_SOURCE,
        "config.modelCatalog[].inline.providers.NAME.models.NAME": settings_keys.CATALOG_MODEL,
        "config.modelCatalog[].inline…tiers[]": settings_keys.CATALOG_TIER,
        "config.modelCatalog[].inline.providers.NAME.models.NAME.rates": settings_keys.RATES,
        "frontendPolicies": settings_keys.FRONTEND,
        "frontendPolicies.http": settings_keys.FRONTEND_HTTP,
        "frontendPolicies.tls": settings_keys.FRONTEND_TLS,
        "binds[]": traffic_keys.BIND,
        "binds[].listeners[]": traffic_keys.LISTENER,
        "gateways.NAME": traffic_keys.GATEWAY,
        "gateways.NAME.listeners[]": traffic_keys.GATEWAY_LISTENER,
        "tls of listeners": traffic_keys.TLS,
        "routes[]": traffic_keys.ROUTE,
        "routes[].matches[]": traffic_keys.MATCH,
        "routes[].matches[].path": traffic_keys.PATH,
        "routes[].matches[].headers[].value": traffic_keys.VALUE,
        "routes[].backends[]": traffic_keys.ROUTE_BACKEND,
        "backends[]": traffic_keys.BACKEND,
        "routeGroups[]": traffic_keys.ROUTE_GROUP,
        "policies[]": traffic_keys.POLICY,
        "policies of listeners": policy_keys.GATEWAY_POLICY,
        "policies of routes": policy_keys.ROUTE_POLICY,
        "policies of backends": policy_keys.BACKEND_POLICY,
        "requestHeaderModifier": policy_keys.HEADER_MODIFIER,
        "responseHeaderModifier": policy_keys.RESPONSE_HEADER_MODIFIER,
        "urlRewrite.path": policy_keys.PATH_REDIRECT,
        "timeout": policy_keys.TIMEOUT,
        "retry": policy_keys.RETRY,
        "backendTLS": policy_keys.BACKEND_TLS,
        "backendAuth": policy_keys.BACKEND_AUTH,
        "apiKey": policy_keys.API_KEYS,
        "apiKey.keys[]": policy_keys.API_KEY,
        "basicAuth": policy_keys.BASIC_AUTH,
        "oidc": policy_keys.OIDC,
        "extAuthz": policy_keys.EXT_AUTHZ,
        "extAuthz.protocol.http": policy_keys.EXT_AUTHZ_HTTP,
        "extAuthz.includeRequestBody": policy_keys.EXT_AUTHZ_BODY,
        "authorization.rules[]": policy_keys.RULE,
        "localRateLimit[]": policy_keys.RATE_LIMIT,
        "ai": policy_keys.AI_POLICY,
        "prompts": policy_keys.PROMPTS,
        "prompts.append[]": policy_keys.PROMPT,
        "promptCaching": policy_keys.PROMPT_CACHING,
        "health": policy_keys.HEALTH,
        "health.eviction": policy_keys.EVICTION,
        "promptGuard": policy_keys.PROMPT_GUARD,
        "promptGuard.request[]": policy_keys.REQUEST_GUARD,
        "promptGuard.request[].rejection": policy_keys.REJECTION,
        "llm": llm_keys.LLM,
        "llm.policies": llm_keys.LLM_POLICY,
        "llm.providers[]": llm_keys.PROVIDER,
        "llm.providers[].defaults": llm_keys.DEFAULTS,
        "llm.models[]": llm_keys.MODEL,
        "llm.models[].params": llm_keys.PARAMS,
        "llm.virtualModels[].routing": llm_keys.ROUTING,
        "backends[].ai": llm_keys.AI_BACKEND,
        "backends[].ai.provider": llm_keys.AI_PROVIDER,
        "backends[].ai.provider.NAME": llm_keys.VENDOR,
        "backends[].ai.provider.custom": llm_keys.CUSTOM,
    }
)
"""In the order of the page."""

_HEAD = """# Keys of AgentGateway

Generated from `gateway/importers/`; `REWRITE=1 make test` writes it anew. How to import, and what
fails closed: [import](../import.md).

What becomes of each key. **read**: it is taken over as far as ours can say it; the finding says
how. **nothing**: ours does so without being told. **without**: what is around it is served without
it. **limit**: the same, and the finding is among those about security, since those who come in may
use more. **lock**: what it protects is left out, or kept in its place and refused. Keys that are
not here are reported as unknown, and are locks where they stand among policies.
"""


def markdown() -> str:
    """The page."""
    return "\n".join([_HEAD, *(_table(path, rows) for path, rows in BLOCKS.items()), _providers()])


def _table(path: str, rows: Rows) -> str:
    lines = ["| key | is | how |", "|---|---|---|", *map(_row, rows)]
    return f"## {_title(path)}\n\n" + "\n".join(lines) + "\n"


def _title(path: str) -> str:
    if not path:
        return "The file"
    return f"`{path}`" if " " not in path else path


def _row(row: Keys) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    return f"| {names} | {_kind(row)} | {row.note or ''} |"


def _kind(row: Keys) -> str:
    if row.note is None:
        return "read"
    if row.is_nothing:
        return "nothing"
    if row.is_lock:
        return "lock"
    return "limit" if row.is_limit else "without"


def _providers() -> str:
    lines = ["| provider | type | key when none is written |", "|---|---|---|"]
    for name, known in KNOWN.items():
        key = f"`${{{known.variable}}}`" if known.variable else "none"
        lines.append(f"| `{name}` | `{known.type}` | {key} |")
    lines += [f"| `{name}` | none: {why} | |" for name, why in REFUSED.items()]
    return "## Providers\n\n" + "\n".join(lines) + "\n"
