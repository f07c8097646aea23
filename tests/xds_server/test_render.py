"""Snapshots for people: complete, ordered, without secrets."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from gateway.model import RawResource
from gateway.secret_texts import REDACTED
from tests.kit.gateways import golden_gateway
from xds_server.compile import compile_gateway
from xds_server.render import static_bootstrap, to_yaml, yaml_of
from xds_server.resources.extension import Json
from xds_server.resources.raw import raw_resource
from xds_server.resources.topology import Topology
from xds_server.snapshot import SECRET, Snapshot, all_resources, snapshot_of


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


HIDDEN = base64.b64encode(b"hunter2").decode()
FORMS: tuple[Json, ...] = (
    {"generic_secret": {"secret": {"inline_bytes": HIDDEN}}},
    {"generic_secret": {"secrets": {"a": {"inline_string": "hunter2"}}}},
    {"tls_certificate": {"private_key": {"inline_string": "hunter2"}}},
    {"tls_certificate": {"password": {"inline_string": "hunter2"}}},
    {"tls_certificate": {"pkcs12": {"inline_bytes": HIDDEN}}},
    {"session_ticket_keys": {"keys": [{"inline_bytes": HIDDEN}]}},
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: next(iter(form)))
def test_every_form_of_a_secret_is_redacted(form: Json) -> None:
    raw = RawResource(SECRET, "s", json.dumps({"name": "s", **form}), "xds.resources.0")
    text = to_yaml(snapshot_of([raw_resource(raw)]))
    assert REDACTED in text
    assert "hunter2" not in text
    assert HIDDEN not in text


def test_programs_are_shown_line_by_line() -> None:
    assert yaml_of({"code": "a\nb\n"}) == "code: |\n  a\n  b\n"


def test_nothing_of_a_static_bootstrap_is_discovered() -> None:
    text = json.dumps(static_bootstrap(snapshot()))
    assert '"ads"' not in text
    assert "config_discovery" not in text
    assert "key-of-a" in text
