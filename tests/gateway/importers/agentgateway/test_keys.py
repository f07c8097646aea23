"""The tables cover the whole grammar, and are applied to the last key."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.imported import Outcome
from gateway.importers.agentgateway import llm_keys, policy_keys, settings_keys, traffic_keys
from gateway.importers.agentgateway.keys import Rows, by_name, lock, nothing, read, settle, without
from tests.gateway.importers.agentgateway.foreign import alternatives, grammar
from tests.gateway.importers.agentgateway.imports import answers, node

TABLES: Mapping[str, Rows] = {
    "ROOT": traffic_keys.ROOT,
    "LocalBind": traffic_keys.BIND,
    "LocalListener": traffic_keys.LISTENER,
    "LocalGateway": traffic_keys.GATEWAY,
    "LocalGatewayListener": traffic_keys.GATEWAY_LISTENER,
    "LocalTLSServerConfig": traffic_keys.TLS,
    "LocalRoute": traffic_keys.ROUTE,
    "LocalAttachedRoute": traffic_keys.ROUTE,
    "LocalRouteGroup": traffic_keys.ROUTE_GROUP,
    "RouteMatch": traffic_keys.MATCH,
    "PathMatch": traffic_keys.PATH,
    "HeaderMatch": traffic_keys.HEADER,
    "HeaderValueMatch": traffic_keys.VALUE,
    "LocalRouteBackend": traffic_keys.ROUTE_BACKEND,
    "LocalRouteBackend.service": traffic_keys.SERVICE,
    "FullLocalBackend": traffic_keys.BACKEND,
    "LocalPolicy": traffic_keys.POLICY,
    "PolicyTarget": traffic_keys.TARGET,
    "LocalGatewayPolicy": policy_keys.GATEWAY_POLICY,
    "FilterOrPolicy": policy_keys.ROUTE_POLICY,
    "LocalBackendPolicies": policy_keys.BACKEND_POLICY,
    "HeaderModifier": policy_keys.HEADER_MODIFIER,
    "UrlRewrite": policy_keys.URL_REWRITE,
    "PathRedirect": policy_keys.PATH_REDIRECT,
    "TimeoutPolicy": policy_keys.TIMEOUT,
    "RetryPolicy": policy_keys.RETRY,
    "LocalBackendTLS": policy_keys.BACKEND_TLS,
    "BackendAuthCompat": policy_keys.BACKEND_AUTH,
    "BackendAuth": policy_keys.BACKEND_AUTH,
    "BackendAuthCompat.key": policy_keys.BACKEND_KEY,
    "BackendAuth.key": policy_keys.BACKEND_KEY,
    "FileOrInline": policy_keys.BACKEND_KEY,
    "LocalAPIKeys": policy_keys.API_KEYS,
    "LocalAPIKey": policy_keys.API_KEY,
    "AuthorizationLocation": policy_keys.LOCATION,
    "AuthorizationLocation.header": policy_keys.LOCATION_HEADER,
    "ExtAuthz": policy_keys.EXT_AUTHZ,
    "ExtAuthzProtocol": policy_keys.EXT_AUTHZ_PROTOCOL,
    "ExtAuthzProtocol.grpc": policy_keys.EXT_AUTHZ_GRPC,
    "ExtAuthzProtocol.http": policy_keys.EXT_AUTHZ_HTTP,
    "BodyOptions": policy_keys.EXT_AUTHZ_BODY,
    "LocalBasicAuth": policy_keys.BASIC_AUTH,
    "LocalOidcConfig": policy_keys.OIDC,
    "FileInlineOrRemote": policy_keys.JWKS,
    "RuleSet": policy_keys.RULES,
    "RuleSerde": policy_keys.RULE,
    "RateLimitSpec": policy_keys.RATE_LIMIT,
    "Policy": policy_keys.AI_POLICY,
    "PromptEnrichment": policy_keys.PROMPTS,
    "SimpleChatCompletionMessage": policy_keys.PROMPT,
    "PromptCachingConfig": policy_keys.PROMPT_CACHING,
    "LocalHealthPolicy": policy_keys.HEALTH,
    "LocalEviction": policy_keys.EVICTION,
    "PromptGuard": policy_keys.PROMPT_GUARD,
    "RequestGuard": policy_keys.REQUEST_GUARD,
    "RegexRules": policy_keys.REGEX,
    "RegexRule": policy_keys.REGEX_RULE,
    "RequestRejection": policy_keys.REJECTION,
    "LocalLLMConfig": llm_keys.LLM,
    "LocalLLMPolicy": llm_keys.LLM_POLICY,
    "LocalLLMProvider": llm_keys.PROVIDER,
    "LocalLLMParams": llm_keys.PARAMS,
    "LocalLLMProviderDefaults": llm_keys.DEFAULTS,
    "LocalLLMModels": llm_keys.MODEL,
    "LocalBuiltinModelAIProvider": llm_keys.MODEL_PROVIDER,
    "LocalLLMVirtualModel": llm_keys.VIRTUAL_MODEL,
    "LocalLLMVirtualModelRouting": llm_keys.ROUTING,
    "LocalLLMWeightedRouting": llm_keys.WEIGHTED,
    "LocalLLMWeightedTarget": llm_keys.WEIGHTED_TARGET,
    "LocalLLMFailoverRouting": llm_keys.FAILOVER,
    "LocalLLMFailoverTarget": llm_keys.FAILOVER_TARGET,
    "LocalLLMConditionalRouting": llm_keys.CONDITIONAL,
    "LocalLLMConditionalTarget": llm_keys.CONDITIONAL_TARGET,
    "LocalAIBackend": llm_keys.AI_BACKEND,
    "LocalNamedAIProvider": llm_keys.AI_BACKEND,
    "LocalAIProviders": llm_keys.AI_GROUP,
    "AIProvider": llm_keys.AI_PROVIDER,
    "OpenAIProvider": llm_keys.VENDOR,
    "GeminiProvider": llm_keys.VENDOR,
    "AnthropicProvider": llm_keys.VENDOR,
    "AzureProvider": llm_keys.AZURE,
    "BedrockProvider": llm_keys.BEDROCK,
    "VertexProvider": llm_keys.VERTEX,
    "AwsAuth": policy_keys.AWS_AUTH,
    "GcpAuth": policy_keys.GCP_AUTH,
    "AzureAuth": policy_keys.AZURE_AUTH,
    "CustomProvider": llm_keys.CUSTOM,
    "ProviderFormatConfig": llm_keys.FORMAT,
    "RawConfig": settings_keys.CONFIG,
    "ModelCatalogSource": settings_keys.CATALOG_SOURCE,
    "Catalog": settings_keys.CATALOG,
    "Provider": settings_keys.CATALOG_PROVIDER,
    "Model": settings_keys.CATALOG_MODEL,
    "Tier": settings_keys.CATALOG_TIER,
    "Rates": settings_keys.RATES,
    "LocalFrontendPolicies": settings_keys.FRONTEND,
    "FrontendHTTP": settings_keys.FRONTEND_HTTP,
    "TLS": settings_keys.FRONTEND_TLS,
    "Connect": settings_keys.CONNECT,
}
WHOLE = frozenset(
    {
        # read, and answered as one
        "LocalSimpleMcpConfig",
        "LocalUIConfig",
        "AwsAssumeRole",
        "AzureAuth.explicitConfig",
        "AzureAuth.developerImplicit",
        "AzureAuth.implicit",
        "LocalAttachedTCPRoute",
        "ListenerTarget",
        "RouteName",
        "BackendTarget",
        "ListenerSetTarget",
        "ResourceName",
        "HostRedirect",
        "QueryMatch",
        "LLMRouteMatch",
        "LocalConditionalPolicies_RateLimitSpec",
        "LocalConditionalPolicies_ExtAuthz",
        "ExtAuthzFailureMode",
        "AuthorizationLocation.queryParameter",
        "AuthorizationLocation.cookie",
        "BackendAuthCompat.passthrough",
        "BackendAuth.passthrough",
        "Proxy",
    }
)


def names(kind: str, known: frozenset[str] = frozenset()) -> set[str]:
    """The blocks that a type is made of."""
    blocks, types = grammar()
    found: set[str] = set()
    for each in alternatives(kind):
        bare = each.removeprefix("map<").removesuffix(">").strip("[]{}")
        if bare in known:
            continue
        found |= {bare} & set(blocks)
        inner = types.get(bare, bare if bare != each else "")
        found |= names(inner, known | {bare} if bare in types else known) if inner else set()
    return found


def test_every_key_of_the_grammar_is_in_a_table_or_below_one_that_is() -> None:
    blocks, _ = grammar()
    waiting, seen = ["ROOT"], {"ROOT"}
    missing: list[str] = []
    while waiting:
        name = waiting.pop()
        rows = by_name(TABLES.get(name, ()))
        for key in blocks[name]:
            row = rows.get(key.name)
            if row is None:
                missing.append(f"{name}.{key.name}")
            elif row.note is None:
                fresh = names(key.type) - WHOLE - seen
                seen |= fresh
                waiting += fresh
    assert missing == []
    assert set(TABLES) - seen == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_no_key_that_theirs_does_not(name: str) -> None:
    """But for those that came after the grammar."""
    later = {"budgets", "maxConcurrentRequests", "file", "openai", "concurrencyLimit"}
    later |= {"guardrails"} if name == "LocalLLMConfig" else set()
    later |= {"timeout"} if name == "LocalLLMPolicy" else set()
    later |= {"serverTools"} if name == "LocalLLMModels" else set()
    later |= {"tls", "extAuthz"} if name == "LocalLLMProviderDefaults" else set()
    known = {key.name for key in grammar()[0][name]} | later
    if TABLES[name] in (llm_keys.AI_BACKEND, policy_keys.BACKEND_KEY, policy_keys.BACKEND_AUTH):
        return  # one table for two blocks
    if TABLES[name] is llm_keys.VENDOR or TABLES[name] is traffic_keys.ROUTE:
        return
    assert set(by_name(TABLES[name])) - known == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_key_is_in_one_row_and_a_row_says_why(name: str) -> None:
    keys = [key for row in TABLES[name] for key in row.names]
    assert len(keys) == len(set(keys))
    for row in TABLES[name]:
        assert row.note is None or (row.note and not row.note.endswith("."))


ROWS: Rows = (
    read("mine"),
    without("it works without", "extra"),
    lock("it keeps people out", "gate"),
    nothing("ours does so anyway", "anyway"),
)


def test_rows_answer_their_keys_and_name_the_locks() -> None:
    top, _ = node("{mine: 1, extra: 1, gate: 1, anyway: 1}")
    assert settle(top, ROWS) == ("gate",)
    top.take("mine").exact("ours")
    said = answers(top)
    assert said["extra"].outcome is Outcome.UNSUPPORTED
    assert not said["extra"].is_security
    assert said["gate"].is_security
    assert said["anyway"].outcome is Outcome.EXACT


def test_a_key_that_we_do_not_know_may_be_a_lock() -> None:
    top, _ = node("{gaet: 1}")
    assert settle(top, ROWS) == ("gaet",)
    assert answers(top)["gaet"].note == "unknown key (did you mean 'gate'?)"
    top, _ = node("{gaet: 1}")
    assert settle(top, ROWS, unknown_is_lock=False) == ()


def test_a_lock_with_nothing_after_it_locks_nothing() -> None:
    top, _ = node("{gate: null}")
    assert settle(top, ROWS) == ()
    assert answers(top)["gate"].outcome is Outcome.EXACT
