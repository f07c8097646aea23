"""`examples/rate-limit-service.yaml`: the rate limit filter of another Envoy asks a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES
from tests.kit import web
from tests.kit.any_envoy import started
from tests.kit.envoy import VERSIONS, RunningEnvoy
from tests.kit.stack import COMMAND, eventually, free_ports

pytestmark = pytest.mark.envoy

TYPES = "type.googleapis.com/envoy.extensions."


def by_header(header: str, key: str) -> dict[str, Any]:
    return {"request_headers": {"header_name": header, "descriptor_key": key}}


def listener(name: str, port: int, route: dict[str, Any], *filters: dict[str, Any]) -> Any:
    manager = {
        "@type": f"{TYPES}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            *filters,
            {
                "name": "router",
                "typed_config": {"@type": f"{TYPES}filters.http.router.v3.Router"},
            },
        ],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def cluster(name: str, port: int, **protocol: Any) -> dict[str, Any]:
    options = f"{TYPES}upstreams.http.v3.HttpProtocolOptions"
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {
            options.partition(".googleapis.com/")[2]: {
                "@type": options,
                "explicit_http_config": protocol,
            }
        },
    }


def bootstrap(worker: int, upstream: int) -> dict[str, Any]:
    """One route; what is asked about depends on the request's headers."""
    asked = [
        {"actions": [by_header("x-tenant", "tenant")]},
        {"actions": [by_header("x-path", "path"), {"remote_address": {}}]},
        {"actions": [by_header("x-tokens", "tokens")], "hits_addend": {"number": 0}},
        {
            "actions": [by_header("x-tokens", "tokens")],
            "apply_on_stream_done": True,
            "hits_addend": {"format": "%REQ(x-used)%"},
        },
    ]
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "upstream"},
        "typed_per_filter_config": {
            "limits": {
                "@type": f"{TYPES}filters.http.ratelimit.v3.RateLimitPerRoute",
                "rate_limits": asked,
            }
        },
    }
    limits = {
        "@type": f"{TYPES}filters.http.ratelimit.v3.RateLimit",
        "domain": "edge",
        "timeout": "5s",
        "failure_mode_deny": True,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limit_service": {
            "grpc_service": {"envoy_grpc": {"cluster_name": "dragoman"}},
            "transport_api_version": "V3",
        },
    }
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "hello"}},
    }
    return {
        "static_resources": {
            "listeners": [
                listener("in", 0, route, {"name": "limits", "typed_config": limits}),
                listener("upstream", upstream, answer),
            ],
            "clusters": [
                cluster("dragoman", worker, http2_protocol_options={}),
                cluster("upstream", upstream, http_protocol_options={}),
            ],
        }
    }


@pytest.fixture(scope="module", params=VERSIONS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("rate-limit-service")
    port, upstream = free_ports(2)
    config = str(EXAMPLES / "rate-limit-service.yaml")
    place = ("--listen", f"127.0.0.1:{port}", "--state-dir", str(folder / "state"))
    worker = (str(COMMAND), "extproc", "--config", config, *place)
    with (
        started(folder / "log", {}, *worker),
        RunningEnvoy(bootstrap(port, upstream), folder, request.param) as envoy,
    ):
        found = f"http://127.0.0.1:{envoy.port('in')}"
        is_up = {"x-tenant": "internal-1"}
        eventually(lambda: web.get(found, headers=is_up).status_code == 200, "a worker", seconds=60)
        yield found


def statuses(url: str, count: int, **headers: str) -> list[int]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return [web.get(url, headers=sent).status_code for _ in range(count)]


def test_each_tenant_has_its_own_and_is_told_what_is_left(url: str) -> None:
    answers = [web.get(url, headers={"x-tenant": "a"}) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "2"
    assert answers[0].headers["x-ratelimit-limit"].startswith("3, 3;w=3600")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 1200
    assert statuses(url, 3, x_tenant="b") == [200] * 3


def test_some_are_unlimited_and_some_only_counted(url: str) -> None:
    assert statuses(url, 6, x_tenant="internal-2") == [200] * 6
    assert statuses(url, 3, x_tenant="trial") == [200] * 3
    assert statuses(url, 3) == [200] * 3


def test_entries_lead_deeper(url: str) -> None:
    assert statuses(url, 7, x_path="/login") == [200] * 5 + [429] * 2
    assert statuses(url, 7, x_path="/other") == [200] * 7


def test_tokens_are_told_after_the_answer(url: str) -> None:
    assert statuses(url, 1, x_tokens="t", x_used="1700") == [200]
    eventually(lambda: statuses(url, 1, x_tokens="t", x_used="0") == [429], "1700 are used")
    assert statuses(url, 1, x_tokens="other", x_used="0") == [200]
