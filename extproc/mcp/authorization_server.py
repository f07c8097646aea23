"""What is put right of an authorization server on its way to MCP clients: its metadata (RFC 8414),
registration (RFC 7591), authorization and tokens (RFC 6749)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Struct

from gateway.mcp import AuthorizationProxy

REGISTER: Final = "/register"
AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"
_RESOURCE: Final = "resource"
_MOST_URIS: Final = 32
_KEPT: Final = ("client_name", "client_uri", "logo_uri", "scope", "contacts", "application_type")
"""What a client said of itself, and hears again."""
_ISS: Final = "authorization_response_iss_parameter_supported"
_CIMD: Final = "client_id_metadata_document_supported"


class Broken(Exception):
    """The server does not say what it must."""


class Endpoints(Struct, frozen=True):
    """Where a server is asked, as its metadata says."""

    said: Mapping[str, Any]

    def path(self, name: str, authority: str) -> str:
        """Of an endpoint on the server's own host. Raises `Broken`."""
        parts = urlsplit(self.url(name))
        if _authority(parts.scheme, parts.netloc) != authority:
            raise Broken(f"its {name} is on another host")
        return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def url(self, name: str) -> str:
        """Of an endpoint. Raises `Broken`."""
        found = self.said.get(name)
        if not isinstance(found, str) or not found.startswith(("https://", "http://")):
            raise Broken(f"it says no {name}")
        return found


def read(body: bytes) -> Endpoints:
    """Metadata. Raises `Broken`."""
    try:
        return Endpoints(msgspec.json.decode(body, type=dict[str, Any]))
    except msgspec.DecodeError:
        raise Broken("its metadata is no json object") from None


def changed(found: Endpoints, of: AuthorizationProxy, url: str, own: str) -> bytes:
    """The metadata as clients see it. `url`: what the gateway is called, which is the issuer then;
    `own`: below which it has endpoints."""
    said = {**found.said, "issuer": url}
    said.pop(_ISS, None)  # the server would say its own
    if of.client_id:
        said.pop(_CIMD, None)
        said["registration_endpoint"] = f"{own}{REGISTER}"
    elif of.relays_registration and "registration_endpoint" in said:
        said["registration_endpoint"] = f"{own}{REGISTER}"
    if of.strips_resource or of.audience:
        said["authorization_endpoint"] = f"{own}{AUTHORIZE}"
    if of.strips_resource or of.client_secret:
        said["token_endpoint"] = f"{own}{TOKEN}"
    if of.client_id:
        said["token_endpoint_auth_methods_supported"] = ["none"]
    if of.adds_pkce:
        said.setdefault("code_challenge_methods_supported", ["S256"])
    return msgspec.json.encode(said)


def registered(asked: bytes, of: AuthorizationProxy) -> bytes | str:
    """What a client is told that asks to be registered, where all are the same one; text: what is
    wrong with that. The server knows where it may be sent back to, and nobody else decides that."""
    try:
        said = msgspec.json.decode(asked, type=dict[str, Any])
    except msgspec.DecodeError:
        return "no json object"
    uris = said.get("redirect_uris")
    if not isinstance(uris, list) or not uris or len(uris) > _MOST_URIS:
        return f"redirect_uris must be a list of 1 to {_MOST_URIS}"
    if not all(isinstance(each, str) for each in uris):
        return "redirect_uris must be texts"
    answer: dict[str, Any] = {name: said[name] for name in _KEPT if name in said}
    answer |= {
        "client_id": of.client_id,
        "redirect_uris": uris,
        "grant_types": said.get("grant_types", ["authorization_code"]),
        "response_types": said.get("response_types", ["code"]),
        "token_endpoint_auth_method": "none",
    }
    return msgspec.json.encode(answer)


def authorization(query: str, of: AuthorizationProxy, endpoint: str) -> str:
    """Where a browser is sent on to."""
    asked = _without_resource(query, of)
    if of.audience and "audience" not in dict(asked):
        asked.append(("audience", of.audience))
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def token_request(form: bytes, of: AuthorizationProxy) -> bytes:
    """What the server is asked for a token with. Raises `ValueError` for what is no form.

    The secret is added where a person has agreed, and for nothing that it would open alone, such as
    `client_credentials`; and where PKCE proves that it is the same client.
    """
    asked = _without_resource(form.decode(), of)
    said = dict(asked)
    is_ours = bool(of.client_secret) and said.get("client_id") == of.client_id
    if is_ours and len(said) == len(asked) and "client_secret" not in said and _is_persons(said):
        asked.append(("client_secret", of.client_secret))
    return urlencode(asked).encode()


def _is_persons(said: Mapping[str, str]) -> bool:
    match said.get("grant_type"):
        case "authorization_code":
            return bool(said.get("code")) and bool(said.get("code_verifier"))
        case "refresh_token":
            return bool(said.get("refresh_token"))
    return False


def _without_resource(text: str, of: AuthorizationProxy) -> list[tuple[str, str]]:
    asked = parse_qsl(text, keep_blank_values=True)
    return [each for each in asked if each[0] != _RESOURCE or not of.strips_resource]


def _authority(scheme: str, netloc: str) -> str:
    usual = {"https": ":443", "http": ":80"}[scheme]
    return netloc.lower().removesuffix(usual)
