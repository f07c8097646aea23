"""Keys of agents' cards: what is none is told, and who is told which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.a2a import CardKeys, CardSigning
from gateway.config.load import load, load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.resolve import resolve
from tests.extproc.a2a.keys import EC_KEY, ED_KEY, pem, public
from tests.gateway.config.loading import complaints, meant

JWKS = json.dumps({"keys": [public(EC_KEY)]})


def agent(jwks: str, more: str = "") -> str:
    return f"a2a: {{agents: {{a: {{url: 'http://a', signatures: {{jwks: {jwks}{more}}}}}}}}}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (agent("{inline: '{}'}"), "a2a.agents.a.signatures.jwks.inline: the key set has no keys"),
        (agent("{}"), "a2a.agents.a.signatures.jwks: needs exactly one of url, file and inline"),
        (
            agent("{url: 'http://keys.example/jwks'}"),
            "a2a.agents.a.signatures.jwks.url: the keys could be changed on their way",
        ),
        ("a2a: {signing: {kid: k}}", "a2a.signing: needs exactly one of key and key_file"),
        ("a2a: {signing: {key: k}}", "a2a.signing.key: is no private key in pem"),
        ("a2a: {signing: {key: '{'}}", "a2a.signing.key: is no private key in pem"),
        (
            f"a2a: {{signing: {{key: '{json.dumps(public(EC_KEY))}'}}}}",
            "a2a.signing.key: is no private key: it has no 'd'",
        ),
        (
            """a2a: {signing: {key: '{"kty": "OKP", "crv": "X25519", "d": "x"}'}}""",
            "a2a.signing.key: is a key that cards are not signed with",
        ),
    ],
)
def test_what_is_no_key_is_told(text: str, complaint: str) -> None:
    (found,) = complaints(text)
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("kind", "mistake"),
    [("P-521", "is a key that cards are not signed"), ("RSA-1024", "is an rsa key of 1024 bits")],
)
def test_a_key_in_pem_that_cannot_sign_is_told_without_it(kind: str, mistake: str) -> None:
    text = pem(kind)
    (found,) = complaints(f"a2a: {{signing: {{key: {json.dumps(text)}}}}}")
    assert mistake in found
    assert text[40:80] not in found


@pytest.mark.parametrize("key", [pem("P-256"), pem("RSA"), pem("Ed25519"), json.dumps(ED_KEY)])
def test_a_key_signs(key: str) -> None:
    found = meant(f"a2a: {{signing: {{key: {json.dumps(key)}, kid: one}}}}").a2a.signing
    assert found == CardSigning(key, "one")
    assert key not in repr(found)


def test_keys_at_a_url_are_behind_a_cluster_of_their_own() -> None:
    gateway = meant(
        agent("{url: 'https://keys.example/a/jwks/', refresh: 1m}", ", required: false")
    )
    (found,) = gateway.a2a.agents
    assert found.signatures == CardKeys("", "/a/jwks/", "keys.example", 60.0, False)
    assert found.longest_seconds > found.timeout_seconds
    assert [each.name for each in gateway.services] == ["a2a/a", "a2a-keys/a"]


def test_what_stands_in_files_is_told_to_workers_and_the_private_key_to_them_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "jwks.json").write_text(JWKS)
    (tmp_path / "key.pem").write_text(pem("P-256"))
    file = tmp_path / "gateway.yaml"
    file.write_text(
        """
a2a:
  signing: {key_file: key.pem, kid: ours}
  agents: {a: {url: 'http://a', signatures: {jwks: {file: jwks.json}}}}
"""
    )
    config = load_file(file, environment={})
    assert isinstance(config, Config), config
    told, shown = for_workers(config), published(config)
    assert "PRIVATE" not in shown
    for text in (told, shown):
        again = load(text, file="again.yaml", environment={})
        assert isinstance(again, Config), again
        (found,) = resolve(again).a2a.agents
        assert found.signatures == CardKeys(JWKS)
    again = load(told, file="again.yaml", environment={})
    assert isinstance(again, Config)
    assert resolve(again).a2a.signing == CardSigning(pem("P-256"), "ours")
