"""The MCP gateway as an OAuth 2.0 protected resource: its names, and whose tokens are for it."""

from __future__ import annotations

import json
from dataclasses import replace

from gateway.identity import Identity, Introspection, Issuer
from gateway.mcp import Mcp, McpAuth, McpScopes, McpView
from gateway.mcp_auth import (
    audiences,
    document,
    known_scopes,
    metadata_path,
    needed,
    protected,
    resource,
)

SCOPES = McpScopes(
    ("mcp",), (("a", ("a:use", "mcp")),), (("a", ("a:all",)),), (("a", "x_*", ("a:x",)),)
)
AUTH = McpAuth("https://gw", ("https://idp",), scopes=SCOPES, metadata='{"resource_name": "é"}')
MCP = Mcp(auth=AUTH, views=(McpView("", ("a", "b"), True), McpView("a", ("a",), False)))


def test_a_view_is_a_resource_below_that_of_all() -> None:
    assert resource(AUTH, MCP, "") == "https://gw/mcp"
    assert resource(AUTH, MCP, "a") == "https://gw/mcp/a"
    assert metadata_path(MCP, "a") == "/.well-known/oauth-protected-resource/mcp/a"


def test_a_token_for_the_whole_is_one_for_a_part_and_not_the_other_way_round() -> None:
    assert "https://gw/mcp" in audiences(AUTH, MCP, "a")
    assert "https://gw" in audiences(AUTH, MCP, "a")
    assert "https://gw/mcp/a" not in audiences(AUTH, MCP, "")
    assert "https://gw/mcp/b" not in audiences(AUTH, MCP, "a")


def test_the_metadata_asks_for_no_more_than_is_needed_for_anything() -> None:
    said = json.loads(document(AUTH, MCP, "a"))
    assert said == {
        "resource_name": "é",
        "resource": "https://gw/mcp/a",
        "authorization_servers": ["https://idp"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp", "a:use"],
    }
    assert needed(AUTH, "") == ("mcp",)
    assert known_scopes(AUTH) == {"mcp", "a:use", "a:all", "a:x"}
    offered = replace(AUTH, offered=("everything",))
    assert json.loads(document(offered, MCP, ""))["scopes_supported"] == ["everything"]
    assert "scopes_supported" not in json.loads(
        document(replace(AUTH, scopes=McpScopes()), MCP, "")
    )


def test_tokens_are_for_the_addresses_too_and_for_nobody_else() -> None:
    issuers = (Issuer("https://idp", ("agents",)), Issuer("https://open", ()))
    identity = Identity(issuers=issuers, introspection=Introspection("https://idp/ask"))
    assert protected(identity, replace(MCP, auth=None)) is identity
    found = protected(identity, MCP)
    mine = ("https://gw", "https://gw/", "https://gw/mcp", "https://gw/mcp/a")
    assert [each.audiences for each in found.issuers] == [("agents", *mine), mine]
    assert found.introspection is not None
    assert found.introspection.audiences == mine
    assert found.is_required
    assert not protected(identity, replace(MCP, auth=replace(AUTH, is_required=False))).is_required
