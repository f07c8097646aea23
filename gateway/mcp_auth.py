"""The MCP gateway as an OAuth 2.0 protected resource: what its resources are called, what is told
of them (RFC 9728), and whose tokens are for them (RFC 8707)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from gateway.identity import Identity
from gateway.mcp import Mcp, McpAuth

WELL_KNOWN = "/.well-known/oauth-protected-resource"

SERVER_METADATA = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
)
"""Where clients look for an authorization server (RFC 8414 §3, OpenID Connect Discovery 1.0 §4)."""
_OWN_ENDPOINTS = "/.oauth"
CONNECT, CALLBACK, CLIENT = "/connect", "/callback", "/client"
"""Below these of the gateway's endpoints, people agree that servers are used for them: where links
lead to, where authorization servers send browsers back to, and what the gateway says of itself."""


def endpoints_path(mcp: Mcp) -> str:
    """Below which the gateway has endpoints of an authorization server; no view is there."""
    return f"{mcp.path}{_OWN_ENDPOINTS}"


def callback_url(mcp: Mcp, server: str) -> str:
    """Where the authorization server of an MCP server sends browsers back to; each server's is
    another, so that what one says is never taken for another's (RFC 9700 §4.4)."""
    return f"{mcp.consent_url}{endpoints_path(mcp)}{CALLBACK}/{server}"


def client_url(mcp: Mcp, server: str) -> str:
    """Where the client ID metadata document is that the gateway shows for a server, which is its
    client id there (draft-ietf-oauth-client-id-metadata-document)."""
    return f"{mcp.consent_url}{client_path(mcp, server)}"


def client_path(mcp: Mcp, server: str) -> str:
    """The same, without the origin."""
    return f"{endpoints_path(mcp)}{CLIENT}/{server}"


def client_metadata(mcp: Mcp, server: str, method: str = "none") -> dict[str, object]:
    """What the gateway says of itself as a client (RFC 7591 §2). `method`: how it shows itself."""
    return {
        "client_name": "Dragoman",
        "redirect_uris": [callback_url(mcp, server)],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }


def view_path(mcp: Mcp, view: str) -> str:
    """Where clients find a view; that without a name is at the root of all."""
    return f"{mcp.path}/{view}" if view else mcp.path


def resource(auth: McpAuth, mcp: Mcp, view: str) -> str:
    """The canonical URI of a view (RFC 8707 §2)."""
    return f"{auth.url}{view_path(mcp, view)}"


def metadata_path(mcp: Mcp, view: str) -> str:
    """Where its metadata is (RFC 9728 §3.1)."""
    return f"{WELL_KNOWN}{view_path(mcp, view)}"


def audiences(auth: McpAuth, mcp: Mcp, view: str) -> tuple[str, ...]:
    """By which names a token may be for a view: its own, and those of what it is a part of."""
    own = resource(auth, mcp, view)
    names = dict.fromkeys((auth.url, f"{auth.url}/", f"{auth.url}{mcp.path}", own))
    return tuple(names)


def needed(auth: McpAuth, view: str) -> tuple[str, ...]:
    """The scopes without which nothing is done at a view."""
    scopes = auth.scopes
    return unique((scopes.every, dict(scopes.views).get(view, ())))


def known_scopes(auth: McpAuth) -> frozenset[str]:
    """All that the configuration names."""
    scopes = auth.scopes
    of_names = (each for _, each in (*scopes.views, *scopes.servers))
    of_tools = (each for _, _, each in scopes.tools)
    return frozenset(unique((scopes.every, *of_names, *of_tools, auth.offered)))


def document(auth: McpAuth, mcp: Mcp, view: str) -> str:
    """The metadata of a view, as JSON (RFC 9728 §2)."""
    scopes = auth.offered or needed(auth, view)
    said = {
        **json.loads(auth.metadata),
        "resource": resource(auth, mcp, view),
        "authorization_servers": auth.servers,
        "bearer_methods_supported": ["header"],
        **({"scopes_supported": scopes} if scopes else {}),
    }
    return json.dumps(said, ensure_ascii=False)


def is_apart(mcp: Mcp) -> bool:
    """Whether tokens are checked otherwise than elsewhere."""
    return mcp.auth is not None or mcp.exchanges_tokens


def protected(identity: Identity, mcp: Mcp) -> Identity:
    """Who may come in to MCP servers: as anywhere, but that tokens are for these, too, and are for
    nobody else; and where others are asked for with them, extproc is shown them. Without `auth`, as
    anywhere."""
    auth = mcp.auth
    if mcp.exchanges_tokens:
        shown = tuple(replace(each, is_forwarded=True) for each in identity.issuers)
        identity = replace(identity, issuers=shown)
    if auth is None:
        return identity
    every = unique(audiences(auth, mcp, each.name) for each in mcp.views)
    asked = identity.introspection
    return replace(
        identity,
        issuers=tuple(
            replace(each, audiences=unique((each.audiences, every))) for each in identity.issuers
        ),
        introspection=asked and replace(asked, audiences=unique((asked.audiences, every))),
        is_required=identity.is_required or auth.is_required,
    )


def unique(texts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All of them, each once, in order."""
    return tuple(dict.fromkeys(each for some in texts for each in some))
