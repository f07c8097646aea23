"""Whom tokens are asked about, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.config.load import load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.identity import Accepts, ClaimNames, ClientAuth, Introspection
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints, loaded, meant, warned
from tests.kit.certificates import Authority

URL = "https://idp.example/introspect"


def written(more: str = "") -> str:
    return f"identity: {{introspection: {{url: '{URL}'{more}}}}}"


def test_only_a_url_is_needed() -> None:
    identity = meant(written()).identity
    assert identity.introspection == Introspection("/introspect")
    assert identity.is_required
    assert meant("identity: {}").identity.introspection is None


def test_all_of_it() -> None:
    text = written(
        """, client: {id: us, secret: "${SECRET}", method: post}, issuer: https://idp.example,
        audiences: [agents], claims: {user: username, groups: scope, tags: {c: client_id}},
        cache: 10s, cache_inactive: 1s, timeout: 500ms, forward: true"""
    )
    assert meant(text, SECRET="hush").identity.introspection == Introspection(
        "/introspect",
        "us",
        "hush",
        ClientAuth.POST,
        "https://idp.example",
        ("agents",),
        ClaimNames("username", groups="scope", tags=(("c", "client_id"),)),
        10.0,
        1.0,
        0.5,
        True,
    )


def test_workers_are_told_the_secret_and_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority("idp").pem)
    file = tmp_path / "gateway.yaml"
    file.write_text(written(", client: {id: us, secret: hush}, ca: ca.pem"))
    config = load_file(file, {})
    assert isinstance(config, Config), config
    told = for_workers(config)
    assert resolve(loaded(told)).identity == resolve(config).identity
    assert for_workers(loaded(told)) == told
    shown = published(config)
    assert "hush" not in shown
    assert yaml.safe_load(shown)["identity"]["introspection"]["client"] == {"id": "us"}
    assert "hush" not in repr(resolve(config))


def test_envoy_is_told_where_and_by_whom_its_certificate_is_signed(tmp_path: Path) -> None:
    ca = Authority("idp").pem
    (tmp_path / "ca.pem").write_text(ca)
    file = tmp_path / "gateway.yaml"
    file.write_text(written(", ca: ca.pem").replace("/introspect", ":8443/o/introspect/"))
    config = load_file(file, {})
    assert isinstance(config, Config), config
    gateway = resolve(config)
    assert gateway.identity.introspection == Introspection("/o/introspect/")
    [service] = gateway.services
    assert (service.name, service.upstream.authority) == ("introspection", "idp.example:8443")
    assert (service.upstream.ca, service.upstream.is_tls) == (ca, True)
    told = for_workers(config)
    assert "idp.example" not in told
    assert "CERTIFICATE" not in told
    assert meant("identity: {}").services == ()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", cache: 2h", "cache: must be an hour at the most"),
        (", timeout: 5s", "timeout: must be from 10ms to 4s"),
        (", client: {id: a, method: header}", "client.method: must be one of basic, post"),
        (", ca_inline: x", "ca_inline: 'this' holds no certificate in pem"),
    ],
)
def test_mistakes_are_problems(more: str, problem: str) -> None:
    [found] = complaints(written(more))
    assert f"identity.introspection.{problem}" in found


def test_authorities_are_for_tls() -> None:
    text = "identity: {introspection: {url: 'http://127.0.0.1/i', ca_inline: x}}"
    assert complaints(text) == ["identity.introspection: has a ca, and no https url"]


def test_authorities_in_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    jwt = "jwt: [{issuer: i, audiences: [a], jwks: {url: 'https://i/jwks', ca: ca.pem}}]"
    file = tmp_path / "gateway.yaml"
    file.write_text(f"{written(', ca: ca.pem')[:-1]}, {jwt}}}")
    found = load_file(file, {})
    assert not isinstance(found, Config)
    assert {each.path for each in found} == {
        "identity.jwt.0.jwks.ca",
        "identity.introspection.ca",
    }


def test_a_route_may_take_such_tokens_alone() -> None:
    route = "routes: [{name: a, backend: 'http://a', auth: introspection}]"
    assert meant(f"{written()}\n{route}").routes[0].accepts is Accepts.INTROSPECTION
    assert complaints(route) == ["routes.0.auth: nobody is asked about tokens"]


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [("http://idp.example/i", True), ("http://127.0.0.1/i", False), ("http://localhost/i", False)],
)
def test_secrets_in_the_clear_are_warned_of(url: str, is_warned: bool) -> None:
    found = warned(f"identity: {{introspection: {{url: '{url}'}}}}")
    assert bool(found) == is_warned
    assert all("without tls" in each for each in found)
