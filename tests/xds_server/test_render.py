"""Snapshots for people: complete, ordered, without secrets."""

from __future__ import annotations

import json

import yaml

from tests.kit.gateways import golden_gateway
from xds_server.compile import Topology, compile_gateway
from xds_server.render import REDACTED, static_bootstrap, to_yaml, yaml_of
from xds_server.snapshot import SECRET, Snapshot, all_resources


def snapshot() -> Snapshot:
    return compile_gateway(golden_gateway("llm-failover-paths"), Topology(workers=("h:1",)))


def test_every_resource_is_a_document_by_type_and_name() -> None:
    documents = list(yaml.safe_load_all(to_yaml(snapshot())))
    found = [(document["@type"], document["name"]) for document in documents]
    assert found == sorted((each.type_url, each.name) for each in all_resources(snapshot()))


def test_secrets_are_redacted() -> None:
    text = to_yaml(snapshot())
    assert "key-of-a" not in text
    secrets = [each for each in yaml.safe_load_all(text) if each["@type"] == SECRET]
    shown = [each["generic_secret"]["secret"]["inline_string"] for each in secrets]
    assert shown == [REDACTED, REDACTED]


def test_programs_are_shown_line_by_line() -> None:
    assert yaml_of({"code": "a\nb\n"}) == "code: |\n  a\n  b\n"


def test_nothing_of_a_static_bootstrap_is_discovered() -> None:
    text = json.dumps(static_bootstrap(snapshot()))
    assert '"ads"' not in text
    assert "config_discovery" not in text
    assert "key-of-a" in text
