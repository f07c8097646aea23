"""What Envoy is told of issuers."""

from __future__ import annotations

from gateway import names
from gateway.identity import Issuer
from tests.kit.gateways import golden_gateway
from xds_server.resources.jwt import for_mcp, keys_upstream, passed, requirement, token_filter

FETCHED = Issuer("https://a", ("x",), jwks_url="https://a.example/keys", refresh_seconds=60)
KNOWN = Issuer("https://b", (), jwks='{"keys": []}', is_forwarded=True, leeway_seconds=5)


def test_each_issuer_checks_its_own_tokens_and_nobody_is_refused_here() -> None:
    found = token_filter((FETCHED, KNOWN))
    [rule] = found["rules"]
    assert rule["requires"]["requires_any"]["requirements"] == [
        {"provider_name": "0/https://a"},
        {"provider_name": "0/https://a/again"},
        {"provider_name": "1/https://b"},
        {"allow_missing_or_failed": {}},
    ]
    for provider in found["providers"].values():
        assert provider["require_expiration"] is True
        assert provider["forward_payload_header"] == names.CLAIMS_HEADER


def test_keys_are_fetched_in_the_background_and_again_when_they_do_not_do() -> None:
    providers = token_filter((FETCHED,))["providers"]
    regular, again = (providers[f"0/https://a{each}"]["remote_jwks"] for each in ("", "/again"))
    assert regular["cache_duration"] == "60s"
    assert regular["async_fetch"]["fast_listener"] is True
    assert again["cache_duration"] == "10s"
    assert "async_fetch" not in again
    assert regular["http_uri"] == again["http_uri"]
    assert regular["http_uri"]["cluster"] == names.jwks_cluster("https://a")


def test_a_token_is_where_keys_are_and_leaves_unless_it_is_forwarded() -> None:
    providers = token_filter((FETCHED, KNOWN))["providers"]
    known = providers["1/https://b"]
    assert [each["name"] for each in known["from_headers"]] == list(names.CREDENTIAL_HEADERS)
    assert (known["forward"], known["clock_skew_seconds"]) == (True, 5)
    assert providers["0/https://a"]["forward"] is False
    assert known["local_jwks"] == {"inline_string": '{"keys": []}'}


def test_the_root_of_a_host_is_a_path() -> None:
    root = token_filter((Issuer("https://a", (), jwks_url="https://a.example"),))
    uri = root["providers"]["0/https://a"]["remote_jwks"]["http_uri"]["uri"]
    assert uri == "https://a.example/"


def test_the_upstream_is_checked_against_the_issuers_own_authorities() -> None:
    found = keys_upstream(Issuer("https://a", (), jwks_url="https://a.example:8443/k", ca="PEM"))
    assert (found.authority, found.is_tls, found.ca) == ("a.example:8443", True, "PEM")


def test_elsewhere_tokens_pass() -> None:
    assert passed()["disabled"] is True


def test_tokens_of_logins_are_in_cookies_and_asked_for_by_name() -> None:
    staff, guests = golden_gateway("logins").identity.logins
    found = token_filter((FETCHED,), (staff, guests))
    login = found["providers"]["login/staff"]
    assert login["from_cookies"] == ["__Host-staff-id"]
    assert login["audiences"] == ["gateway"]
    assert login["forward_payload_header"] == names.LOGIN_CLAIMS_HEADER
    assert "from_headers" not in login
    assert login["remote_jwks"]["http_uri"]["cluster"] == names.login_keys_cluster("staff")
    assert found["providers"]["login/guests"]["from_cookies"] == ["__Secure-g-access"]
    tried = {
        name: [each.get("provider_name") for each in asked["requires_any"]["requirements"]]
        for name, asked in found["requirement_map"].items()
    }
    assert tried["login/staff"] == ["login/staff", "login/staff/again", None]
    assert tried["login/staff/or-token"] == [
        "login/staff",
        "login/staff/again",
        "0/https://a",
        "0/https://a/again",
        None,
    ]
    [rule] = found["rules"]
    everywhere = [
        each.get("provider_name") for each in rule["requires"]["requires_any"]["requirements"]
    ]
    assert everywhere == ["0/https://a", "0/https://a/again", None]


def test_without_issuers_tokens_are_looked_for_on_routes_with_a_login_alone() -> None:
    found = token_filter((), golden_gateway("logins").identity.logins)
    assert "rules" not in found
    assert set(found["requirement_map"]) >= {requirement("staff", takes_tokens=False)}


def test_tokens_for_mcp_are_asked_for_by_name() -> None:
    """Elsewhere they open nothing."""
    issuer = Issuer("https://a", ("x", "https://gw/mcp"), jwks_url="https://a/jwks")
    found = token_filter((FETCHED,), (), (issuer,))
    assert found["providers"]["mcp/0/https://a"]["audiences"] == ["x", "https://gw/mcp"]
    asked = found["requirement_map"]["mcp"]["requires_any"]["requirements"]
    tried = [each.get("provider_name") for each in asked]
    assert tried == ["mcp/0/https://a", "mcp/0/https://a/again", None]
    [rule] = found["rules"]
    everywhere = rule["requires"]["requires_any"]["requirements"]
    assert not any(each.get("provider_name", "").startswith("mcp/") for each in everywhere)
    assert for_mcp()["requirement_name"] == "mcp"
