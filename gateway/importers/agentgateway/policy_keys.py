"""What becomes of every policy of AgentGateway: on gateways, listeners, routes and backends."""

from __future__ import annotations

from gateway.importers.agentgateway.keys import Rows, limit, lock, nothing, read, without

_JWT = "issuers of tokens are not taken over; write them under identity.jwt"
_DISCOVERY = "no issuer is asked where it is asked: write its endpoints under identity.logins"
NO_LOGIN = "logins are for plain routes: clients of models are no browsers"
NO_PASSWORD = "clients of models have keys: give their owners identity.api_keys"
NO_SERVICE = "of models, write llm.external_authz"
_EXT_AUTHZ = "services are asked on the way in, not behind a backend; write external_authz"
_ELSEWHERE = "a service is taken over by its host; write external_authz, and its name on the route"
_SHOWN = "the service would be shown less, or something else"
_EXT_PROC = "no processing service is asked, and what it would refuse or change is not known"
_CORS = "no answers to preflights and no CORS headers: browsers of other origins are refused"
_CSRF = "the origin of requests that change something is not checked"
_MIRROR = "no copies of a route's requests are sent; of a model's, write llm.models.NAME.mirror"
_DELAY = "no artificial latency"
_HEADERS_OUT = "headers are neither set nor removed; the backend would see those of the client"
_HEADERS_BACK = "headers of answers are neither set nor removed"
_TRANSFORM = "headers and bodies are not computed; the backend would see those of the client"
UNCOMPUTED = "values of bodies are not computed here: what they cap stays as the client wrote it"
CONCURRENT = "the number of requests at a time is not limited here"
UNLIMITED = "the number of requests is not limited here; write limits"
ASKED_LIMITS = "no service is asked for limits; write limit_services, and limits that name one"
ASKED_ELSEWHERE = (
    "on plain routes, what Envoy can ask a service with is taken over; else no service is asked for"
    " limits: write limit_services, and limits that name one"
)
MCP = "MCP is not served in this version: its clients get 404, or 403 where the place is kept"
_TUNNEL = "backends are reached directly, not through a proxy"
RELATIVE = "relative to this file; theirs is relative to where it was started"
_DIRECT = "no fixed answers; serve them from a backend"

_AUTHENTICATION: Rows = (
    read("apiKey", "authorization", "oidc", "extAuthz", "basicAuth"),
    lock(_JWT, "jwtAuth"),
)

GATEWAY_POLICY: Rows = (
    *_AUTHENTICATION,
    lock(_EXT_PROC, "extProc"),
    lock(_TRANSFORM, "transformations"),
    without(_CORS, "cors"),
)
"""`LocalGatewayPolicy`: before a route is chosen."""

ROUTE_POLICY: Rows = (
    *GATEWAY_POLICY,
    read("backendTLS", "backendAuth", "timeout", "retry", "urlRewrite", "ai", "localRateLimit"),
    read("requestHeaderModifier", "responseHeaderModifier"),
    lock("redirects are not sent; send them from a backend", "requestRedirect"),
    lock(_DIRECT, "directResponse"),
    lock(_CSRF, "csrf"),
    lock(MCP, "mcpAuthorization", "mcpGuardrails", "mcpAuthentication"),
    without("agents are passed through as plain HTTP: their cards keep their own address", "a2a"),
    without(_TUNNEL, "backendTunnel"),
    limit(ASKED_ELSEWHERE, "remoteRateLimit"),
    limit(CONCURRENT, "concurrencyLimit"),
    without("bodies stream; gateways.*.max_request_bytes limits those of requests", "buffer"),
    without(_MIRROR, "requestMirror"),
    without(_DELAY, "delay"),
)
"""`FilterOrPolicy`: on a route, or on something by its name."""

_CONNECTION: Rows = (
    without("ours are Envoy's: HTTP/1.1, without a limit of their own", "http"),
    without("ours are Envoy's; timeouts.connect of a backend is 5s", "tcp"),
    without(_TUNNEL, "backendTunnel"),
)

BACKEND_POLICY: Rows = (
    read("backendTLS", "backendAuth", "authorization", "ai"),
    read("requestHeaderModifier", "responseHeaderModifier"),
    *_CONNECTION,
    lock(_TRANSFORM, "transformations"),
    lock("redirects are not sent; send them from a backend", "requestRedirect"),
    lock(_EXT_AUTHZ, "extAuthz"),
    lock(MCP, "mcpAuthorization", "mcpGuardrails"),
    without("agents are passed through as plain HTTP: their cards keep their own address", "a2a"),
    without(
        "no endpoint of a plain route is put aside; of models, see `health`",
        "health",
    ),
    without("no endpoint picker is asked; the service is reached by its name", "inferenceRouting"),
    without("one client may reach any endpoint; of models, write sticky", "sessionAffinity"),
)
"""`LocalBackendPolicies`: after a backend is chosen."""

HEADER_MODIFIER: Rows = (
    without("the headers are not added", "add"),
    lock(_HEADERS_OUT, "set", "remove"),
)
RESPONSE_HEADER_MODIFIER: Rows = (
    without(_HEADERS_BACK, "add", "set"),
    lock("the headers are not removed from answers, and would get out", "remove"),
)
"""`HeaderModifier`."""

