"""The gateway as an OAuth 2.0 client for one of its callers: where an authorization server is
asked, what it is asked, and what it said.

RFC 6749 §4.1, §6, RFC 7636, RFC 8414, RFC 8707, RFC 9207, RFC 7009, RFC 9728;
https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from extproc.ports import Answered, Asked
from gateway.identity import ClientAuth
from gateway.mcp import Consent

FORM: Final = "application/x-www-form-urlencoded"
_JSON_HEAD: Final = (("accept", "application/json"),)
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"
_RESOURCE: Final = "/.well-known/oauth-protected-resource"
_LONGEST_TOKEN: Final = 16 << 10
_LONGEST_ERROR: Final = 64
_MARGIN: Final = 0.1
"""Of a token's life: so much earlier it is renewed, and at most a minute."""
_MOST_MARGIN_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 10 * 365 * 86400.0


class Unusable(Exception):
    """The server does not say what it must. Its text names no secret."""


class Refused(Exception):
    """The server gives no token."""

    def __init__(self, error: str) -> None:
        super().__init__(error or "without a reason")
        self.error = error
        """In the words of OAuth: `invalid_grant`."""


class Whereabouts(Struct, frozen=True):
    """Where an authorization server is asked."""

    authorize_url: str
    token_path: str
    revoke_path: str = ""
    """Empty: nowhere."""
    says_issuer: bool = False
    """Its answers to browsers carry `iss`, always."""
    register_path: str = ""
    """Empty: clients cannot register themselves."""
    takes_documents: bool = False
    """A client's id may be the URL of its metadata."""
    methods: tuple[str, ...] = ()
    """How clients may show themselves; empty: it does not say."""


class Registered(Struct, frozen=True):
    """The gateway, as it has registered itself."""

    client_id: str
    client_secret: str = ""
    method: str = "none"
    expires: float = 0.0
    """Of the secret, in seconds since 1970; 0: never."""


class Tokens(Struct, frozen=True):
    """What a caller has agreed to."""

    access: str
    refresh: str = ""
    """Empty: there is none."""
    expires: float = 0.0
    """Seconds since 1970; 0: it does not say."""
    renew: float = 0.0
    """From when on another is asked for; 0: when the server takes it no more."""
    scope: str = ""
    renewed: float = 0.0
    """When it was given in the place of another, in seconds since 1970; 0: it is the first."""


class _Metadata(Struct):
    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    code_challenge_methods_supported: list[str] = []
    authorization_response_iss_parameter_supported: bool = False
    registration_endpoint: str = ""
    client_id_metadata_document_supported: bool = False
    token_endpoint_auth_methods_supported: list[str] = []


class _Registration(Struct):
    client_id: str = ""
    client_secret: str = ""
    client_secret_expires_at: int | float = 0
    token_endpoint_auth_method: str = ""


class _Resource(Struct):
    authorization_servers: list[str] = []


class _Said(Struct):
    access_token: str = ""
    token_type: str = ""
    refresh_token: str = ""
    scope: str = ""
    expires_in: int | float | str | None = None
    error: str = ""


# where it is asked


def metadata_requests(issuer: str) -> tuple[Asked, ...]:
    """For the metadata of an issuer, one after the other (MCP, "Authorization Server Metadata
    Discovery")."""
    path = urlsplit(issuer).path.rstrip("/")
    paths = dict.fromkeys((f"{_OAUTH}{path}", f"{_OPENID}{path}", f"{path}{_OPENID}"))
    return tuple(Asked("GET", each, _JSON_HEAD, b"") for each in paths)


def resource_requests(server_path: str) -> tuple[Asked, ...]:
    """For what an MCP server says of itself (RFC 9728 §3.1)."""
    paths = dict.fromkeys((f"{_RESOURCE}{server_path.rstrip('/')}", _RESOURCE))
    return tuple(Asked("GET", each, _JSON_HEAD, b"") for each in paths)


