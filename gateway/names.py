"""Every name that crosses a process: headers, metadata, clusters, filters, type URLs.

Both compilers (Envoy resources, extproc program) read them here, so they cannot disagree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

CONFIGURATION_TYPE = "type.googleapis.com/dragoman.v1.Configuration"
CONFIGURATION_NAME = "dragoman"
WORKER_AGENT, HUB_AGENT = "dragoman-extproc", "dragoman-hub"
"""What those who ask for it say that they are."""

VERDICTS_FOLDER = "verdicts"
AGENT_LOOKS_FOLDER = "agents"
"""How each worker found A2A agents, in the state directory."""
STORE_KIND = "store"
"""Of counts that stand there beside those of verdicts: of stores that gave no answer."""
"""In the state directory, a JSON file for each worker:
`[[kind, name, verdict, mode, code, count], …]`."""

EXT_PROC_FILTER = "dragoman.ext_proc"
"""Not the well-known name: Istio's per-route overrides hit that one."""
USAGE_FILTER = "dragoman.usage"
KEEP_FILTER = "dragoman.keep"
WIPE_FILTER = "dragoman.wipe"
HEADERS_FILTER = "dragoman.headers"
ADDRESS_FILTER = "dragoman.address"
CREDENTIAL_FILTER = "dragoman.credential"
TOKEN_FILTER = "dragoman.token"
JUDGE_FILTER = "dragoman.judge"
BETAS_FILTER = "dragoman.betas"

COUNT_FILTER = "dragoman.local_ratelimit"
"""Counts requests where Envoy does so itself."""
COUNT_TELLING_FILTER = "dragoman.local_ratelimit.told"
LIMIT_SERVICE_FILTER = "dragoman.ratelimit"
"""Of one service: with its name behind a slash."""
LIMIT_HEADER = "x-dragoman-limit"
"""Of an answer of Envoy's own: which limit refused; removed before the client sees it."""
TOKENS_FILTER = "dragoman.jwt"
"""Checks the tokens of clients."""
RULES_FILTER = "dragoman.rbac"
"""Decides on plain routes where Python need not be asked."""

LOGIN_FILTER_PREFIX = "dragoman.login/"
"""Sends browsers to log in; the name of the login follows."""
LOGIN_GUARD_FILTER = "dragoman.login_guard"
"""Before them: a request with a credential brings no login."""
LOGIN_COOKIES_FILTER = "dragoman.login_cookies"
"""Behind them, and whoever reads tokens: no backend sees the cookies of a login."""
LOGIN_ROUTE_PREFIX = "dragoman/login/"
"""Of routes at which browsers come back, or sign out; the name of the login follows, and which."""

CORS_FILTER = "envoy.filters.http.cors"
EXTERNAL_FILTER_PREFIX = "dragoman.external/"
"""Asks a service of the operator's own; the service's name follows."""
EXTERNAL_TOLD_FILTER = "dragoman.external_told"
EXTERNAL_TOLD_NAMESPACE = "dragoman.external"
"""Untyped dynamic metadata, `{service: true}`: the services that this connection's chain asks."""
EXTERNAL_NAMESPACE = "envoy.filters.http.ext_authz"
"""Untyped dynamic metadata: what that service says of the request. Envoy's own name."""

EXTPROC_CLUSTER = "dragoman_extproc"
SERVICES = "dragoman_services"
"""The listener by which extproc asks services."""
SERVICES_ADDRESS = "127.0.0.1:18010"
"""Where it is, where nobody says otherwise: this machine's alone."""
HUB_CLUSTER = "service/hub"
"""The hub of the MCP gateway; extproc asks it as it asks services."""
HUB_STREAMS = "/streams"
"""Where the hub says what several servers say unasked, as one stream."""
HUB_CONNECTED = "/connected"
"""Where it is told that a caller has agreed that a server is used for them:
`extproc.mcp.tickets.Connected`, in JSON."""
HUB_RENAMED = "/renamed"
"""Where it is told what clients call resources: `extproc.mcp.renamed.Renamed`, in JSON."""
HUB_RENEWED, HUB_LOST = "/renewed", "/lost"
"""Where it is told of sessions with servers that were begun anew, and asked for them."""
HUB_ROUNDS = "/rounds"
"""Where it takes calls between eras, in which servers may ask back."""
HUB_ADDRESS = "127.0.0.1:18011"
"""Where it is, where nobody says otherwise."""
UNPLANNED_CLUSTER = "dragoman_unplanned"
"""Has no endpoints: where a request goes that extproc let pass without a plan. Always 503."""

