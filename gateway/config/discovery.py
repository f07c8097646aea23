"""What issuers say of themselves: where people log in, where tokens and keys are.

OpenID Connect Discovery 1.0 §3 and §4, RFC 8414 §2. The document is fetched as others that the
configuration names by URL are; what is not written is read in it, so that behind this there are
endpoints and keys, and nobody need know who has said so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from gateway.config.block import Block, refusal
from gateway.config.fetched import Fetched, Refresh, RemoteDocument
from gateway.config.referenced import TextFile, at, put
from gateway.config.urls import NOWHERE, is_exposed

WELL_KNOWN = "/.well-known/openid-configuration"
FETCHED_WITHOUT_TLS = "is fetched without tls: whoever can change it can log in as anybody"
_FIELD = "discovery"
_NEEDED = "needs {}, or an issuer that is a url, where discovery can ask"
_METHODS = {"client_secret_basic": "basic", "client_secret_post": "post"}
_ENDPOINTS = {
    "authorization": "authorization_endpoint",
    "token": "token_endpoint",
    "end_session": "end_session_endpoint",
}


class DiscoveryBlock(Block):
    """Where an issuer says what is not written here (OpenID Connect Discovery)."""

    url: RemoteDocument | None = None
    """Its document, which the control plane fetches. Default: `/.well-known/openid-configuration`
    below the issuer. The last one is kept in the state directory, for when it cannot be fetched."""
    refresh: Refresh = 300.0
    """How often it is asked whether that has changed; 10s or longer."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the certificates of the document's URL, and of the
    endpoints and keys that it names, are checked against. Default: the system's."""


def with_discovery(document: object) -> object:
    """A configuration as it was written, which asks where its issuers say what it does not."""
    identity = at(document, ("identity",))
    logins, issuers = identity.get("logins"), identity.get("jwt")
    if isinstance(logins, dict):
        for name, block in logins.items():
            if asks := _asked(block, ("endpoints", "jwks")):
                document = put(document, ("identity", "logins", name), {**block, _FIELD: asks})
    if isinstance(issuers, list):
        for index, block in enumerate(issuers):
            if asks := _asked(block, ("jwks",)):
                document = put(document, ("identity", "jwt", index), {**block, _FIELD: asks})
    return document


def of_login(data: object) -> object:
    """The block of a login with endpoints and keys. Raises a refusal."""
    known = _known(data, "endpoints and jwks", ("endpoints", "jwks"))
    if known is None:
        return data
    block, said, ca = known
    block.setdefault("jwks", {"url": said["jwks_uri"], **ca})
    if "endpoints" not in block:
        endpoints = {name: said[field] for name, field in _ENDPOINTS.items() if field in said}
        block["endpoints"] = {**endpoints, **ca}
    client, methods = block.get("client"), said.get("token_endpoint_auth_methods_supported")
    if isinstance(client, dict) and "method" not in client and isinstance(methods, list):
        known_here = [_METHODS[each] for each in _METHODS if each in methods]
        if not known_here:
            raise refusal(
                "has an issuer that takes neither client_secret_basic nor client_secret_post",
                is_shown=False,
            )
        block["client"] = {**client, "method": known_here[0]}
    return block


def of_issuer(data: object) -> object:
    """The same of an issuer of tokens: with keys."""
    known = _known(data, "jwks", ("jwks",))
    if known is None:
        return data
    block, said, ca = known
    block["jwks"] = {"url": said["jwks_uri"], **ca}
    return block


def is_fetched_without_tls(block: DiscoveryBlock | None) -> bool:
    """Whether the document comes from elsewhere, and whoever is on the way can change it."""
    return block is not None and block.url is not None and is_exposed(block.url.url)


def no_metadata(text: str) -> str:
    """Why a text is no such document at all; empty: it is one, right or wrong."""
    return "" if _read(text) is not None else "it is no json object that names an issuer"


def _asked(block: object, fields: tuple[str, ...]) -> dict[str, object] | None:
    """Where a block has its document; None: it needs none, or says itself, or nobody knows."""
    if not isinstance(block, dict) or all(block.get(field) is not None for field in fields):
        return None
    asks, issuer = block.get(_FIELD) or {}, block.get("issuer")
    if not isinstance(asks, dict) or "url" in asks or not _is_url(issuer):
        return None
    return {"url": f"{str(issuer).rstrip('/')}{WELL_KNOWN}", **asks}


def _is_url(issuer: object) -> bool:
    return isinstance(issuer, str) and issuer.startswith(("https://", "http://"))


def _known(
    data: object, what: str, fields: tuple[str, ...]
) -> tuple[dict[str, Any], Mapping[str, Any], dict[str, Any]] | None:
    """A copy of the block, what its issuer says, and the authorities; None: it needs nothing."""
    if not isinstance(data, dict) or all(data.get(field) is not None for field in fields):
        return None
    asks = data.get(_FIELD)
    document = asks.get("url") if isinstance(asks, dict) else None
    if not isinstance(document, Fetched):
        if document is None:
            raise refusal(_NEEDED.format(what), is_shown=False)
        return None  # its own block says what is wrong
    block = {name: value for name, value in data.items() if value is not None}
    ca = {"ca": asks["ca"]} if isinstance(asks, dict) and asks.get("ca") is not None else {}
    if document.text is None:
        return block, _NOT_ASKED, {}
    return block, _checked(document, str(data.get("issuer", "")), fields), ca


def _checked(document: Fetched, issuer: str, fields: tuple[str, ...]) -> Mapping[str, Any]:
    said = _read(document.text or "")
    if said is None:
        raise refusal(f"'{document.url}' is no json object that names an issuer", is_shown=False)
    if said["issuer"] != issuer:  # to the letter (OpenID Connect Discovery §4.3)
        raise refusal(
            f"'{document.url}' is of another issuer, '{said['issuer']}'",
            "write that as the issuer",
            is_shown=False,
        )
    needed = [*_ENDPOINTS.values(), "jwks_uri"] if "endpoints" in fields else ["jwks_uri"]
    for field in needed:
        url = said.get(field)
        if url is None and field != _ENDPOINTS["end_session"]:
            raise refusal(f"'{document.url}' does not say its {field}", is_shown=False)
        if url is not None and not _is_url(url):
            raise refusal(f"'{document.url}' has no url as its {field}", is_shown=False)
        if url is not None and document.url.startswith("https:") and url.startswith("http:"):
            raise refusal(f"'{document.url}' has a url without tls as its {field}", is_shown=False)
    return said


def _read(text: str) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return cast(dict[str, Any], said) if _names_issuer(said) else None


def _names_issuer(said: object) -> bool:
    return isinstance(said, dict) and isinstance(said.get("issuer"), str)


_NOT_ASKED: Mapping[str, Any] = {
    "jwks_uri": NOWHERE,
    "authorization_endpoint": NOWHERE,
    "token_endpoint": NOWHERE,
}
"""Of a document that nobody was asked for."""
