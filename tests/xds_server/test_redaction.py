"""What Envoy's API calls sensitive, and what looks like a credential, is never shown."""

from __future__ import annotations

import json

import yaml

from gateway.names import CONFIGURATION_TYPE
from gateway.secret_texts import REDACTED
from tests.kit.gateways import golden_gateway
from xds_server.compile import compile_gateway
from xds_server.redaction import Hidden, plainly, redacted, redacted_document, traceably
from xds_server.render import to_json
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, LISTENER, ROUTES, SECRET


def test_private_keys_are_hidden_and_certificates_are_not() -> None:
    shown = redacted(
        SECRET,
        {
            "name": "tls",
            "tls_certificate": {
                "certificate_chain": {"inline_string": "public"},
                "private_key": {"inline_string": "PRIVATE"},
                "password": {"inline_bytes": "UFc="},
            },
        },
    )
    assert shown == {
        "name": "tls",
        "tls_certificate": {
            "certificate_chain": {"inline_string": "public"},
            "private_key": {"inline_string": "[redacted]"},
            "password": {"inline_bytes": "[redacted]"},
        },
    }


def test_where_a_secret_is_may_be_shown() -> None:
    secret = {"generic_secret": {"secret": {"filename": "/run/key"}}}
    assert redacted(SECRET, secret) == secret


def test_keys_deep_inside_a_listener_are_hidden() -> None:
    context = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    certificate = {"private_key": {"inline_string": "PRIVATE"}}
    socket = {
        "name": "tls",
        "typed_config": {
            "@type": context,
            "common_tls_context": {"tls_certificates": [certificate]},
        },
    }
    shown = redacted(LISTENER, {"filter_chains": [{"transport_socket": socket}]})
    assert "PRIVATE" not in json.dumps(shown)
    assert shown["filter_chains"][0]["transport_socket"]["name"] == "tls"


def test_credentials_in_headers_are_hidden() -> None:
    headers = [
        {"header": {"key": "Authorization", "value": "Basic c2VjcmV0"}},
        {"header": {"key": "x-tenant", "value": "blue"}},
    ]
    table = {"virtual_hosts": [{"name": "h", "request_headers_to_add": headers}]}
    ((first, second),) = (
        host["request_headers_to_add"] for host in redacted(ROUTES, table)["virtual_hosts"]
    )
    assert first["header"] == {"key": "Authorization", "value": "[redacted]"}
    assert second == headers[1]


def test_what_is_matched_with_a_credential_is_hidden() -> None:
    match = {
        "headers": [
            {"name": "x-auth-token", "string_match": {"exact": "HUNTER2"}},
            {"name": "x-tenant", "string_match": {"exact": "blue"}},
        ],
        "query_parameters": [{"name": "api_key", "string_match": {"exact": "HUNTER2"}}],
    }
    shown = redacted(ROUTES, {"virtual_hosts": [{"routes": [{"match": match}]}]})
    assert "HUNTER2" not in json.dumps(shown)
    assert "blue" in json.dumps(shown)


def test_what_looks_like_a_key_is_hidden_in_maps_and_structs_too() -> None:
    cluster = {
        "metadata": {
            "filter_metadata": {
                "mine": {"note": "sk-abcdefgh123", "password": "PW", "apiKey": "PW"}
            }
        },
        "alt_stat_name": "plain",
    }
    shown = redacted(CLUSTER, cluster)
    assert "abcdefgh123" not in json.dumps(shown)
    assert "PW" not in json.dumps(shown)
    assert shown["alt_stat_name"] == "plain"


def test_hidden_values_can_be_compared() -> None:
    def hidden(key: str) -> object:
        return redacted(SECRET, {"generic_secret": {"secret": {"inline_string": key}}}, traceably)

    assert hidden("a") == hidden("a")
    assert hidden("a") != hidden("b")
    assert repr(Hidden("a")) == "[redacted]"


def test_digests_of_a_published_configuration_are_hidden_and_names_are_not() -> None:
    document = {"keys": [{"name": "ann", "digest": "00ff", "for": {"key": "ann"}}]}
    assert redacted_document(document) == {
        "keys": [{"name": "ann", "digest": "[redacted]", "for": {"key": "ann"}}]
    }


def test_keys_of_aws_in_a_cluster_are_hidden() -> None:
    snapshot = compile_gateway(golden_gateway("providers"), Topology(workers=("unix:/a",)))
    body = to_json(snapshot.of(CLUSTER)["llm/inline"])
    assert "secret-of-inline" in json.dumps(body)
    for hide in (plainly, traceably):
        shown = repr(redacted(CLUSTER, body, hide))
        assert "secret-of-inline" not in shown
        assert "token-of-inline" not in shown
        assert "id-of-inline" in shown


def test_what_workers_are_told_is_shown_without_passwords_whatever_is_in_them() -> None:
    text = """ledger: {type: redis, url: "redis://h", password: "a,b;c}'d e"}"""
    body = {"version": "1", "yaml": text}
    shown = redacted(CONFIGURATION_TYPE, body)
    assert yaml.safe_load(shown["yaml"])["ledger"] == {
        "type": "redis",
        "url": "redis://h",
        "password": REDACTED,
    }
    assert shown["version"] == "1"
    plain = {"version": "1", "yaml": "llm: {}  # as it was written"}
    assert redacted(CONFIGURATION_TYPE, plain) == plain
    broken = {"yaml": "password: 'geheim"}
    assert redacted(CONFIGURATION_TYPE, broken) == {"yaml": REDACTED}


def test_keys_in_queries_of_rest_apis_are_hidden() -> None:
    document = {"openapi": {"secret_query": {"api_key": "hidden-value"}}}
    assert "hidden-value" not in str(redacted_document(document))
