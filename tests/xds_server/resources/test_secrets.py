"""Keys and certificates travel as secrets, and nowhere else."""

from __future__ import annotations

from gateway import names
from gateway.model import Listener, ServerTls
from xds_server.render import to_json, to_yaml
from xds_server.resources.secrets import gateway_secrets, provider_secret
from xds_server.snapshot import snapshot_of


def test_a_secret_holds_the_key_under_the_providers_name() -> None:
    found = to_json(provider_secret("a", "sk-1"))
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
