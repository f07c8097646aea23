"""What is written of servers that want each user's own consent."""

from __future__ import annotations

import pytest

from gateway.config.check import warnings
from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.identity import ClientAuth
from gateway.mcp import Consent
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

HEAD = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}
mcp:
  consents: {url: "https://gateway.example"}
  servers: {a: {url: "https://a.example/mcp", consent: CONSENT}}
"""
CLIENT = "client: {id: us, secret: hidden-one}"
WRITTEN = "authorize_url: 'https://as.example/go?x', token_url: 'https://as.example/token'"


def yaml(consent: str) -> str:
    return HEAD.replace("CONSENT", f"{{{consent}}}")


def consent(text: str) -> Consent:
    (server,) = gateway_of(text).mcp.servers
    assert server.consent is not None
    assert server.is_changed
    return server.consent


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (WRITTEN.replace("?x", ""), "mcp.servers.a.consent: needs a client"),
        (f"{CLIENT}, token_url: 'https://b'", "mcp.servers.a.consent: needs both authorize_url"),
        (f"{CLIENT}, revoke_url: 'https://b'", "mcp.servers.a.consent: has a revoke_url, and no"),
        (
            f"{CLIENT}, authorize_url: 'https://b', token_url: 'https://b', revoke_url: 'https://c'",
            "mcp.servers.a.consent: has a revoke_url on another host",
        ),
        (f"{CLIENT}, issuer: 'http://b.example'", "mcp.servers.a.consent: would send codes"),
        (f"{CLIENT}, parameters: {{state: x}}", "mcp.servers.a.consent: has the parameter state"),
    ],
)
def test_what_cannot_be_is_told(written: str, complaint: str) -> None:
    (found,) = complaints(yaml(written))
    assert found.startswith(complaint), found


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}",
            "",
            "consent: nobody is known",
        ),
        ('consents: {url: "https://gateway.example"}', "prefix: auto", "consent: nobody says what"),
        ("https://gateway", "http://gateway", "mcp.consents.url: codes would come back without"),
        ("https://a.example", "http://a.example", "consent: would send codes and tokens without"),
        ('{url: "https://gateway.example"}', "{url: 'https://g', login: x}", "login: no login 'x'"),
        (
            "mcp:",
            "ledger: {type: redis, url: 'redis://r'}\nmcp:",
            "mcp: other machines cannot open",
        ),
        ("consent: {", "key: k, consent: {", "mcp.servers.a: has a consent, and another cred"),
        ("consent: {", "cache_lists: 1m, consent: {", "mcp.servers.a: has a consent, and lists"),
        (
            "consent: {",
            "exchange: {url: 'https://t'}, consent: {",
            "mcp.servers.a: has both exchange and consent",
        ),
    ],
)
def test_what_does_not_fit_is_told(old: str, new: str, complaint: str) -> None:
    found = complaints(yaml(CLIENT).replace(old, new))
    assert any(complaint in each for each in found), found


def test_the_server_is_its_own_issuer_unless_another_is_said() -> None:
    own = consent(yaml(CLIENT))
    assert (own.issuer, own.authority) == ("https://a.example", "a.example")
    assert own.is_discovered
    assert own.resource == "https://a.example/mcp"
    assert own.client_auth is ClientAuth.BASIC
    other = consent(yaml(f"{CLIENT}, issuer: 'https://as.example/x', send_resource: false"))
    assert (other.issuer, other.authority) == ("https://as.example/x", "as.example")
    assert other.resource == ""


def test_without_a_client_the_gateway_comes_to_be_one() -> None:
    own = consent(yaml(""))
    assert (own.client_id, own.client_auth) == ("", ClientAuth.NONE)
    assert consent(for_workers(loaded(yaml("")))) == own


def loaded(text: str) -> Config:
    config = load(text, file="gateway.yaml", environment={})
    assert isinstance(config, Config)
    return config


def test_endpoints_that_are_written_down_are_not_looked_for() -> None:
    text = yaml(f"{CLIENT}, {WRITTEN.replace('?x', '')}, parameters: {{a: b}}, scopes: [s]")
    found = consent(text)
    assert not found.is_discovered
    assert (found.authorize_url, found.token_path) == ("https://as.example/go", "/token")
    assert (found.issuer, found.parameters, found.scopes) == ("", (("a", "b"),), ("s",))
    services = {each.name: each.upstream.authority for each in gateway_of(text).services}
    assert services == {"mcp/a": "a.example", "mcp-consent/a": "as.example"}


@pytest.mark.parametrize("written", [CLIENT, f"{CLIENT}, {WRITTEN.replace('?x', '')}"])
def test_workers_know_what_is_meant_and_others_no_secret(written: str) -> None:
    text = yaml(written)
    config = load(text, file="gateway.yaml", environment={})
    assert isinstance(config, Config)
    assert "hidden" not in published(config)
    assert "sk-ann" not in for_workers(config)
    told = consent(for_workers(config))
    meant = consent(text)
    if meant.is_discovered:
        assert told.client_secret == "hidden-one"
    assert told == meant


def test_it_is_said_when_nobody_looks_who_opens_a_link() -> None:
    config = load(yaml(CLIENT), file="gateway.yaml", environment={})
    assert isinstance(config, Config)
    assert any("who opens a link" in str(each) for each in warnings(config))
