"""The cluster of a plan in real Envoys: TLS, protocol, name and key of each try."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import names
from gateway.model import Endpoint, Gateway, Upstream
from tests.kit import web
from tests.kit.certificates import Authority
from tests.kit.envoy import VERSIONS, RunningEnvoy
from tests.kit.gateways import golden_gateway
from tests.kit.stack import free_ports
from xds_server.audience import Level
from xds_server.compile import compile_gateway
from xds_server.render import static_bootstrap
from xds_server.resources.extension import Json, extension
from xds_server.resources.topology import Topology

pytestmark = pytest.mark.envoy

PATH = "/v1/chat/completions"
HTTP = "envoy.filters.network.http_connection_manager"
SEEN = {
    "x-name": "%REQUESTED_SERVER_NAME%",
    "x-host": "%REQ(:authority)%",
    "x-key": "%REQ(authorization)%",
    "x-protocol": "%PROTOCOL%",
    "x-cookie": "%REQ(cookie)%",
}
"""What a provider tells of a request."""
RETRIES = {"retry_on": "retriable-status-codes", "retriable_status_codes": [429], "num_retries": 2}


def listener(name: str, port: int, route: Json, **chain: Any) -> Json:
    hosts = [{"name": name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}]
    planned = extension(
        "envoy.filters.http.set_metadata",
        "envoy.extensions.filters.http.set_metadata.v3.Config",
        metadata=[{"metadata_namespace": names.REQUEST_NAMESPACE, "value": {"path": PATH}}],
    )
    router = extension(
        "envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"
    )
    manager = extension(
        HTTP,
        f"{HTTP.replace('filters', 'extensions.filters')}.v3.HttpConnectionManager",
        stat_prefix=name,
        route_config={"name": name, "virtual_hosts": hosts},
        http_filters=[planned, router],
    )
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [manager], **chain}],
    }


def provider(name: str, port: int, status: int, authority: Authority) -> Json:
    """Answers with a status, and tells in headers what it was asked."""
    certificate, key = authority.server(f"{name}.example")
    pair = {
        "certificate_chain": {"inline_string": certificate},
        "private_key": {"inline_string": key},
    }
    tls = extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]},
    )
    told = [{"header": {"key": key, "value": value}} for key, value in SEEN.items()]
    route = {"direct_response": {"status": status}, "response_headers_to_add": told}
    inspector = extension(  # tells the server name
        "envoy.filters.listener.tls_inspector",
        "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    )
    return {
        **listener(name, port, route, transport_socket=tls),
        "listener_filters": [inspector],
    }


def gateway(ports: dict[str, int]) -> Gateway:
    """Failover from `a` to `b` and from `b` to `a`, both with their own names and keys."""
    golden = golden_gateway("llm-failover-paths")
    providers = tuple(
        dataclasses.replace(
            each,
            base_path="/v1",
            upstream=Upstream(
                (Endpoint("127.0.0.1", ports[each.name]),), f"{each.name}.example", True, 1.0
            ),
        )
        for each in golden.providers
    )
    models = tuple(
        dataclasses.replace(golden.models[0], name=name, tiers=tuple(tiers))
        for name, tiers in (
            ("to-b", [(dataclasses.replace(TARGET, provider="a"),), (TARGET,)]),
            ("to-a", [(TARGET,), (dataclasses.replace(TARGET, provider="a"),)]),
        )
    )
    return dataclasses.replace(golden, providers=providers, models=models)


TARGET = dataclasses.replace(golden_gateway("llm-single").models[0].tiers[0][0], provider="b")


@pytest.fixture(scope="module", params=VERSIONS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where requests come in; `a` has too many of them."""
    folder: Path = tmp_path_factory.mktemp("envoy")
    authority = Authority()
    authorities = folder / "ca.pem"
    authorities.write_text(authority.pem)
    port_a, port_b = free_ports(2)
    topology = Topology(workers=("127.0.0.1:9",), ca_bundle=str(authorities))
    snapshot = compile_gateway(gateway({"a": port_a, "b": port_b}), topology, Level.V1_37)
    bootstrap = static_bootstrap(snapshot)
    action = {"cluster_header": names.PLAN_HEADER, "auto_host_rewrite": True}
    bootstrap["static_resources"]["listeners"] = [
        listener("front", 0, {"route": {**action, "retry_policy": RETRIES}}),
        provider("a", port_a, 429, authority),
        provider("b", port_b, 200, authority),
    ]
    with RunningEnvoy(bootstrap, folder, request.param) as envoy:
        yield f"http://127.0.0.1:{envoy.port('front')}{PATH}"


def asked(front: str, cluster: str) -> tuple[int, dict[str, str]]:
    """The status, and what the provider that answered was asked."""
    headers = {names.PLAN_HEADER: cluster, "authorization": "Bearer mine", "cookie": "mine"}
    answer = web.post(front, headers=headers, content=b"{}", timeout=10)
    return answer.status_code, {name: answer.headers.get(name, "") for name in SEEN}


@pytest.mark.parametrize(
    ("cluster", "status", "last"),
    [
        ("plan/a>b", 200, "b"),
        ("plan/b>a", 200, "b"),
        ("llm/a", 429, "a"),
        ("llm/b", 200, "b"),
    ],
)
def test_each_try_has_the_name_the_key_and_the_protocol_of_its_provider(
    front: str, cluster: str, status: int, last: str
) -> None:
    assert asked(front, cluster) == (
        status,
        {
            "x-name": f"{last}.example",
            "x-host": f"{last}.example",
            "x-key": f"Bearer key-of-{last}",
            "x-protocol": "HTTP/2",
            "x-cookie": "",
        },
    )


def test_an_unknown_plan_reaches_nobody(front: str) -> None:
    assert asked(front, "plan/b>b") == (503, dict.fromkeys(SEEN, ""))
