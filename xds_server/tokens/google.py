"""Ways to access tokens of Google Cloud. Pure.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
https://google.aip.dev/auth/4117 (workload identity federation)
https://cloud.google.com/compute/docs/metadata/overview
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.credentials import GcpCredential
from xds_server.tokens.words import (
    Ask,
    NoToken,
    Read,
    Token,
    Way,
    document,
    form,
    lifetime,
    text_of,
    token,
)

_TOKEN_URL = "https://oauth2.googleapis.com/token"
_METADATA_HOST = "metadata.google.internal"
_METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_ASSERTION_SECONDS = 3600
_GRANT = "urn:ietf:params:oauth:grant-type:"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def way(credential: GcpCredential, now: float, environment: Mapping[str, str]) -> Way:
    """By what the credential has."""
    if credential.source is None:
        return _of_machine(credential.scopes, environment)
    found = document(credential.source.encode())
    match found.get("type"):
        case "service_account":
            return _of_service_account(found, credential.scopes, now)
        case "authorized_user":
            return _of_user(found)
        case "external_account":
            return _of_workload(found, credential.scopes, now)
    raise NoToken(f"no way from credentials of the type {found.get('type')!r}")


def _of_machine(scopes: tuple[str, ...], environment: Mapping[str, str]) -> Way:
    host = environment.get("GCE_METADATA_HOST") or _METADATA_HOST
    url = f"http://{host}{_METADATA_PATH}?scopes={quote(','.join(scopes), safe='')}"
    return token(document((yield Ask("GET", url, (("metadata-flavor", "Google"),)))))


def _of_service_account(found: Mapping[str, Any], scopes: tuple[str, ...], now: float) -> Way:
    url = found.get("token_uri") or _TOKEN_URL
    claims = {
        "iss": text_of(found, "client_email"),
        "scope": " ".join(scopes),
        "aud": url,
        "iat": int(now),
        "exp": int(now) + _ASSERTION_SECONDS,
    }
    fields = {
        "grant_type": f"{_GRANT}jwt-bearer",
        "assertion": signed(claims, text_of(found, "private_key"), found.get("private_key_id")),
    }
    return token(document((yield form(url, fields))))


def _of_user(found: Mapping[str, Any]) -> Way:
    fields = {
        "grant_type": "refresh_token",
        **{each: text_of(found, each) for each in ("client_id", "client_secret", "refresh_token")},
    }
    return token(document((yield form(found.get("token_uri") or _TOKEN_URL, fields))))


def _of_workload(found: Mapping[str, Any], scopes: tuple[str, ...], now: float) -> Way:
    impersonated = found.get("service_account_impersonation_url")
    source = found.get("credential_source")
    subject = yield from _subject(source if isinstance(source, dict) else {})
    fields = {
        "grant_type": f"{_GRANT}token-exchange",
        "audience": text_of(found, "audience"),
        "scope": " ".join(scopes),
        "requested_token_type": _ACCESS_TOKEN,
        "subject_token": subject,
        "subject_token_type": text_of(found, "subject_token_type"),
    }
    exchanged = token(document((yield form(text_of(found, "token_url"), fields))))
    if not impersonated:
        return exchanged
    asked = json.dumps({"scope": list(scopes), "lifetime": f"{_ASSERTION_SECONDS}s"}).encode()
    headers = (
        ("authorization", f"Bearer {exchanged.value}"),
        ("content-type", "application/json"),
    )
    answer = document((yield Ask("POST", impersonated, headers, asked)))
    return Token(text_of(answer, "accessToken"), lifetime(_seconds_until(answer, now)))


def _subject(source: Mapping[str, Any]) -> Any:
    """The token of the platform that the workload runs on."""
    if isinstance(source.get("file"), str):
        content = yield Read(source["file"])
    elif isinstance(source.get("url"), str):
        headers = source.get("headers") or {}
        content = yield Ask("GET", source["url"], tuple(headers.items()))
    else:
        raise NoToken("credential_source has neither a file nor a url")
    how = source.get("format") or {}
    if how.get("type") == "json":
        return text_of(document(content), str(how.get("subject_token_field_name")))
    return content.decode("utf-8", "replace").strip()


def _seconds_until(answer: Mapping[str, Any], now: float) -> float:
    try:
        return datetime.fromisoformat(text_of(answer, "expireTime")).timestamp() - now
    except ValueError:
        return 0.0


def signed(claims: Mapping[str, object], pem: str, key_id: object = None) -> str:
    """A JSON Web Token, signed with RS256 (RFC 7515)."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except ValueError:
        raise NoToken("'private_key' is no key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NoToken("'private_key' is no RSA key")
    header = {"alg": "RS256", "typ": "JWT", **({"kid": key_id} if key_id else {})}
    content = f"{_encoded(header)}.{_encoded(claims)}"
    signature = key.sign(content.encode(), padding.PKCS1v15(), SHA256())
    return f"{content}.{_base64(signature)}"


def _encoded(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
