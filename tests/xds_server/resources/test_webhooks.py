"""Where notifications of agents go."""

from __future__ import annotations

import dataclasses
from typing import Any

from gateway import names
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.render import to_json
from xds_server.resources.a2a_route import FOUND, a2a_routes
from xds_server.resources.clusters import webhook_clusters
from xds_server.resources.features import FEATURES
from xds_server.resources.topology import Topology
from xds_server.resources.webhooks import ROUTES

NEW = FEATURES[Level.V1_40]
GATEWAY = golden_gateway("a2a")
PUSH = GATEWAY.a2a.push
assert PUSH is not None


def routes(**push: Any) -> list[Any]:
    a2a = dataclasses.replace(GATEWAY.a2a, push=dataclasses.replace(PUSH, **push))
    return list(a2a_routes(dataclasses.replace(GATEWAY, a2a=a2a), GATEWAY.listeners[0], NEW))


def test_without_push_there_are_none() -> None:
    a2a = dataclasses.replace(GATEWAY.a2a, push=None)
    found = a2a_routes(dataclasses.replace(GATEWAY, a2a=a2a), GATEWAY.listeners[0], NEW)
    assert ROUTES.keys().isdisjoint(each["name"] for each in found)


def test_extproc_alone_says_who_is_called_before_agents_are_looked_for() -> None:
    found = [each["name"] for each in routes()]
    assert found[:3] == [*ROUTES, FOUND]
    for route in routes()[:2]:
        (header,) = route["match"]["headers"]
        assert header["name"] == names.A2A_HEADER
        assert header["string_match"] == {"exact": route["route"]["cluster"]}


def test_clients_are_shown_what_they_asked_for_and_nothing_of_the_agents() -> None:
    for route in routes()[:2]:
        removed = route["request_headers_to_remove"]
        assert "authorization" not in removed  # extproc has said it, or removed it
        assert {"cookie", "x-api-key", "x-forwarded-for", "baggage", names.A2A_HEADER} <= set(
            removed
        )


def test_tries_are_bounded() -> None:
    (route, _, *_) = routes(retries=3, timeout_seconds=2.0)
    assert route["route"]["timeout"] == "20s"
    policy = route["route"]["retry_policy"]
    assert (policy["num_retries"], policy["per_try_timeout"]) == (3, "2s")


def test_envoy_connects_to_the_address_that_it_is_told_and_checks_the_name() -> None:
    assert PUSH is not None
    own = dataclasses.replace(PUSH, ca="PEM")
    tls, plain = map(to_json, webhook_clusters(own, Topology(("unix:/a",))))
    for cluster in (tls, plain):
        assert cluster["type"] == "ORIGINAL_DST"
        said = cluster["original_dst_lb_config"]
        path = [{"key": names.WEBHOOK_ADDRESS}]
        assert said == {"metadata_key": {"key": names.MCP_NAMESPACE, "path": path}}
    options = tls["typed_extension_protocol_options"].values()
    (named,) = (each["upstream_http_protocol_options"] for each in options)
    assert named == {"auto_sni": True, "auto_san_validation": True}
    context = tls["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["validation_context"]["trusted_ca"] == {"inline_string": "PEM"}
    assert "transport_socket" not in plain
