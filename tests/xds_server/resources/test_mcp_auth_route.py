"""What Envoy tells of the MCP gateway by itself."""

from __future__ import annotations

import dataclasses
import json

from gateway import names
from gateway.mcp import Mcp
from tests.kit.gateways import golden_gateway
from xds_server.resources.mcp_auth_route import mcp_issuers, metadata_routes, pages

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
