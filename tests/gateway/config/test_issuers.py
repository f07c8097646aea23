"""Issuers mean what is written, and keys that Envoy could not use are found before it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.issuers import mistaken_keys
from gateway.config.load import load_file
from gateway.config.schema import Config
from gateway.identity import ClaimNames, Issuer, TokenMode
from tests.gateway.config.loading import complaints, meant
from tests.kit.identity_provider import SigningKey, key_set

KEYS = key_set(SigningKey("a"))
URL = "jwks: {url: 'https://idp/keys'}"


def jwt(text: str) -> str:
    return f"identity: {{jwt: [{{issuer: https://idp, audiences: [agents], {text}}}]}}"


def test_an_issuer_has_defaults() -> None:
    identity = meant(jwt(URL)).identity
    assert identity.issuers == (Issuer("https://idp", ("agents",), jwks_url="https://idp/keys"),)
    assert identity.is_required


def test_all_of_it_can_be_written() -> None:
    claims = "claims: {user: email, team: org.team, groups: roles, tags: {cost: cc}}"
    text = jwt(f"jwks: {{inline: '{KEYS}'}}, mode: permissive, {claims}, forward: true, leeway: 5s")
    identity = meant(text).identity
    assert identity.issuers == (
        Issuer(
            "https://idp",
            ("agents",),
            jwks=KEYS,
            mode=TokenMode.PERMISSIVE,
            claims=ClaimNames("email", "org.team", "roles", (("cost", "cc"),)),
            is_forwarded=True,
            leeway_seconds=5,
        ),
    )
    assert not identity.is_required


@pytest.mark.parametrize(
    ("mode", "required", "is_required"),
    [
        ("strict", "", True),
        ("optional", "", False),
        ("permissive", "", False),
        ("strict", "required: false, ", False),
        ("optional", "required: true, ", True),
    ],
)
def test_a_strict_issuer_asks_for_a_credential(mode: str, required: str, is_required: bool) -> None:
    text = jwt(f"{URL}, mode: {mode}").replace("{jwt:", f"{{{required}jwt:")
    assert meant(text).identity.is_required == is_required


def test_keys_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(KEYS)
    file = tmp_path / "gateway.yaml"
    file.write_text(jwt("jwks: {file: keys.json}"))
    config = load_file(file, environment={})
    assert isinstance(config, Config), config
    assert config.identity.jwt[0].meaning.jwks == KEYS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("jwks: {}", "jwks: needs exactly one of url, file and inline"),
        ("jwks: {url: 'https://a', inline: x}", "jwks: needs exactly one of url, file and inline"),
        ("jwks: {url: 'https://a', refresh: 9s}", "jwks.refresh: must be 10s or longer"),
        (f"{URL}, leeway: 2h", "leeway: must be an hour at the most"),
        ("jwks: {inline: '{}'}", "jwks.inline: the key set has no keys"),
        (f"{URL}, mode: lax", "mode: must be one of strict, optional, permissive"),
    ],
)
def test_mistakes_are_problems(text: str, problem: str) -> None:
    [found] = complaints(jwt(text))
    assert f"identity.jwt.0.{problem}" in found


def test_an_issuer_stands_once() -> None:
    one = f"{{issuer: https://idp, audiences: [a], {URL}}}"
    [found] = complaints(f"identity: {{jwt: [{one}, {one}]}}")
    assert "identity.jwt.1.issuer: the issuer 'https://idp' is there already" in found


def test_a_route_cannot_ask_for_what_nobody_issues() -> None:
    [found] = complaints("routes: [{name: a, backend: 'http://a', auth: jwt}]")
    assert "routes.0.auth: asks for a token, and there is no issuer" in found


RSA = {"kty": "RSA", "e": "AQAB"}


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        ("{", "is no json"),
        ("[]", "has no keys"),
        ('{"keys": []}', "has no keys"),
        ({"keys": [7]}, "is no object"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "is private or symmetric"),
        ({"keys": [{"kty": "EC", "d": "x"}]}, "is private or symmetric"),
        ({"keys": [{"kty": "dilithium"}]}, "has no kty of EC, RSA, OKP"),
        ({"keys": [{**RSA, "n": "A" * 171}]}, "is an rsa key of less than 2048 bits"),
        ({"keys": [RSA]}, "is an rsa key of less than 2048 bits"),
    ],
)
def test_keys_that_envoy_could_not_use_are_found(document: object, mistake: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    assert mistake in (mistaken_keys(text) or "")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_good_keys_are_taken(algorithm: str) -> None:
    assert mistaken_keys(key_set(SigningKey("a", algorithm), SigningKey("b"))) is None
