"""Clusters: discovery, TLS, filters of a try, health."""

from __future__ import annotations

import dataclasses

from gateway import names
from gateway.model import Endpoint, Listener, ServerTls, Upstream
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.render import to_json
from xds_server.resources import clusters
from xds_server.resources.attempts import Attempt, PlanOfTries
from xds_server.resources.extension import Json
from xds_server.resources.features import FEATURES
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, SECRET

TOPOLOGY = Topology(workers=("unix:/a", "127.0.0.1:9"), ca_bundle="/ca.pem")
OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]


def provider(case: str, name: str) -> Json:
    [found] = [each for each in golden_gateway(case).providers if each.name == name]
    attempt = Attempt(names.provider_cluster(name), False, True, False, 1 << 20)
    return to_json(clusters.provider_cluster(found, attempt, TOPOLOGY, NEW))


def tls(cluster: Json) -> Json:
    return dict(cluster["transport_socket"]["typed_config"])


def test_the_server_name_is_the_authority_without_its_port() -> None:
    cluster = provider("tls-provider", "other")
    assert tls(cluster)["sni"] == "llm.example.com"
    assert tls(cluster)["auto_sni_san_validation"] is True
    [locality] = cluster["load_assignment"]["endpoints"]
    assert locality["lb_endpoints"][0]["endpoint"]["hostname"] == "llm.example.com:8443"


def test_an_address_is_no_server_name_but_is_checked() -> None:
    context = tls(provider("tls-provider", "address"))
    assert "sni" not in context
    validation = context["common_tls_context"]["validation_context"]
    assert validation["trusted_ca"] == {"filename": "/ca.pem"}
    [name] = validation["match_typed_subject_alt_names"]
    assert name == {"san_type": "IP_ADDRESS", "matcher": {"exact": "10.0.0.1"}}


def test_a_plain_upstream_has_no_transport_socket() -> None:
    assert "transport_socket" not in provider("llm-failover-paths", "a")


def test_a_provider_needs_its_secret() -> None:
    [found] = [each for each in golden_gateway("budgets").providers if each.name == "local"]
    attempt = Attempt("c", True, False, False, 1 << 20)
    resource = clusters.provider_cluster(found, attempt, TOPOLOGY, NEW)
    assert set(resource.needs) == {(SECRET, "llm/local/key"), (CLUSTER, names.EXTPROC_CLUSTER)}


def test_workers_may_be_sockets_and_addresses() -> None:
    cluster = to_json(clusters.extproc_cluster(TOPOLOGY))
    [locality] = cluster["load_assignment"]["endpoints"]
    addresses = [each["endpoint"]["address"] for each in locality["lb_endpoints"]]
    assert addresses == [
        {"pipe": {"path": "/a"}},
        {"socket_address": {"address": "127.0.0.1", "port_value": 9}},
    ]


def test_sick_workers_get_nothing() -> None:
    cluster = to_json(clusters.extproc_cluster(TOPOLOGY))
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {}  # 0 %: never
    [check] = cluster["health_checks"]
    assert check["unhealthy_threshold"] == 2  # one late answer is not a death


def test_a_backend_with_a_name_is_resolved() -> None:
    upstream = Upstream((Endpoint("b.example", 80),), "b.example", False, 2.0)
    cluster = to_json(clusters.route_cluster(upstream, TOPOLOGY))
    assert cluster["name"] == clusters.route_cluster_name(upstream)
    assert cluster["connect_timeout"] == "2s"
    assert "cluster_type" in cluster


def test_nothing_answers_the_unplanned() -> None:
    cluster = to_json(clusters.unplanned_cluster())
    assert "endpoints" not in cluster["load_assignment"]


def test_the_name_of_a_routes_cluster_tells_all_of_its_upstream() -> None:
    plain = Upstream((Endpoint("b.example", 80),), "b.example", False, 2.0)
    others = (
        dataclasses.replace(plain, is_tls=True),
        dataclasses.replace(plain, authority="c.example"),
        dataclasses.replace(plain, connect_timeout_seconds=3.0),
        dataclasses.replace(plain, endpoints=(*plain.endpoints, Endpoint("c.example", 80))),
        dataclasses.replace(plain, endpoints=(Endpoint("b.example", 81),)),
    )
    assert len({clusters.route_cluster_name(each) for each in (plain, *others)}) == 6
    assert clusters.route_cluster_name(plain).startswith("http/b.example#")
    assert clusters.route_cluster_name(others[0]).startswith("https/b.example#")


def test_the_endpoints_of_a_provider_tell_its_name_where_plans_have_clusters() -> None:
    [found] = golden_gateway("llm-single").providers
    attempt = Attempt(names.provider_cluster(found.name), False, True, False, 1 << 20)
    for features, expected in ((OLD, {"name": found.name}), (NEW, None)):
        made = to_json(clusters.provider_cluster(found, attempt, TOPOLOGY, features))
        [endpoint] = made["load_assignment"]["endpoints"][0]["lb_endpoints"]
        metadata = endpoint.get("metadata", {}).get("filter_metadata", {})
        assert metadata.get(names.PROVIDER_NAMESPACE) == expected


def test_the_cluster_of_a_plan_goes_through_its_providers_in_order() -> None:
    first, second = golden_gateway("llm-failover-paths").providers
    plan = PlanOfTries((second, first, second), frozenset({3}), 1 << 20)
    made = clusters.plan_cluster(plan, TOPOLOGY)
    cluster = to_json(made)
    assert cluster["name"] == "plan/b>a>b"
    tries = cluster["cluster_type"]["typed_config"]["clusters"]
    assert [each["name"] for each in tries] == ["llm/b", "llm/a", "llm/b"]
    assert cluster["per_connection_buffer_limit_bytes"] == 1 << 20
    assert set(made.needs) == {
        (CLUSTER, "llm/a"),
        (CLUSTER, "llm/b"),
        (CLUSTER, names.EXTPROC_CLUSTER),
        (SECRET, "llm/a/key"),
        (SECRET, "llm/b/key"),
    }


def test_a_provider_may_be_checked_against_authorities_of_its_own() -> None:
    upstream = Upstream((Endpoint("b.example", 443),), "b.example", True, 2.0)
    for each, expected in (
        (upstream, {"filename": TOPOLOGY.ca_bundle}),
        (dataclasses.replace(upstream, ca="pem"), {"inline_string": "pem"}),
    ):
        cluster = to_json(clusters.route_cluster(each, TOPOLOGY))
        context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
        assert context["validation_context"]["trusted_ca"] == expected


def test_the_way_back_leads_to_the_listener_itself() -> None:
    def back(address: str, tls: ServerTls | None = None) -> Json:
        listener = Listener("a", address, 8080, 1000, tls)
        return to_json(clusters.own_listener_cluster(listener, TOPOLOGY))

    def host(cluster: Json) -> str:
        (locality,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = locality["lb_endpoints"]
        return str(endpoint["endpoint"]["address"]["socket_address"]["address"])

    assert back("0.0.0.0")["name"] == "service/gateway/a"
    addresses = [host(back(each)) for each in ("0.0.0.0", "::", "10.0.0.1")]
    assert addresses == ["127.0.0.1", "::1", "10.0.0.1"]
    assert "transport_socket" not in back("10.0.0.1")
    assert set(tls(back("10.0.0.1", ServerTls("cert", "key")))) == {"@type"}
