"""Gateways for tests: from YAML text, or from the golden inputs."""

from __future__ import annotations

from gateway.config.load import load
from gateway.model import Gateway
from gateway.resolve import resolve
from tests.kit.golden import GOLDEN

CASES = (
    "answer-guards",
    "answer-rules",
    "budgets",
    "envoy-rules",
    "envoys-limits",
    "external-authz",
    "keys-and-rules",
    "limits",
    "llm-failover-paths",
    "llm-single",
    "logins",
    "a2a",
    "a2a-instances",
    "mcp",
    "mcp-auth",
    "mirrors",
    "providers",
    "remote-guards",
    "route-guards",
    "routes-plain",
    "tls-provider",
    "tokens",
    "virtual-keys",
    "virtual-models",
)


def gateway_of(text: str) -> Gateway:
    """What this configuration means."""
    config = load(text, file="test.yaml", environment={})
    assert not isinstance(config, tuple), [str(problem) for problem in config]
    return resolve(config)


def golden_gateway(case: str) -> Gateway:
    """What `tests/golden/CASE.yaml` means."""
    return gateway_of((GOLDEN / f"{case}.yaml").read_text(encoding="utf-8"))
