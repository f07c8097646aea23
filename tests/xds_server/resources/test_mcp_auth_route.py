"""What Envoy tells of the MCP gateway by itself."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from gateway import names
from gateway.mcp import AuthorizationProxy, Mcp
from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.resources.mcp_auth_route import (
    authorization_routes,
    consent_routes,
    mcp_issuers,
    metadata_routes,
    pages,
)

GATEWAY = golden_gateway("mcp-auth")
WELL_KNOWN = "/.well-known/oauth-protected-resource"


def test_each_view_has_its_metadata_and_the_root_that_of_all() -> None:
    preflight, *routes = metadata_routes(GATEWAY.mcp)
    assert preflight["match"]["path_separated_prefix"] == WELL_KNOWN
    said = {
        each["match"]["path"]: json.loads(each["direct_response"]["body"]["inline_string"])
        for each in routes
    }
    of_all = f"{WELL_KNOWN}/mcp"
    assert set(said) == {of_all, f"{of_all}/github", f"{of_all}/notes", WELL_KNOWN}
    assert said[WELL_KNOWN] == said[of_all]
    assert said[f"{of_all}/github"]["scopes_supported"] == ["mcp", "github"]


def test_nobody_is_asked_about_metadata() -> None:
    for route in metadata_routes(GATEWAY.mcp):
        policy = route["typed_per_filter_config"][names.EXT_PROC_FILTER]
        assert policy["disabled"]


def test_without_auth_nothing_is_told() -> None:
    assert list(metadata_routes(Mcp(views=GATEWAY.mcp.views))) == []


def test_the_same_issuers_are_asked_for_tokens_for_mcp() -> None:
    (issuer,) = mcp_issuers(GATEWAY)
    assert issuer.audiences[0] == "agents"
    assert "https://gateway.example/mcp/notes" in issuer.audiences
    assert mcp_issuers(dataclasses.replace(GATEWAY, mcp=Mcp())) == ()


def test_any_origin_is_any() -> None:
    anybody = pages(Mcp(allowed_origins=("*",)))
    assert anybody["allow_origin_string_match"] == [{"safe_regex": {"regex": ".*"}}]
    some = pages(Mcp(allowed_origins=("https://app.example",)))
    assert some["allow_origin_string_match"] == [
        {"exact": "https://app.example", "ignore_case": True}
    ]


def test_metadata_of_a_server_passes_or_is_said_by_extproc() -> None:
    proxy = AuthorizationProxy("idp.example", "/a/metadata")
    assert GATEWAY.mcp.auth is not None

    def routes(of: AuthorizationProxy) -> list[Any]:
        auth = dataclasses.replace(GATEWAY.mcp.auth, proxy=of)  # type: ignore[type-var]
        return list(authorization_routes(dataclasses.replace(GATEWAY.mcp, auth=auth)))

    passing = [each for each in routes(proxy) if "route" in each]
    assert len(passing) == 2
    for each in passing:
        assert each["route"]["cluster"] == "service/mcp-authorization"
        assert each["route"]["regex_rewrite"]["substitution"] == "/a/metadata"
        assert "authorization" in each["request_headers_to_remove"]
    said = routes(dataclasses.replace(proxy, is_changed=True))
    places = [
        each["match"]["path_separated_prefix"] for each in said if "headers" not in each["match"]
    ]
    assert places == [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/mcp/.oauth",
    ]
    assert not any("route" in each for each in said)
    assert list(authorization_routes(GATEWAY.mcp)) == []


CONSENT = """
identity:
  api_keys: {keys: [{name: ann, key: sk-ann}]}
  logins:
    staff:
      issuer: https://idp
      client: {id: us, secret: s}
      endpoints: {authorization: https://idp/go, token: https://idp/token}
      jwks: {url: https://idp/keys}
mcp:
  consents: {url: "https://gateway.example", login: staff}
  servers:
    a: {url: "https://a.example/mcp", consent: {client: {id: us}}}
    b: {url: "https://b.example/mcp", consent: {}}
"""


def test_links_are_behind_the_login_and_the_way_back_is_not() -> None:
    link, back, document = consent_routes(gateway_of(CONSENT))
    assert link["match"] == {"path_separated_prefix": "/mcp/.oauth/connect"}
    assert names.login_filter("staff") in link["typed_per_filter_config"]
    assert back["match"] == {"path_separated_prefix": "/mcp/.oauth/callback"}
    assert set(back["typed_per_filter_config"]) == {names.EXT_PROC_FILTER}
    assert document["match"]["path"] == "/mcp/.oauth/client/b"
    said = json.loads(document["direct_response"]["body"]["inline_string"])
    assert said["client_id"] == "https://gateway.example/mcp/.oauth/client/b"
    assert said["redirect_uris"] == ["https://gateway.example/mcp/.oauth/callback/b"]
    assert said["token_endpoint_auth_method"] == "none"


def test_without_a_login_links_are_open_and_without_consent_there_are_none() -> None:
    link, *_ = consent_routes(gateway_of(CONSENT.replace(", login: staff", "")))
    assert set(link["typed_per_filter_config"]) == {names.EXT_PROC_FILTER}
    assert list(consent_routes(GATEWAY)) == []
