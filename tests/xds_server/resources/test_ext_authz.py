"""What Envoy is told of external services: what they are shown, and what they may say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway import names
from gateway.external_authz import ExternalAuthz, ExternalBody
from xds_server.audience import Level
from xds_server.resources.ext_authz import (
    asked,
    ext_authz_filter,
    only_if_asked,
    service_upstream,
    told_filter,
)
from xds_server.resources.features import FEATURES

NEW, OLD = FEATURES[Level.V1_40], FEATURES[Level.V1_37]
GRPC = ExternalAuthz("one", "http://10.0.0.1:9191", is_grpc=True)
HTTP = ExternalAuthz("two", "https://door.example/check", is_grpc=False)


def test_nothing_passes_unless_it_is_told_so() -> None:
    found = ext_authz_filter(GRPC, NEW)
    assert found["failure_mode_allow"] is False
    assert found["status_on_error"] == {"code": 503}
    assert ext_authz_filter(replace(GRPC, is_open_on_error=True), NEW)["failure_mode_allow"] is True


@pytest.mark.parametrize("of", [GRPC, HTTP])
def test_credentials_are_shown_only_where_they_are_named(of: ExternalAuthz) -> None:
    shown = replace(of, headers=("*", "authorization"))
    kept = ext_authz_filter(shown, NEW)["disallowed_headers"]["patterns"]
    assert {"exact": "x-api-key"} in kept
    assert {"exact": "cookie"} in kept
    assert {"exact": "authorization"} not in kept
    assert {"prefix": names.OWN_HEADER_PREFIX} in kept
    assert {"exact": "authorization"} in ext_authz_filter(of, NEW)["disallowed_headers"]["patterns"]


def test_a_service_by_grpc_is_not_shown_every_header() -> None:
    patterns = ext_authz_filter(GRPC, NEW)["allowed_headers"]["patterns"]
    assert patterns == [{"exact": ":authority"}, {"exact": ":method"}, {"exact": ":path"}]
    more = ext_authz_filter(replace(GRPC, headers=("x-a", "x-b-*", "*")), NEW)
    assert more["allowed_headers"]["patterns"][3:] == [
        {"exact": "x-a"},
        {"prefix": "x-b-"},
        {"safe_regex": {"regex": ".*"}},
    ]


@pytest.mark.parametrize(
    ("named", "taken", "kept_out"),
    [
        ((), [], ["x-a", "authorization", ":path", ""]),
        (("x-a", "x.b"), ["x-a", "x.b"], ["x-ab", "xxb", "x-api-key", ":path"]),
    ],
)
def test_it_changes_no_header_that_is_not_named(
    named: tuple[str, ...], taken: list[str], kept_out: list[str]
) -> None:
    rules = ext_authz_filter(replace(GRPC, upstream_headers=named), NEW)[
        "decoder_header_mutation_rules"
    ]
    assert rules["disallow_all"] is True
    allowed = re.compile(rules["allow_expression"]["regex"])
    assert all(allowed.fullmatch(name) for name in taken)
    assert not any(name and allowed.fullmatch(name) for name in kept_out)


def test_clients_see_of_refusals_what_is_named() -> None:
    told = ext_authz_filter(HTTP, NEW)["http_service"]["authorization_response"]
    assert told["allowed_client_headers"]["patterns"] == [{"safe_regex": {"regex": "^$"}}]
    named = replace(HTTP, client_headers=("x-why",), upstream_headers=("x-tier",))
    new, old = (
        ext_authz_filter(named, each)["http_service"]["authorization_response"]
        for each in (NEW, OLD)
    )
    assert new["allowed_client_headers"]["patterns"] == [{"exact": "x-why"}]
    assert new["allowed_upstream_headers"]["patterns"] == [{"exact": "x-tier"}]
    # the older one looks there for what clients see; the request has none of it
    assert {"exact": "x-why"} in old["allowed_upstream_headers"]["patterns"]
    rules = ext_authz_filter(named, OLD)["decoder_header_mutation_rules"]
    assert not re.fullmatch(rules["allow_expression"]["regex"], "x-why")


def test_bodies_are_shown_where_it_says_so() -> None:
    assert "with_request_body" not in ext_authz_filter(GRPC, NEW)
    body = ExternalBody(100, is_partial=True)
    assert ext_authz_filter(replace(GRPC, body=body), NEW)["with_request_body"] == {
        "max_request_bytes": 100,
        "allow_partial_message": True,
        "pack_as_bytes": True,
    }
    by_http = ext_authz_filter(replace(HTTP, body=body), NEW)["with_request_body"]
    assert by_http["pack_as_bytes"] is False


def test_it_is_where_its_url_says() -> None:
    grpc, http = ext_authz_filter(GRPC, NEW), ext_authz_filter(HTTP, NEW)
    assert grpc["grpc_service"] == {
        "envoy_grpc": {"cluster_name": "dragoman_external/one", "authority": "10.0.0.1:9191"},
        "timeout": "1s",
    }
    assert http["http_service"]["server_uri"]["cluster"] == "dragoman_external/two"
    assert http["http_service"]["path_prefix"] == "/check"
    upstream = service_upstream(replace(HTTP, ca="pem"))
    assert (upstream.authority, upstream.is_tls, upstream.ca) == ("door.example", True, "pem")


def test_a_route_lets_pass_only_what_its_chain_has_asked_about() -> None:
    [told] = told_filter(("one", "two"))["typed_config"]["metadata"]
    assert told["value"] == {"one": True, "two": True}
    policy = only_if_asked("one")["rbac"]["rules"]
    assert policy["action"] == "ALLOW"
    [proof] = policy["policies"]["asked"]["principals"]
    matcher = proof["sourced_metadata"]["metadata_matcher"]
    assert (matcher["filter"], matcher["path"]) == (told["metadata_namespace"], [{"key": "one"}])


def test_a_route_says_which_one_it_is() -> None:
    found = asked("app")["check_settings"]
    assert found == {"context_extensions": {names.ROUTE_EXTENSION: "app"}}
