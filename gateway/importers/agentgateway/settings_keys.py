"""What becomes of AgentGateway's own settings: `config`, `frontendPolicies`, `mcp` and `ui`."""

from __future__ import annotations

from gateway.importers.agentgateway.keys import Rows, limit, lock, nothing, read, without
from gateway.importers.agentgateway.policy_keys import CONCURRENT, MCP

_DNS = "Envoy resolves names itself, IPv4 and IPv6"
_MESH = "the gateway is no part of a mesh"
_XDS = "the control plane is `dragoman xds`; workers follow another one with --xds"
_LOGS = "logs are written to the standard error output, as JSON"
_STATS = "metrics are on the address of admin, under /metrics"
_STATE = "state is in the folder of --state-dir"
_CONNECTIONS = "Envoy's own limits hold"

CONFIG: Rows = (
    read("adminAddr", "modelCatalog"),
    nothing("the gateway listens on IPv4", "enableIpv6"),
    without(_DNS, "dns"),
    without(_XDS, "localXdsPath", "xdsAddress", "xdsAuthToken"),
    without(_STATE, "database", "storage"),
    without(_MESH, "caAddress", "caAuthToken", "spiffe", "trustDomain", "additionalTrustDomains"),
    without(_MESH, "skipValidateTrustDomain", "serviceAccount", "clusterId", "network", "hbone"),
    without(_MESH, "namespace", "gateway"),
    without(_STATS, "statsAddr", "histograms", "metrics"),
    without("readiness is on the address of admin, under /healthz/ready", "readinessAddr"),
    without(_LOGS, "logging", "standardAttributes"),
    without("this version exports no traces", "tracing"),
    without(MCP, "session", "mcp"),
    nothing("headers are not written to logs", "sensitiveHeaders"),
    without("rules cannot call functions of one's own; write them out", "customFunctions"),
    without(_CONNECTIONS, "connectionTerminationDeadline", "connectionMinTerminationDeadline"),
    without("--workers says how many", "workerThreads"),
    without(
        "connections to backends are Envoy's, without pings; timeouts.connect of each says how long"
        " one may take",
        "backend",
    ),
)
"""`RawConfig`."""
CATALOG_SOURCE: Rows = (
    read("inline"),
    without(
        "llm.price_files has another format: copy the prices that differ from ours to llm.prices",
        "file",
    ),
)
CATALOG: Rows = (read("providers"),)
CATALOG_PROVIDER: Rows = (read("models"),)
CATALOG_MODEL: Rows = (
    read("rates", "tiers"),
    without("models have no tags", "tags"),
)
CATALOG_TIER: Rows = (read("contextOver", "rates"),)
RATES: Rows = (
    read("input", "output", "cacheRead", "cacheWrite"),
    read("reasoning", "inputAudio", "outputAudio"),
)

FRONTEND: Rows = (
    read("http", "connect", "networkAuthorization", "proxy", "proxyProtocol"),
    lock("no service is asked about connections", "networkExtAuthz"),
    read("tls"),
    without(_CONNECTIONS, "tcp"),
    without(_LOGS, "accessLog", "logging"),
    without("this version exports no traces", "tracing"),
)
"""`LocalFrontendPolicies`."""
FRONTEND_HTTP: Rows = (
    read("maxBufferSize"),
    without(
        _CONNECTIONS,
        "http1MaxHeaders",
        "http1IdleTimeout",
        "http1HeaderCase",
        "http2WindowSize",
        "http2ConnectionWindowSize",
        "http2FrameSize",
        "http2MaxHeaderSize",
        "http2KeepaliveInterval",
        "http2KeepaliveTimeout",
        "maxConnectionDuration",
    ),
    limit(CONCURRENT, "maxConcurrentRequests"),
)
FRONTEND_TLS: Rows = (
    read("minVersion"),
    lock("Envoy chooses among those that are safe", "cipherSuites", "keyExchangeGroups"),
    without(_CONNECTIONS, "handshakeTimeout", "alpn", "maxVersion"),
)
CONNECT: Rows = (read("mode"),)
