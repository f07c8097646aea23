"""What the MCP gateway tells of itself as an OAuth 2.0 protected resource (RFC 9728), and to whom
browsers may show it. Envoy says it by itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from gateway import names
from gateway.identity import Issuer
from gateway.mcp import Mcp
from gateway.mcp_auth import (
    CALLBACK,
    CONNECT,
    SERVER_METADATA,
    WELL_KNOWN,
    client_metadata,
    client_path,
    client_url,
    document,
    endpoints_path,
    is_apart,
    metadata_path,
    protected,
)
from gateway.model import Gateway
from xds_server.resources import ext_proc, jwt, login
from xds_server.resources.extension import Json, duration, typed

NAME = "dragoman/mcp/metadata"
AUTHORIZATION = "dragoman/mcp/authorization"
CONSENT = "dragoman/mcp/consent"
_CORS_POLICY = "envoy.extensions.filters.http.cors.v3.CorsPolicy"
_METHODS = "POST, GET, DELETE"
_REQUEST_HEADERS = "*, authorization"
"""`*` is any but `authorization` (Fetch, "CORS-unsafe request-header names")."""
_RESPONSE_HEADERS = "mcp-session-id, www-authenticate, retry-after"
_PREFLIGHT_SECONDS = 600
_METADATA_SECONDS = 300
_METADATA_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 65536
"""Of what a client says of itself."""
_MOST_FORM_BYTES = 4096


def mcp_issuers(gateway: Gateway) -> tuple[Issuer, ...]:
    """Whose tokens are checked otherwise than elsewhere; nothing: there are none."""
    if not gateway.mcp.servers or not is_apart(gateway.mcp):
        return ()
    return protected(gateway.identity, gateway.mcp).issuers


def told_routes(gateway: Gateway) -> Iterator[Json]:
    """All of them, each by a name of its own."""
    mcp = gateway.mcp
    named: Counter[str] = Counter()
    for route in (*metadata_routes(mcp), *consent_routes(gateway), *authorization_routes(mcp)):
        named[route["name"]] += 1
        number = named[route["name"]]
        yield route if number == 1 else {**route, "name": f"{route['name']}#{number}"}


def metadata_routes(mcp: Mcp) -> Iterator[Json]:
    """The metadata of each view, at its own address; and that of all at the root."""
    auth = mcp.auth
    if auth is None:
        return
    said = {metadata_path(mcp, each.name): document(auth, mcp, each.name) for each in mcp.views}
    said.setdefault(WELL_KNOWN, document(auth, mcp, ""))
    yield _preflight(WELL_KNOWN, "GET")
    for path, text in said.items():
        headers = {
            "content-type": "application/json",
            "cache-control": f"public, max-age={_METADATA_SECONDS}",
            "access-control-allow-origin": "*",
        }
        yield {
            "name": NAME,
            "match": {"path": path, "headers": [_is("GET", "HEAD")]},
            **_direct(200, headers, text),
        }


def authorization_routes(mcp: Mcp) -> Iterator[Json]:
    """Where clients find an authorization server."""
    proxy = None if mcp.auth is None else mcp.auth.proxy
    if proxy is None:
        return
    if proxy.is_changed:
        asked = ext_proc.mcp_bodies(_MOST_BYTES)
        for prefix in (*SERVER_METADATA, endpoints_path(mcp)):
            yield _preflight(prefix, "GET, POST")
            yield _answered(AUTHORIZATION, prefix, asked)
        return
    for prefix in SERVER_METADATA:
        yield _preflight(prefix, "GET")
        yield {
            "name": AUTHORIZATION,
            "match": {"path_separated_prefix": prefix, "headers": [_is("GET", "HEAD")]},
            "route": {
                "cluster": names.service_cluster(names.MCP_AUTHORIZATION),
                "auto_host_rewrite": True,
                "regex_rewrite": {
                    "pattern": {"regex": "^.*$"},
                    "substitution": proxy.metadata_path.replace("\\", "\\\\"),
                },
                "timeout": duration(_METADATA_TIMEOUT_SECONDS),
            },
            "request_headers_to_remove": [*names.CREDENTIAL_HEADERS, "cookie"],
            "response_headers_to_remove": ["set-cookie"],
            "response_headers_to_add": [_header("access-control-allow-origin", "*")],
            "typed_per_filter_config": {names.EXT_PROC_FILTER: ext_proc.disabled()},
        }


def consent_routes(gateway: Gateway) -> Iterator[Json]:
    """Where people agree that servers are used for them; scripts of other pages are not let in.
    Where links lead to, they have to be logged in, if some login is said."""
    mcp = gateway.mcp
    if mcp.asks_for_consent:
        asked, below = ext_proc.mcp_bodies(_MOST_FORM_BYTES), endpoints_path(mcp)
        filters: Json = {}
        for each in gateway.identity.logins:
            if each.name == mcp.consent_login:
                filters = login.asked(each, jwt.requirement(each.name, takes_tokens=False))
        yield _answered(CONSENT, f"{below}{CONNECT}", asked, filters)
        yield _answered(CONSENT, f"{below}{CALLBACK}", asked)
        for server in mcp.servers:
            if server.consent is not None and not server.consent.client_id:
                yield _client_document(mcp, server.name)


def _client_document(mcp: Mcp, server: str) -> Json:
    said = {"client_id": client_url(mcp, server), **client_metadata(mcp, server)}
    headers = {
        "content-type": "application/json",
        "cache-control": f"public, max-age={_METADATA_SECONDS}",
    }
    return {
        "name": CONSENT,
        "match": {"path": client_path(mcp, server), "headers": [_is("GET", "HEAD")]},
        **_direct(200, headers, json.dumps(said)),
    }


def _answered(name: str, prefix: str, asked: Json, filters: Json | None = None) -> Json:
    """By extproc."""
    return {
        "name": name,
        "match": {"path_separated_prefix": prefix},
        "direct_response": {"status": 404},
        "typed_per_filter_config": {names.EXT_PROC_FILTER: asked, **(filters or {})},
    }


def pages(mcp: Mcp) -> Json:
    """What browsers are told of the answers to pages of other origins, and what they may ask."""
    said = mcp.allowed_origins
    allowed = (
        [{"safe_regex": {"regex": ".*"}}]
        if "*" in said
        else [{"exact": each, "ignore_case": True} for each in said]
    )
    return typed(
        _CORS_POLICY,
        allow_origin_string_match=allowed,
        allow_methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_RESPONSE_HEADERS,
        max_age=str(_PREFLIGHT_SECONDS),
    )


def _preflight(prefix: str, methods: str) -> Json:
    """It is for everybody."""
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": methods,
        "access-control-allow-headers": _REQUEST_HEADERS,
        "access-control-max-age": str(_PREFLIGHT_SECONDS),
    }
    match = {"path_separated_prefix": prefix, "headers": [_is("OPTIONS")]}
    return {"name": NAME, "match": match, **_direct(204, headers)}


def _is(*methods: str) -> Json:
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(methods)}}}


def _direct(status: int, headers: dict[str, str], body: str = "") -> Json:
    return {
        "direct_response": {
            "status": status,
            **({"body": {"inline_string": body}} if body else {}),
        },
        "response_headers_to_add": [_header(name, value) for name, value in headers.items()],
        "typed_per_filter_config": {names.EXT_PROC_FILTER: ext_proc.disabled()},
    }


def _header(name: str, value: str) -> Json:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
