"""What becomes of every key of AgentGateway's binds, gateways, listeners, routes and backends."""

from __future__ import annotations

from gateway.importers.agentgateway.keys import Rows, lock, nothing, read, without
from gateway.importers.agentgateway.policy_keys import GATEWAY_POLICY, MCP

_LABEL = "a label of theirs; rules, budgets and reports of ours go by the route's name"

ROOT: Rows = (
    read("config", "frontendPolicies", "policies", "services", "workloads", "backends"),
    read("routeGroups", "binds", "gateways", "routes", "tcpRoutes", "llm", "mcp", "ui"),
)

BIND: Rows = (read("port", "listeners", "tunnelProtocol", "mode"),)
LISTENER: Rows = (
    read("name", "hostname", "protocol", "tls", "routes", "policies"),
    nothing(_LABEL, "namespace"),
    without("plain TCP is not served", "tcpRoutes"),
)
GATEWAY: Rows = (read("port", "protocol", "listeners", "tls"), *GATEWAY_POLICY)
GATEWAY_LISTENER: Rows = (read("name", "hostname", "protocol", "tls"), *GATEWAY_POLICY)
TLS: Rows = (
    read("cert", "key", "root", "mode", "minTLSVersion", "minTlsVersion"),
    lock("certificates do not come from SPIFFE; write tls.cert and tls.key", "spiffe"),
    lock("Envoy chooses among those that are safe", "cipherSuites", "keyExchangeGroups"),
    without("the newest version of TLS is 1.3", "maxTLSVersion", "maxTlsVersion"),
)
"""`LocalTLSServerConfig`."""

ROUTE: Rows = (
    read("gateways", "name", "hostnames", "matches", "policies", "backends"),
    nothing(_LABEL, "namespace", "ruleName"),
)
ROUTE_GROUP: Rows = (read("name", "routes"),)
MATCH: Rows = (read("path", "method", "headers", "query"),)
PATH: Rows = (read("exact", "pathPrefix", "regex"),)
HEADER: Rows = (read("name", "value"),)
VALUE: Rows = (read("exact", "regex"),)

ROUTE_BACKEND: Rows = (
    read("weight", "policies", "host", "service", "backend", "ai", "routeGroup"),
    lock(MCP, "mcp"),
    lock("AWS's AgentCore cannot be called, since nothing is signed for AWS", "aws"),
    lock("backends have to be named; none is chosen by the request", "dynamic"),
    lock("the admin API is on its own address, admin.address", "internal"),
    lock("it answers with an error on purpose", "invalid"),
)
BACKEND: Rows = (
    read("name", "policies", "host", "ai"),
    lock(MCP, "mcp"),
    lock("AWS's AgentCore cannot be called, since nothing is signed for AWS", "aws"),
    lock("the admin API is on its own address, admin.address", "internal"),
)
SERVICE: Rows = (read("name", "port"),)

POLICY: Rows = (read("name", "target", "phase", "policy"),)
TARGET: Rows = (read("gateway", "route", "backend", "listenerSet"),)