PLAN_NAMESPACE = "dragoman.plan"
"""Untyped dynamic metadata: `{priority_groups: [...]}`, read by the priority_group specifier."""
REQUEST_NAMESPACE = "dragoman.request"
"""Untyped dynamic metadata, what the tries need to know: `{path, paths: {cluster: path}, said: {…},
bodies: {cluster: {dialect, model, form}}, stream}`. `paths` has those that differ from `path`,
`bodies` those that are not `said` as the body that is forwarded."""
CLIENT_NAMESPACE = "dragoman.client"
"""Untyped dynamic metadata, `{keys: {header: value}}`: clients' own keys for providers."""
FAILURES_NAMESPACE = "dragoman.failures"
"""Untyped dynamic metadata, `{cluster: {status, header: value}}`: the answers of tries that failed,
with those of `RETRY_AFTER_HEADERS` that they had."""
TRY_NAMESPACE = "dragoman.try"
"""Untyped dynamic metadata, `{added: [header], length, betas}`: what the last try added, and the
next removes; the length of the body that was forwarded, and the betas that it asked for."""
STREAM_NAMESPACE = "dragoman.stream"
"""Untyped dynamic metadata of a streamed answer that a budget waits for and extproc is not shown,
`{id, sampled}`: what Envoy's access log calls it, and whether it is logged however it ends."""
STREAM_NUMBER = "id"
"""64 bits in hexadecimal digits."""
STREAM_SAMPLED = "sampled"
LIMITS_NAMESPACE = "dragoman.limits"
"""Untyped dynamic metadata, where the client's limits stand, for headers of the answer: `{name:
text}`, with some of the names below."""
MCP_NAMESPACE = "dragoman.mcp"
"""Untyped dynamic metadata, `{session, token, webhook}`: what the client calls its session; what
the server is shown of who calls: `Bearer …`; of notifications of agents, their address."""
MCP_SESSION = "session"
MCP_TOKEN = "token"
RATE_LIMITS = (
    "limit-requests",
    "remaining-requests",
    "reset-requests",
    "limit-tokens",
    "remaining-tokens",
    "reset-tokens",
)
"""OpenAI's headers without their `x-ratelimit-`."""
LOW_BUDGET_HEADER = "x-dragoman-low-budget"
"""Tells clients that another model answers, and which budget is low: `NAME; model=MODEL`."""
LOW_BUDGET = "low-budget"
"""In `LIMITS_NAMESPACE`: what that header says."""
RATE_LIMIT_PREFIX = "x-ratelimit-"
IETF_RATE_LIMITS = (("ratelimit-policy", "policy"), ("ratelimit", "state"))
"""The IETF's headers, and what their values are called there."""
PROVIDER_NAMESPACE = "dragoman.provider"
"""Metadata of a provider's endpoints, `{name: openai}`: whose filters a try of a plan cluster
runs."""
RULES_NAMESPACE = "dragoman.rules"
"""Metadata of plain routes on which Envoy decides, `{response code details: reason}`."""
DECISION_NAMESPACE = "envoy.filters.http.rbac"
"""Untyped dynamic metadata that Envoy's filter of rules writes, of the names below."""
DECISION = "enforced_engine_result"
DENIED = "denied"
DECIDING_POLICY = "enforced_effective_policy_id"
"""The name of a rule, of several that allow with commas, or one of these, which no rule has."""
INVALID_TOKEN_POLICY = "dragoman/invalid_token"
MISSING_CREDENTIAL_POLICY = "dragoman/missing_credential"
REFUSALS_NAMESPACE = "dragoman.refusals"
"""Metadata of routes on which Envoy asks or counts, `{by: {response code details: name}}`: of the
service, or of the limits, that refuse. Of one limit among several, the details end in `/` and how
many requests it lets through."""
REFUSING = "by"
"""In there; and the tag by which Envoy's access log has it, as JSON."""
RULES_REFUSED = "rbac_access_denied_matched_policy["
"""What `response.code_details` begin with where the filter of rules refuses; the policy follows."""
NOT_ASKED = f"{RULES_REFUSED}none]"
"""The connection is older than the external service of its route."""
EXTERNAL_DENIED, EXTERNAL_FAILED = "ext_authz_denied", "ext_authz_error"
ENVOYS_LIMITED = "local_rate_limited"
SERVICE_LIMITED, SERVICE_FAILED = "request_rate_limited", "rate_limiter_error"
NOT_LOGGED_IN = ("Unauthorized", "Failed to refresh the access token")
"""With a 401, one of these: a login's filter has not sent who asks to log in."""
LOGIN_REQUIRED, LOGIN_FAILED = "login_required", "login_failed"
"""What is said then, on a route, and on those of the login itself; in `by`, the login's name."""
UNDECIDED = "ext_proc"
"""What they begin with where extproc gave no answer."""
TOO_LARGE = "request_payload_too_large"
WITHOUT_KEY = "lua_response"
"""With a 401: the client has not brought the key of a provider."""
NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
WRONG_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"
"""In the reason why a handshake failed (TLS): the client's is not there, or not good."""
USAGE_NAMESPACE = "envoy.ai.token_usage"
"""Typed dynamic metadata that ai_protocol_manager writes: `envoy.data.ai.v3.TokenUsage`."""

