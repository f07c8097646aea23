"""Route tables: which routes a host has, in which order."""

from __future__ import annotations

import dataclasses

from gateway import names
from gateway.model import Gateway
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.render import to_json
from xds_server.resources.clusters import route_cluster_name
from xds_server.resources.features import FEATURES
from xds_server.resources.memo import Memo
from xds_server.resources.routes import route_table, routes_by_host
from xds_server.snapshot import CLUSTER

PLAIN = golden_gateway("routes-plain")
LLM = golden_gateway("llm-single")
OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]


def table(gateway: Gateway, listener: str) -> dict[str, list[str]]:
    [found] = [each for each in gateway.listeners if each.name == listener]
    hosts = to_json(route_table(gateway, found, NEW, Memo()))["virtual_hosts"]
    return {host["domains"][0]: [route["name"] for route in host["routes"]] for host in hosts}


def test_each_host_has_its_routes_and_those_for_all_in_order() -> None:
    assert table(PLAIN, "internal") == {
        "*.example.com": ["wild", "tagged", "rest", "dragoman/unmatched"],
        "app.example.com": ["app", "wild", "tagged", "rest", "dragoman/unmatched"],
        "*": ["tagged", "rest", "dragoman/unmatched"],
    }


def test_a_route_is_only_on_its_gateways() -> None:
    assert "tagged" not in table(PLAIN, "public")["*"]


def test_the_llm_api_comes_before_plain_routes() -> None:
    both = dataclasses.replace(
        LLM,
        routes=tuple(dataclasses.replace(route, listeners=("default",)) for route in PLAIN.routes),
    )
    found = table(both, "default")["*"]
    first_plain = next(i for i, name in enumerate(found) if not name.startswith("dragoman/llm"))
    assert "dragoman/llm" in found[:first_plain]
    assert not any(name.startswith("dragoman/llm") for name in found[first_plain:])


def test_without_models_there_is_no_llm_api() -> None:
    assert table(dataclasses.replace(LLM, models=()), "default") == {"*": ["dragoman/unmatched"]}


def test_a_table_needs_the_clusters_of_its_own_routes() -> None:
    public = PLAIN.listeners[0]
    needed = {
        name
        for type_url, name in route_table(PLAIN, public, NEW, Memo()).needs
        if type_url == CLUSTER
    }
    assert needed == {
        route_cluster_name(backend.upstream)
        for route in PLAIN.routes
        if route.name in ("app", "wild", "rest")
        for backend in route.backends
    }
    assert len(needed) == 4


def test_only_what_reads_plans_has_a_place_for_requests_without_one() -> None:
    unplanned = (CLUSTER, names.UNPLANNED_CLUSTER)
    assert unplanned in route_table(LLM, LLM.listeners[0], NEW, Memo()).needs
    assert unplanned not in route_table(LLM, LLM.listeners[0], OLD, Memo()).needs


def test_the_limit_of_bodies_is_the_listeners() -> None:
    hosts = to_json(route_table(PLAIN, PLAIN.listeners[1], NEW, Memo()))["virtual_hosts"]
    assert {host["request_body_buffer_limit"] for host in hosts} == {str(1 << 20)}


def test_what_clients_say_of_their_address_is_replaced() -> None:
    [host] = to_json(route_table(LLM, LLM.listeners[0], NEW, Memo()))["virtual_hosts"]
    [added] = host["request_headers_to_add"]
    assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert added["header"]["key"] == "x-forwarded-for"


def test_routes_are_found_by_host_as_each_of_them_says() -> None:
    [any_route] = [route for route in PLAIN.routes if route.name == "rest"]
    names_of = {
        "all": (),
        "deep": ("*.b.example", "A.b.example", "a.b.example"),
        "wide": ("*.example", "c.example"),
        "one": ("a.b.example",),
    }
    routes = [
        dataclasses.replace(
            any_route, name=name, match=dataclasses.replace(any_route.match, hostnames=hostnames)
        )
        for name, hostnames in names_of.items()
    ]
    found = {host: [each.name for each in taken] for host, taken in routes_by_host(routes).items()}
    assert found == {
        "*.b.example": ["all", "deep", "wide"],
        "*.example": ["all", "wide"],
        "a.b.example": ["all", "deep", "wide", "one"],
        "c.example": ["all", "wide"],
        "*": ["all"],
    }


def test_a_table_is_the_same_bytes_whether_its_routes_were_kept_or_not() -> None:
    memo = Memo()
    first, again = (route_table(PLAIN, PLAIN.listeners[0], NEW, memo) for _ in range(2))
    assert first == again == route_table(PLAIN, PLAIN.listeners[0], NEW, Memo())
