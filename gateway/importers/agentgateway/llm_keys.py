"""What becomes of every key of AgentGateway's `llm` section and of its LLM backends."""

from __future__ import annotations

from gateway.importers.agentgateway.keys import Rows, limit, lock, nothing, read, without
from gateway.importers.agentgateway.policy_keys import (
    ASKED_LIMITS,
    CONCURRENT,
    GATEWAY_POLICY,
    UNCOMPUTED,
)

_AZURE = ("azureResourceName", "azureResourceType", "azureApiVersion", "azureProjectName")
_TOKENIZE = "the tokens of every request are estimated before it is sent"

LLM: Rows = (
    read("gateways", "port", "tls", "providers", "models", "virtualModels", "policies"),
    read("guardrails"),
)
LLM_POLICY: Rows = (
    *GATEWAY_POLICY,
    read("guardrails", "localRateLimit"),
    limit(ASKED_LIMITS, "remoteRateLimit"),
    limit(CONCURRENT, "concurrencyLimit"),
    without(
        "a model's answer may take its time; timeouts.silence of a provider limits pauses",
        "timeout",
    ),
)
PROVIDER: Rows = (read("name", "params", "provider", "defaults"),)
PARAMS: Rows = (
    read("model", "apiKey", "baseUrl", "hostOverride", "pathOverride", "pathPrefix", *_AZURE),
    nothing(_TOKENIZE, "tokenize"),
    read("awsRegion", "vertexRegion", "vertexProject"),
)
DEFAULTS: Rows = (
    read("transformation", "backendTLS", "tls", "auth"),
    read("overrides", "defaults", "promptCaching", "health"),
    without("of the client's headers a provider sees only forward_headers", "requestHeaders"),
    without("headers of answers are neither set nor removed", "responseHeaders"),
    without("providers are reached directly, not through a proxy", "backendTunnel"),
)
"""`LocalLLMProviderDefaults`."""
MODEL: Rows = (
    read("name", "visibility", "provider", "params", "authorization", "guardrails", "matches"),
    *DEFAULTS,
    nothing("a number for their own interface", "id"),
    without("no tools are run for a provider: clients run their own", "serverTools"),
    without("paths of no known API are refused: write llm.unknown_paths", "passthrough"),
    limit(UNCOMPUTED, "finalTransformation"),
)
"""`LocalLLMModels`."""
MODEL_PROVIDER: Rows = (read("reference", "custom"),)
VIRTUAL_MODEL: Rows = (read("name", "routing"),)
ROUTING: Rows = (read("weighted", "failover", "conditional"),)
WEIGHTED: Rows = (read("targets"),)
WEIGHTED_TARGET: Rows = (read("model", "weight"),)
FAILOVER: Rows = (read("targets"),)
FAILOVER_TARGET: Rows = (read("model", "priority"),)
CONDITIONAL: Rows = (read("targets"),)
CONDITIONAL_TARGET: Rows = (read("when", "model"),)

AI_BACKEND: Rows = (
    read("name", "provider", "hostOverride", "pathOverride", "pathPrefix", "policies", "groups"),
    read("routes"),
    nothing(_TOKENIZE, "tokenize"),
)
"""`LocalAIBackend`, `LocalNamedAIProvider`."""
AI_GROUP: Rows = (read("providers"),)
AI_PROVIDER: Rows = (
    read("openAI", "openai", "gemini", "anthropic", "azure", "vertex", "bedrock", "custom"),
    lock("GitHub Copilot is no provider of this version", "copilot"),
)
VENDOR: Rows = (
    read("model"),
    lock("OpenAI is not told to moderate", "moderation"),
)
AZURE: Rows = (read("model", "resourceName", "resourceType", "apiVersion", "projectName"),)
VERTEX: Rows = (read("model", "projectId", "region"),)
BEDROCK: Rows = (
    read("model", "region"),
    lock("Bedrock's guardrails are not asked", "guardrailIdentifier", "guardrailVersion"),
)
CUSTOM: Rows = (
    read("model", "formats"),
    without("prices go by the provider's name or type; write llm.prices", "providerOverride"),
)
FORMAT: Rows = (read("type", "path"),)