CREDENTIAL_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
"""Where clients of the known dialects put their key, and providers look for theirs."""

BETAS_HEADER = "anthropic-beta"
"""The features that a client of Anthropic's wants before they are everybody's."""

OWN_HEADER_PREFIX = "x-dragoman-"
PLAN_HEADER = f"{OWN_HEADER_PREFIX}plan"
"""The cluster that a request goes to, where a route is steered by header; set by extproc alone."""
MIRROR_HEADER = f"{OWN_HEADER_PREFIX}mirror"
"""The cluster that gets a copy of a request, by which a route is chosen; set by extproc alone."""
MIRROR_PATH_HEADER = f"{OWN_HEADER_PREFIX}mirror-path"
"""The path of the copy: a mirror's filters see no metadata of the request."""
MIRROR_ORDER_HEADER = f"{OWN_HEADER_PREFIX}mirror-order"
"""How the body of the copy is to be said: `wire.Order`, in JSON."""
CLAIMS_HEADER = f"{OWN_HEADER_PREFIX}claims"
"""The claims of the token that Envoy has checked, as they stand in it: JSON in base64url."""
LOGIN_CLAIMS_HEADER = f"{OWN_HEADER_PREFIX}login-claims"
"""The same of the token of somebody who has logged in."""
LOGIN_SESSION_HEADER = f"{OWN_HEADER_PREFIX}login-session"
"""The cookie of a login that is kept here."""
SERVICE_HEADER = f"{OWN_HEADER_PREFIX}service"
"""Of a request of extproc's: the cluster of the service that it is for."""
MCP_HEADER = f"{OWN_HEADER_PREFIX}mcp"
"""The cluster that an MCP request goes to; set by extproc alone."""
A2A_HEADER = f"{OWN_HEADER_PREFIX}a2a"
"""The cluster that an A2A request goes to; set by extproc alone."""
A2A_OTHERS_HEADER = f"{OWN_HEADER_PREFIX}a2a-others"
"""How many others may get it, where there is no connection to that one; set by extproc alone."""
A2A_BRIDGE_CLUSTER = "dragoman_a2a_bridge"
"""Leads agents of JSON what clients of gRPC ask, and gives their answers trailers."""
A2A_TYPE_HEADER = f"{OWN_HEADER_PREFIX}a2a-type"
A2A_ACCEPT_HEADER = f"{OWN_HEADER_PREFIX}a2a-accept"
A2A_STATUS_HEADER = f"{OWN_HEADER_PREFIX}a2a-status"
"""`content-type`, `accept` and status behind that bridge; before it they are gRPC's."""
A2A_FRAMED_HEADER = f"{OWN_HEADER_PREFIX}a2a-framed"
"""Of a request whose answer may be empty: before the bridge, both bodies have gRPC's prefix."""
WEBHOOK_ADDRESS, WEBHOOKS, PLAIN_WEBHOOKS = "webhook", "webhooks/https", "webhooks/http"
"""Of notifications: where their address is in the metadata of MCP, `192.0.2.1:443`; clusters."""
MCP_SSE_HEADER = f"{OWN_HEADER_PREFIX}mcp-sse"
"""Of a request of a client of HTTP with SSE to the hub: the cluster that leads back to Envoy."""
MCP_STREAMS_HEADER = f"{OWN_HEADER_PREFIX}mcp-streams"
"""Of a request to the hub's streams, base64 of JSON: `{view, servers: {name: [session id,
revision]}, number}`."""
MCP_ROUNDS_HEADER = f"{OWN_HEADER_PREFIX}mcp-rounds"
"""Of a request to the hub's bridges: `extproc.mcp.rounds.Envelope`, in base64."""
MCP_SESSION_HEADER = "mcp-session-id"
A2A_GRPC_SERVICES = ("lf.a2a.v1.A2AService", "a2a.v1.A2AService")
"""Of revision 1.0, and of 0.3."""
MAX_RETRIES_HEADER = "x-envoy-max-retries"
RETRY_ON_HEADER = "x-envoy-retry-on"
TIMEOUT_HEADER = "x-envoy-upstream-rq-timeout-ms"
"""For the whole answer."""
TRY_TIMEOUT_HEADER = "x-envoy-upstream-rq-per-try-timeout-ms"
"""Until a try has to have begun its answer."""
RETRY_HEADER = f"{OWN_HEADER_PREFIX}retry"
"""Of an answer after which the next target is tried, though its status does not say so; set in the
provider's cluster, and never seen by a client."""
RETRY_AFTER_HEADERS = (
    "retry-after-ms",
    "retry-after",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)
