from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.check import warnings
from gateway.config.xds_rules import exposure
from gateway.model import ServerTls, Xds, XdsClient
from tests.gateway.config.loading import complaints, loaded
from tests.gateway.config.writing import config_of, write
from tests.kit.certificates import Authority

CLUSTER = "'@type': envoy.config.cluster.v3.Cluster"


def test_clients_have_names_and_tokens_of_their_own() -> None:
    text = """
        xds:
          clients:
          - {name: a, token: one}
          - {name: a, token: two}
          - {name: b, token: one}
        """
    assert complaints(text) == [
        "xds.clients.1.name: the name 'a' is taken",
        "xds.clients.2: 'b' has the same token as 'a'",
    ]


@pytest.mark.parametrize(
    ("client", "match", "is_warned"),
    [
        ("secrets: true", "cluster: x", True),
        ("secrets: true, groups: a", "cluster: x", False),
        ("secrets: true, groups: '*'", "cluster: x", False),
        ("secrets: false", "cluster: x", False),
        ("secrets: true", "id: x", False),
    ],
)
def test_who_may_choose_its_group_is_told(client: str, match: str, is_warned: bool) -> None:
    text = f"""
        gateways: {{g: {{port: 8080}}}}
        xds:
          clients: [{{name: c, token: one, {client}}}]
          groups: {{a: {{match: {{{match}}}}}, b: {{match: {{id: y}}}}}}
        """
    found = [each.message for each in warnings(loaded(text))]
    assert any("claim to be in" in each for each in found) is is_warned


@pytest.mark.parametrize(
    ("fields", "is_warned"),
    [
        ("tls: [{private_key: {inline_string: K}}]", True),
        ("tls: [{private_key: {filename: K}, certificate_chain: {inline_string: C}}]", False),
        ("headers: [{header: {key: x-api-key, value: K}}]", True),
        ("headers: [{header: {key: x-tenant, value: blue}}]", False),
        ("metadata: {password: K}", True),
        ("secret: {name: s, sds_config: {ads: {}}}", False),
        ("lua: 'authorization: Bearer KKKKKK'", True),
    ],
)
def test_secrets_that_everybody_is_told_are_told_of(fields: str, is_warned: bool) -> None:
    resource = f"{{{CLUSTER}, name: c, {fields}}}"
    text = f"""
        gateways: {{g: {{port: 8080}}}}
        xds:
          clients: [{{name: rich, token: one, secrets: true}}, {{name: poor, token: two}}]
          groups: {{a: {{resources: [{resource}]}}}}
        """
    found = [each for each in warnings(loaded(text)) if "'poor'" in each.message]
    assert [each.path for each in found] == ["xds.groups.a.resources.0"] * is_warned


def test_certificates_have_to_be_asked_for(tmp_path: Path) -> None:
    authority = Authority()
    cert, key = authority.server()
    for name, text in {"c": cert, "k": key, "ca": authority.pem}.items():
        (tmp_path / name).write_text(text)
    clients = "clients: [{name: a, san: 'spiffe://a'}]"
    missing = "xds.clients.0.san: no client shows a certificate unless it is asked for one"
    assert complaints(f"xds: {{{clients}}}") == [missing]
    write(tmp_path, a=f"xds: {{tls: {{cert: c, key: k, client_ca: ca}}, {clients}}}")
    assert config_of(tmp_path / "a.yaml").xds.clients[0].san == ("spiffe://a",)


def test_what_follows_from_broken_tls_is_not_a_second_problem() -> None:
    found = complaints("xds: {tls: {crt: c}, clients: [{name: a, san: 'spiffe://a'}]}")
    assert not any("unless it is asked" in each for each in found)


def test_groups_serve_gateways_that_exist() -> None:
    text = "gateways: {edge: {port: 1}}\nxds: {groups: {g: {gateways: [edge, edg]}}}"
    assert complaints(text) == ["xds.groups.g.gateways.1: no gateway 'edg'"]


def test_a_name_stands_once_in_what_a_node_is_told() -> None:
    text = f"""
        xds:
          resources:
          - {{{CLUSTER}, name: a}}
          - {{{CLUSTER}, name: a}}
          - {{'@type': envoy.extensions.transport_sockets.tls.v3.Secret, name: a}}
          groups:
            g: {{resources: [{{{CLUSTER}, name: a}}, {{{CLUSTER}, name: b}}]}}
            h: {{resources: [{{{CLUSTER}, name: b}}]}}
        """
    assert complaints(text) == [
        "xds.resources.1.name: there is a Cluster 'a' already",
        "xds.groups.g.resources.0.name: there is a Cluster 'a' already",
    ]


@pytest.mark.parametrize(
    "name", ["gateway/default", "llm/openai", "dragoman_extproc", "http/a#1", "https/a#1"]
)
def test_names_of_ours_are_not_theirs(name: str) -> None:
    assert complaints(f"xds: {{resources: [{{{CLUSTER}, name: {name}}}]}}") == [
        f"xds.resources.0.name: '{name}' is a name of the gateway's own"
    ]


def test_tokens_in_the_clear_are_a_warning() -> None:
    config = loaded("xds: {clients: [{name: a, token: x}]}")
    assert any(each.path == "xds.clients" for each in warnings(config))


def test_who_listens_beyond_this_machine_is_told_what_it_shows() -> None:
    client = (XdsClient("a", token_digest="0" * 64),)
    for host in ("127.0.0.1", "::1", "[::1]", "localhost"):
        assert exposure(Xds(), host) is None
    assert "keys of providers" in (exposure(Xds(), "0.0.0.0") or "")
    assert "keys of providers" in (exposure(Xds(tls=ServerTls("c", "k")), "xds.internal") or "")
    assert "in the clear" in (exposure(Xds(clients=client), "::") or "")
    assert exposure(Xds(tls=ServerTls("c", "k"), clients=client), "::") is None