URL_REWRITE: Rows = (read("authority", "path"),)
PATH_REDIRECT: Rows = (
    read("prefix"),
    lock("only a prefix can be replaced; the backend would see the client's path", "full"),
)
TIMEOUT: Rows = (read("requestTimeout", "backendRequestTimeout"),)
RETRY: Rows = (
    read("attempts", "codes", "condition", "precondition"),
    without("tries follow each other after 25ms and more, with jitter", "backoff"),
)
BACKEND_TLS: Rows = (
    read("insecure", "insecureHost", "hostname", "root"),
    lock("backends are not known by SPIFFE, but by the name in their certificate", "spiffe"),
    lock("the name in a backend's certificate has to be its host", "subjectAltNames"),
    without("no client certificate is shown to backends, which may refuse", "cert", "key"),
    without("Envoy chooses", "alpn", "keyExchangeGroups"),
)
BACKEND_AUTH: Rows = (
    read("key", "passthrough", "aws", "gcp", "azure"),
    without("no tokens of GitHub Copilot are fetched", "copilot"),
    without("no tokens are signed", "jwtSign"),
    without("no tokens are exchanged", "oauthTokenExchange", "crossAppAccess"),
    without("one key goes to a provider, and none to other backends", "credentials"),
)
AWS_AUTH: Rows = (
    read("accessKeyId", "secretAccessKey", "sessionToken"),
    read("serviceName", "region", "assumeRole"),
)
GCP_AUTH: Rows = (read("type", "audience", "credential"),)
AZURE_AUTH: Rows = (read("explicitConfig", "developerImplicit", "implicit"),)
BACKEND_KEY: Rows = (read("value", "file"), read("location"))

API_KEYS: Rows = (read("keys", "mode", "location"),)
API_KEY: Rows = (read("key", "keyHash", "metadata", "allowedModels", "budgets"),)
API_KEY_BUDGET: Rows = (read("name", "limit", "window", "onBudgetExceeded"),)
BUDGET_LIMIT: Rows = (read("unit", "amount"),)
BUDGET_WINDOW: Rows = (read("rolling"),)
LOCATION: Rows = (read("header", "queryParameter", "cookie", "expression"),)
LOCATION_HEADER: Rows = (read("name", "prefix"),)

OIDC: Rows = (
    read("issuer", "authorizationEndpoint", "tokenEndpoint", "tokenEndpointAuth", "jwks"),
    read("clientId", "clientSecret", "redirectURI", "scopes"),
    lock(_DISCOVERY, "discovery"),
)
BASIC_AUTH: Rows = (read("htpasswd", "realm", "mode", "authorizationLocation"),)
BASIC_USERS: Rows = (read("file"),)
EXT_AUTHZ: Rows = (
    read("host", "protocol", "failureMode", "includeRequestHeaders", "includeRequestBody"),
    lock(_ELSEWHERE, "service", "backend", "policies"),
    without("each request is asked about", "cache"),
)
EXT_AUTHZ_PROTOCOL: Rows = (read("grpc", "http"),)
EXT_AUTHZ_GRPC: Rows = (lock(_SHOWN, "context", "metadata"),)
EXT_AUTHZ_HTTP: Rows = (
    read("includeResponseHeaders"),
    lock(_SHOWN, "path", "body", "addRequestHeaders"),
    lock("who is refused is not redirected", "redirect"),
    without("rules that read extauthz are not taken over", "metadata"),
)
EXT_AUTHZ_BODY: Rows = (read("maxRequestBytes", "allowPartialMessage", "packAsBytes"),)
JWKS: Rows = (read("url", "file"),)
"""`FileInlineOrRemote`, where it is no text."""

RULES: Rows = (read("rules"),)
RULE: Rows = (read("allow", "deny", "require"),)

ASKED_LIMIT: Rows = (
    read("domain", "host", "descriptors", "failureMode"),
    limit(ASKED_LIMITS, "service", "backend", "policies", "conditional"),
)
ASKED_DESCRIPTOR: Rows = (
    read("entries", "type"),
    limit("what a request costs, or may, the service knows alone", "cost", "limitOverride"),
)
ASKED_ENTRY: Rows = (read("key", "value"),)
RATE_LIMIT: Rows = (read("maxTokens", "tokensPerFill", "fillInterval", "type"),)

AI_POLICY: Rows = (
    read("promptGuard", "modelAliases", "routes"),
    read("overrides", "defaults", "transformations", "prompts", "promptCaching"),
    limit(UNCOMPUTED, "finalTransformations"),
)
"""`Policy`: what an LLM backend does with a call."""

PROMPTS: Rows = (read("prepend", "append"),)
PROMPT: Rows = (read("role", "content"),)
PROMPT_CACHING: Rows = (
    read("cacheSystem", "cacheMessages", "cacheTools", "minTokens", "cacheMessageOffset"),
)
HEALTH: Rows = (
    read("eviction"),
    without("what counts as a failure says llm.failover.after", "unhealthyExpression"),
)
EVICTION: Rows = (
    read("duration", "consecutiveFailures"),
    without(
        "who comes back is tried by one request, and counts as before when that succeeds",
        "restoreHealth",
    ),
    without("failures in a row count, and no score", "healthThreshold"),
)

PROMPT_GUARD: Rows = (
    read("request"),
    lock("answers are not guarded in this version", "response"),
    nothing("only answers stream, and those are not guarded", "streaming"),
)
REQUEST_GUARD: Rows = (
    read("regex", "rejection", "scope"),
    lock("no webhook is asked; say it as patterns, or guard before the gateway", "webhook"),
    lock("OpenAI's moderation is not asked in this version", "openAIModeration"),
    lock("Bedrock's guardrails are not asked in this version", "bedrockGuardrails"),
    lock("Google's Model Armor is not asked", "googleModelArmor"),
    lock("Azure's Content Safety is not asked", "azureContentSafety"),
)
REGEX: Rows = (read("action", "rules"),)
REGEX_RULE: Rows = (read("builtin", "pattern"),)
REJECTION: Rows = (
    read("body"),
    without("refusals have the status 400 and the shape of OpenAI's errors", "status", "headers"),
)