"""Where providers say how long they want to be left alone."""

ROLE_METADATA = "dragoman-role"
"""gRPC metadata of an ext_proc call; `attempt` from a provider cluster's upstream filter."""
ATTEMPT_ROLE = "attempt"
MCP_ROLE = "mcp"
"""The same from a route of the MCP gateway."""
A2A_ROLE = "a2a"
"""The same from a route of the A2A gateway."""
LOGIN_ROLE = "login"
"""Of people whose logins are kept here: on the way back, or out."""
MIRROR_ROLE = "mirror"
"""The same from the filter of a cluster that gets copies."""
ATTEMPT_METADATA = "dragoman-attempt"
"""gRPC metadata of an ext_proc call of that role: which try it is, by the name of its cluster."""
STEERING_METADATA = "dragoman-steering"
"""gRPC metadata of an ext_proc call from an LLM route that cannot read plans: `header`."""
STEERED_BY_HEADER = "header"
ROUTE_METADATA = "dragoman-route"
"""gRPC metadata of an ext_proc call from a plain route: its name, percent-encoded."""
LIMIT_METADATA = "dragoman-max-request-bytes"
"""gRPC metadata of an ext_proc call from an LLM route."""
ROUTE_EXTENSION = "dragoman.route"
"""ext_authz `context_extensions` of a route: the name that rules know it by."""

LLM_PREFIX = "/v1/"
"""Where the OpenAI API is served, and what provider paths replace."""


OWN_RESOURCES = (
    "dragoman",
    "gateway/",
    "http/",
    "https/",
    "jwks/",
    "llm/",
    "login/",
    "plan/",
    "service/",
)
"""What the names of resources that we make begin with."""


def provider_cluster(provider: str) -> str:
    """The cluster of an LLM provider."""
    return f"llm/{provider}"


def addressed_cluster(provider: str) -> str:
    """The cluster of an LLM provider whose tries have another path than the client asked for."""
    return f"llm/{provider}/addressed"


def websocket_cluster(provider: str) -> str:
    """The cluster of an LLM provider to which websockets are opened: in HTTP/1.1 alone."""
    return f"llm/{provider}/websocket"


def mirror_cluster(provider: str) -> str:
    """The cluster of an LLM provider that gets copies of requests."""
    return f"llm/{provider}/mirror"


def attempt_cluster(provider: str, place: int) -> str:
    """The cluster of an LLM provider as the nth try of a plan, where the body is rewritten."""
    return f"llm/{provider}#{place}"


def plan_cluster(providers: Sequence[str]) -> str:
    """The cluster that goes through these LLM providers, try by try, where plans are not read."""
    if len(providers) == 1:
        return addressed_cluster(providers[0])
    return f"plan/{'>'.join(providers)}"


def provider_secret(provider: str) -> str:
    """The SDS secret that holds an LLM provider's key."""
    return f"llm/{provider}/key"


def service_cluster(service: str) -> str:
    """The cluster of a service that extproc asks."""
    return f"service/{service}"


def service_secret(service: str) -> str:
    """The SDS secret that holds the key for a service."""
    return f"service/{service}/key"