def read_metadata(body: bytes, of: Consent) -> Whereabouts:
    """Metadata (RFC 8414 §2). Only the browser is sent to another host than that which the
    configuration names. Raises `Unusable`."""
    try:
        said = msgspec.json.decode(body, type=_Metadata)
    except msgspec.DecodeError:
        raise Unusable("its metadata cannot be read") from None
    if said.issuer.rstrip("/") != of.issuer.rstrip("/"):
        raise Unusable(f"its metadata is that of {said.issuer[:200]!r}, and not of {of.issuer!r}")
    if "S256" not in said.code_challenge_methods_supported:
        raise Unusable("its metadata does not tell of PKCE (S256)")
    is_https = of.issuer.startswith("https://")
    authorize = urlsplit(said.authorization_endpoint)
    if authorize.scheme != "https" and (is_https or authorize.scheme != "http"):
        raise Unusable("its authorization endpoint is no https url")
    if not said.authorization_endpoint.isascii() or not said.authorization_endpoint.isprintable():
        raise Unusable("its authorization endpoint is no url")
    revoke = said.revocation_endpoint
    return Whereabouts(
        said.authorization_endpoint,
        _own_path("token_endpoint", said.token_endpoint, of),
        _own_path("revocation_endpoint", revoke, of) if revoke else "",
        said.authorization_response_iss_parameter_supported,
        _register_path(said.registration_endpoint, of),
        said.client_id_metadata_document_supported,
        tuple(said.token_endpoint_auth_methods_supported),
    )


def _register_path(url: str, of: Consent) -> str:
    """On another host, nobody registers: a client may be written down."""
    try:
        return _own_path("registration_endpoint", url, of) if url else ""
    except Unusable:
        return ""


def names_issuer(body: bytes, issuer: str) -> bool:
    """Whether an MCP server names the issuer among those whose tokens it takes, or none at all."""
    try:
        said = msgspec.json.decode(body, type=_Resource).authorization_servers
    except msgspec.DecodeError:
        return True
    return not said or issuer.rstrip("/") in (each.rstrip("/") for each in said)


def _own_path(name: str, url: str, of: Consent) -> str:
    parts = urlsplit(url)
    scheme = urlsplit(of.issuer).scheme
    if parts.scheme != scheme or _authority(scheme, parts.netloc) != of.authority.lower():
        raise Unusable(f"its {name} is on another host: write authorize_url and token_url")
    return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"


def _authority(scheme: str, netloc: str) -> str:
    return netloc.lower().removesuffix(":443" if scheme == "https" else ":80")


# who asks

_METHODS: Final = {
    "client_secret_basic": ClientAuth.BASIC,
    "client_secret_post": ClientAuth.POST,
    "none": ClientAuth.NONE,
}
"""How the gateway can show itself, the best first."""


def method_of(where: Whereabouts) -> str:
    """How the gateway shows itself where it registers."""
    said = where.methods or ("client_secret_basic",)  # RFC 8414 §2
    return next((each for each in _METHODS if each in said), "none")


def registration(where: Whereabouts, metadata: Mapping[str, object]) -> Asked:
    """Be registered (RFC 7591 §3.1)."""
    head = (("content-type", "application/json"), *_JSON_HEAD)
    return Asked("POST", where.register_path, head, msgspec.json.encode(metadata))


def read_registered(answer: Answered, method: str) -> Registered:
    """Who the gateway is there (RFC 7591 §3.2.1). `method`: as it was asked for. Raises
    `Unusable`."""
    if answer.status not in (200, 201):
        raise Unusable(f"it does not register the gateway: a {answer.status}")
    try:
        said = msgspec.json.decode(answer.body, type=_Registration)
    except msgspec.DecodeError:
        raise Unusable("its registration cannot be read") from None
    method = said.token_endpoint_auth_method or method
    is_whole = bool(said.client_secret) or method == "none"
    if not _is_token(said.client_id) or method not in _METHODS or not is_whole:
        raise Unusable("its registration names no client that the gateway can be")
    return Registered(said.client_id, said.client_secret, method, said.client_secret_expires_at)


def as_registered(of: Consent, client: Registered) -> Consent:
    """Asked by this client."""
    return replace(
        of,
        client_id=client.client_id,
        client_secret=client.client_secret,
        client_auth=_METHODS[client.method],
    )


