"""Keys and certificates travel as secrets, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from gateway import names
from gateway.credentials import GcpCredential, ManagedIdentity
from gateway.model import Listener, ServerTls
from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.render import to_json, to_yaml
from xds_server.resources.secrets import (
    gateway_secrets,
    key_secret,
    login_secrets,
    provider_secrets,
    token_version,
    with_tokens,
)
from xds_server.snapshot import SECRET, snapshot_of


def test_a_secret_holds_the_key_under_the_providers_name() -> None:
    found = to_json(key_secret(names.provider_secret("a"), "sk-1"))
    assert found["name"] == names.provider_secret("a")
    assert found["generic_secret"]["secret"] == {"inline_string": "sk-1"}


def gateway(tls: ServerTls | None) -> Listener:
    return Listener("edge", "0.0.0.0", 443, 1 << 20, tls)


def test_a_gateway_shows_its_certificate_and_asks_for_those_of_its_authorities() -> None:
    pair, authorities = map(to_json, gateway_secrets(gateway(ServerTls("cert", "key", "ca"))))
    assert pair["name"] == names.gateway_certificate("edge")
    assert pair["tls_certificate"] == {
        "certificate_chain": {"inline_string": "cert"},
        "private_key": {"inline_string": "key"},
    }
    assert authorities["name"] == names.gateway_client_ca("edge")
    assert authorities["validation_context"] == {"trusted_ca": {"inline_string": "ca"}}


def test_a_gateway_without_tls_has_no_secrets() -> None:
    assert list(gateway_secrets(gateway(None))) == []
    assert len(list(gateway_secrets(gateway(ServerTls("cert", "key"))))) == 1


def test_private_keys_are_not_shown() -> None:
    shown = to_yaml(snapshot_of(gateway_secrets(gateway(ServerTls("cert", "hunter2", "ca")))))
    assert "cert" in shown
    assert "hunter2" not in shown


TEXT = """
    llm:
      providers:
        v: {type: vertex, region: global, project: p}
        w: {type: vertex-claude, region: eu, project: q}
        k: {type: openai, key: sk-1}
        b: {type: bedrock, region: us-east-1}
        u: {type: openai, auth: {type: pass-through}}
    """
PROVIDERS = gateway_of(TEXT).providers


def test_who_signs_or_passes_on_reads_no_secret() -> None:
    found = [each.name for provider in PROVIDERS for each in provider_secrets(provider)]
    assert found == ["llm/v/key", "llm/w/key", "llm/k/key"]


def test_tokens_fill_the_secrets_of_their_credential_alone() -> None:
    snapshot = snapshot_of(each for provider in PROVIDERS for each in provider_secrets(provider))
    filled = with_tokens(snapshot, {token_version(GcpCredential()): "t-1"})
    shown = {name: to_json(each)["generic_secret"] for name, each in filled.of(SECRET).items()}
    assert shown == {
        "llm/k/key": {"secret": {"inline_string": "sk-1"}},
        "llm/v/key": {"secret": {"inline_string": "t-1"}},
        "llm/w/key": {"secret": {"inline_string": "t-1"}},
    }
    assert filled.version != snapshot.version
    assert with_tokens(snapshot, {token_version(ManagedIdentity()): "t-1"}) is snapshot


def test_the_secret_of_a_token_is_another_when_the_credential_is() -> None:
    versions = {token_version(GcpCredential(source)) for source in (None, "a", "b")}
    assert len(versions) == 3


def test_cookies_of_a_login_have_a_secret_of_their_own_that_lasts() -> None:
    staff, guests = golden_gateway("logins").identity.logins
    first, again, other = (
        [to_json(each) for each in login_secrets(staff, seed)] for seed in ("a", "a", "b")
    )
    client, cookies = first
    assert client["name"] == names.login_client_secret("staff")
    assert client["generic_secret"]["secret"] == {"inline_string": "hush"}
    assert cookies["name"] == names.login_cookie_secret("staff")
    assert len(cookies["generic_secret"]["secret"]["inline_string"]) == 64
    assert first == again
    assert cookies != other[1]
    _, said = (to_json(each) for each in login_secrets(guests, "a"))
    secret = guests.cookies.secret
    assert said["generic_secret"]["secret"] == {"inline_string": secret}


def test_what_a_client_shows_is_encoded_since_envoy_does_it_in_part() -> None:
    login = replace(golden_gateway("logins").identity.logins[0], client_secret="a+b/%2B")
    said = to_json(next(login_secrets(login, "")))
    assert said["generic_secret"]["secret"] == {"inline_string": "a%2Bb%2F%252B"}
