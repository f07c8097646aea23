"""What stands where in Envoy's messages."""

from __future__ import annotations

from typing import Any

import pytest

from xds_server.envoy_json import (
    address_text,
    http_connection_manager,
    listens_at,
    match_text,
    named_clusters,
    tls_of,
    upstream_filters,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({"socket_address": {"address": "10.0.0.1", "port_value": 80}}, "10.0.0.1:80"),
        ({"socket_address": {"address": "::1", "port_value": 80}}, "[::1]:80"),
        ({"pipe": {"path": "/run/a.sock"}}, "unix:/run/a.sock"),
    ],
)
def test_addresses_are_written_as_people_do(address: dict[str, Any], expected: str) -> None:
    assert address_text(address) == expected
    assert listens_at({"address": address}) == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"path": "/"}, "/"),
        ({"prefix": "/v1/"}, "/v1/*"),
        ({"path_separated_prefix": "/api"}, "/api[/*]"),
        ({"safe_regex": {"regex": "^/a.*"}}, "^/a.*"),
        (
            {
                "prefix": "/",
                "headers": [
                    {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|POST"}}},
                    {"name": "x-tenant", "string_match": {"exact": "blue"}},
                ],
            },
            "GET|POST /*, x-tenant: blue",
        ),
    ],
)
def test_matches_are_one_line(match: dict[str, Any], expected: str) -> None:
    assert match_text(match) == expected


def test_clusters_are_those_that_an_action_names() -> None:
    weighted = {"weighted_clusters": {"clusters": [{"name": "a"}, {"name": "b"}]}}
    assert named_clusters({"cluster": "a"}) == ("a",)
    assert named_clusters(weighted) == ("a", "b")
    assert named_clusters({"inline_cluster_specifier_plugin": {}}) == ()


def test_filters_of_a_cluster_are_in_its_protocol_options() -> None:
    options = {"typed_extension_protocol_options": {"x": {"http_filters": [{"name": "a"}]}}}
    assert [each["name"] for each in upstream_filters(options)] == ["a"]
    assert upstream_filters({}) == ()


def test_a_listener_without_http_has_no_manager() -> None:
    other = {"filters": [{"name": "tcp", "typed_config": {"@type": "x/a.TcpProxy"}}]}
    manager = {"@type": "x/a.HttpConnectionManager", "stat_prefix": "s"}
    ours = {"filters": [{"name": "http", "typed_config": manager}]}
    assert http_connection_manager({"filter_chains": [other]}) == {}
    assert (
        http_connection_manager({"filter_chains": [other], "default_filter_chain": ours}) == manager
    )


@pytest.mark.parametrize(("context", "expected"), [({}, "tls"), (None, "none")])
def test_tls_is_known_by_its_socket(context: dict[str, Any] | None, expected: str) -> None:
    chain = {} if context is None else {"transport_socket": {"typed_config": context}}
    assert tls_of({"filter_chains": [chain]}) == expected


def test_a_certificate_that_is_demanded_makes_it_mutual() -> None:
    context = {"require_client_certificate": True}
    chain = {"transport_socket": {"typed_config": context}}
    assert tls_of({"filter_chains": [chain]}) == "mtls"