# what it is asked


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorization(
    of: Consent, where: Whereabouts, redirect_uri: str, state: str, verifier: str
) -> str:
    """Where a browser is sent (RFC 6749 §4.1.1)."""
    asked = {
        "response_type": "code",
        "client_id": of.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    if of.scopes:
        asked["scope"] = " ".join(of.scopes)
    if of.resource:
        asked["resource"] = of.resource
    query = urlencode([*asked.items(), *of.parameters], quote_via=quote)
    return f"{where.authorize_url}{'&' if '?' in where.authorize_url else '?'}{query}"


def code_request(
    of: Consent, where: Whereabouts, code: str, redirect_uri: str, verifier: str
) -> Asked:
    """Tokens for a code (RFC 6749 §4.1.3)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return _asked(of, where.token_path, form)


def refresh_request(of: Consent, where: Whereabouts, refresh: str) -> Asked:
    """Other tokens (RFC 6749 §6)."""
    return _asked(of, where.token_path, {"grant_type": "refresh_token", "refresh_token": refresh})


def revocations(of: Consent, where: Whereabouts, tokens: Tokens) -> Sequence[Asked]:
    """They are not needed any more (RFC 7009 §2.1)."""
    if not where.revoke_path:
        return ()
    forms = [{"token": tokens.access, "token_type_hint": "access_token"}]
    if tokens.refresh:
        forms.insert(0, {"token": tokens.refresh, "token_type_hint": "refresh_token"})
    return [_asked(of, where.revoke_path, each, is_for_token=False) for each in forms]


def _asked(of: Consent, path: str, form: dict[str, str], *, is_for_token: bool = True) -> Asked:
    head = [("content-type", FORM), *_JSON_HEAD]
    if of.resource and is_for_token:
        form["resource"] = of.resource
    if of.client_auth is ClientAuth.BASIC and of.client_secret:
        shown = f"{quote(of.client_id, safe='')}:{quote(of.client_secret, safe='')}"
        head.append(("authorization", f"Basic {base64.b64encode(shown.encode()).decode()}"))
    else:
        form["client_id"] = of.client_id
        if of.client_secret:
            form["client_secret"] = of.client_secret
    return Asked("POST", path, tuple(head), urlencode(form).encode())


# what it said


def read_tokens(answer: Answered, now: float, before: Tokens | None = None) -> Tokens:
    """What was given (RFC 6749 §5). `before`: what it is in the place of, whose refresh token stays
    where there is no other. Raises `Refused`, `Unusable`."""
    try:
        said = msgspec.json.decode(answer.body, type=_Said)
    except msgspec.DecodeError:
        said = _Said()
    if answer.status in (400, 401, 403) or (answer.status == 200 and said.error):
        raise Refused(error_code(said.error))
    if answer.status != 200:
        raise Unusable(f"a {answer.status}")
    if not _is_token(said.access_token):
        raise Unusable("no token in its answer")
    if said.token_type.lower() != "bearer":
        raise Unusable("its token is no bearer token")
    refresh = said.refresh_token or (before.refresh if before else "")
    if refresh and not _is_token(refresh):
        raise Unusable("its refresh token is none")
    seconds = _seconds(said.expires_in)
    scope = said.scope or (before.scope if before else "")
    renewed = now if before else 0.0
    if seconds is None:
        return Tokens(said.access_token, refresh, scope=scope, renewed=renewed)
    margin = min(_MARGIN * seconds, _MOST_MARGIN_SECONDS)
    end = now + seconds
    return Tokens(said.access_token, refresh, end, end - margin, scope, renewed)


def error_code(said: str) -> str:
    """An error of OAuth's that may be shown and logged; empty: it is none."""
    is_shown = said.isascii() and said.replace("_", "").isalnum() and len(said) <= _LONGEST_ERROR
    return said if is_shown else ""


def _is_token(said: str) -> bool:
    is_printed = said.isascii() and said.isprintable() and " " not in said
    return bool(said) and is_printed and len(said) <= _LONGEST_TOKEN


def _seconds(said: float | str | None) -> float | None:
    if said is None:
        return None
    try:
        found = float(said)
    except ValueError:
        return None
    return min(max(found, 0.0), _LONGEST_SECONDS) if found == found else None