def own_listener_cluster(gateway: str) -> str:
    """The cluster that leads to a gateway's own listener."""
    return service_cluster(f"gateway/{gateway}")


def mcp_service(server: str) -> str:
    """The service that is an MCP server."""
    return f"mcp/{server}"


def a2a_service(agent: str) -> str:
    """The service that is an A2A agent."""
    return f"a2a/{agent}"


def a2a_keys_service(agent: str) -> str:
    """The service where the keys are that sign its cards."""
    return f"a2a-keys/{agent}"


def a2a_grpc_service(agent: str) -> str:
    """The service that is an A2A agent where it speaks gRPC."""
    return f"a2a-grpc/{agent}"


def mcp_token_service(server: str) -> str:
    """The service that gives callers' tokens for an MCP server."""
    return f"mcp-token/{server}"


def mcp_assertion_service(server: str) -> str:
    """The service that gives them for identity assertions."""
    return f"mcp-assertion/{server}"


def mcp_consent_service(server: str) -> str:
    """The service where callers agree that an MCP server is used for them."""
    return f"mcp-consent/{server}"


MCP_AUTHORIZATION = "mcp-authorization"
"""The service that is the authorization server which MCP clients find at the gateway."""


def hub_path(server: str) -> str:
    """Where the hub offers a server that it speaks to, as one of Streamable HTTP."""
    return f"/servers/{server}"


def guard_service(guard: str) -> str:
    """The service that a guard asks."""
    return f"guard/{guard}"


def route_cluster(
    authority: str, endpoints: Sequence[str], connect_timeout_seconds: float, *, is_tls: bool
) -> str:
    """The cluster of plain HTTP routes' upstreams that are equal: `https/docs.example#2f6c01ab`.

    The end tells apart those that have the authority alone in common.
    """
    facts = f"{is_tls} {authority} {','.join(endpoints)} {connect_timeout_seconds}"
    digest = hashlib.blake2b(facts.encode(), digest_size=4).hexdigest()
    return f"{'https' if is_tls else 'http'}/{authority}#{digest}"


def limit_service_filter(service: str) -> str:
    """The filter that asks a rate limit service."""
    return f"{LIMIT_SERVICE_FILTER}/{service}"


def limit_service_cluster(service: str) -> str:
    """Where it is asked."""
    return f"limits/{service}"


def jwks_cluster(issuer: str) -> str:
    """The cluster from which Envoy fetches the keys of an issuer."""
    return f"jwks/{issuer}"


def login_filter(login: str) -> str:
    """The filter that sends browsers to log in."""
    return f"{LOGIN_FILTER_PREFIX}{login}"


def login_cluster(login: str) -> str:
    """Where Envoy asks for the tokens of a login."""
    return f"login/{login}"


def login_keys_cluster(login: str) -> str:
    """The cluster from which Envoy fetches the keys of its issuer."""
    return f"login/{login}/jwks"


def login_client_secret(login: str) -> str:
    """The SDS secret by which the gateway is known to the issuer of a login."""
    return f"login/{login}/client"


def login_cookie_secret(login: str) -> str:
    """The SDS secret that its cookies are encrypted and signed with."""
    return f"login/{login}/cookies"


def external_filter(service: str) -> str:
    """The filter that asks an external service."""
    return f"{EXTERNAL_FILTER_PREFIX}{service}"


def external_cluster(service: str) -> str:
    """The cluster of an external service."""
    return f"dragoman_external/{service}"


def route_table(gateway: str, filters: Collection[str] = ()) -> str:
    """The RouteConfiguration of a gateway's listener: `gateway/default`. Where its chain has
    `filters` that not every chain has, `gateway/default#2f6c01ab`.

    A listener that drains asks for its table still. So it never gets routes that count on a filter
    which it has not.
    """
    if not filters:
        return f"gateway/{gateway}"
    digest = hashlib.blake2b(" ".join(sorted(filters)).encode(), digest_size=4).hexdigest()
    return f"gateway/{gateway}#{digest}"


def listener(gateway: str) -> str:
    """The Listener of a gateway."""
    return f"gateway/{gateway}"


def gateway_certificate(gateway: str) -> str:
    """The SDS secret that holds a gateway's certificate and key."""
    return f"gateway/{gateway}/tls"


def gateway_client_ca(gateway: str) -> str:
    """The SDS secret that holds the authorities that sign a gateway's clients."""
    return f"gateway/{gateway}/client-ca"
