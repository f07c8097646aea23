"""An OpenID provider that people log in at: authorization code with PKCE, refresh, end of session.

It does what RFC 6749 §4.1, RFC 7636 and OpenID Connect Core 1.0 §3.1 ask of a server, and refuses
what they tell it to refuse. Whoever comes with a browser is `person`, without being asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from tests.kit.http_server import Handler, HttpServer
from tests.kit.identity_provider import SigningKey, claims, encoded, key_set

CLIENT, SECRET = "the-gateway", "s3cr+t/=&%2B"
"""With what must be encoded in a header and in a form."""
ISSUER = "https://idp.example.com"


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a code is good for, once."""

    redirect_uri: str
    challenge: str
    scope: str
    subject: str
    nonce: str = ""


class LoginProvider(HttpServer):
    """`with LoginProvider() as idp: idp.url`."""

    def __init__(self, client: tuple[str, str] = (CLIENT, SECRET)) -> None:
        self.client = client
        """Its id and its secret."""
        self.key = SigningKey("one")
        self.person = "ann"
        self.more: dict[str, Any] = {}
        """Claims of tokens beside those that must be there."""
        self.redirect_uris: set[str] = set()
        """Those that the client has registered."""
        self.is_refusing = False
        """The person says no."""
        self.is_away = False
        """Its token endpoint answers 503."""
        self.lifetime_seconds = 600
        self.gives_refresh_tokens = True
        self.gives_id_tokens_again = True
        self.authorizations: list[dict[str, str]] = []
        self.grants: list[str] = []
        """The grant types of which tokens were given, or refused."""
        self.refused: list[str] = []
        self.ended: list[dict[str, str]] = []
        """What browsers brought that signed out."""
        self._codes: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}
        super().__init__(_handler(self))

    def authorize(self, asked: dict[str, str]) -> tuple[int, str]:
        """Status, and where the browser goes (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        self.authorizations.append(asked)
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != self.client[0] or redirect_uri not in self.redirect_uris:
            return 400, ""  # it must not be sent there (RFC 6749 §4.1.2.1)
        state = {"state": asked.get("state", "")}
        is_right = (
            asked.get("response_type") == "code"
            and asked.get("code_challenge_method") == "S256"
            and len(asked.get("code_challenge", "")) == 43
            and "openid" in asked.get("scope", "").split()
        )
        if not is_right:
            return 302, f"{redirect_uri}?{urlencode({'error': 'invalid_request', **state})}"
        if self.is_refusing:
            return 302, f"{redirect_uri}?{urlencode({'error': 'access_denied', **state})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Grant(
            redirect_uri,
            asked["code_challenge"],
            asked["scope"],
            self.person,
            asked.get("nonce", ""),
        )
        return 302, f"{redirect_uri}?{urlencode({'code': code, **state})}"

    def token(self, form: dict[str, str], header: str) -> tuple[int, dict[str, Any]]:
        """Status and answer (RFC 6749 §4.1.3, §6)."""
        if _client(form, header) != self.client:
            return 401, {"error": "invalid_client"}
        if self.is_away:
            return 503, {}
        kind = form.get("grant_type", "")
        self.grants.append(kind)
        if kind == "authorization_code":
            grant = self._codes.pop(form.get("code", ""), None)
            challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if (
                grant is None
                or form.get("redirect_uri") != grant.redirect_uri
                or challenge != grant.challenge
            ):
                return self._refused("invalid_grant")
            return 200, self._tokens(grant, is_first=True)
        if kind == "refresh_token":
            grant = self._refresh.pop(form.get("refresh_token", ""), None)
            if grant is None:
                return self._refused("invalid_grant")
            return 200, self._tokens(grant, is_first=False)
        return self._refused("unsupported_grant_type")

    def logout_token(self, **more: Any) -> str:
        """Says that somebody has gone (Back-Channel Logout 1.0 §2.4)."""
        event = {"http://schemas.openid.net/event/backchannel-logout": {}}
        said = {**claims(ISSUER), "aud": self.client[0], "events": event, "jti": "one"}
        del said["sub"]
        return self.key.sign({**said, **more}, typ="logout+jwt")

    def metadata(self) -> dict[str, Any]:
        """What it says of itself (OpenID Connect Discovery 1.0 §3)."""
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/end-session",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _refused(self, error: str) -> tuple[int, dict[str, Any]]:
        self.refused.append(error)
        return 400, {"error": error}

    def _tokens(self, grant: _Grant, *, is_first: bool) -> dict[str, Any]:
        lifetime = self.lifetime_seconds
        said = claims(ISSUER, **{"sub": grant.subject, **self.more})
        said["exp"] = said["iat"] + lifetime
        access = {**said, "aud": "the api", "scope": grant.scope}
        found: dict[str, Any] = {
            "access_token": self.key.sign(access, typ="at+jwt"),
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": grant.scope,
        }
        if is_first or self.gives_id_tokens_again:
            asked = {"nonce": grant.nonce} if is_first and grant.nonce else {}
            found["id_token"] = self.key.sign({**said, "aud": self.client[0], **asked})
        if self.gives_refresh_tokens:
            found["refresh_token"] = secrets.token_urlsafe(16)
            self._refresh[found["refresh_token"]] = grant
        return found


def _handler(idp: LoginProvider) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = _first(url.query)
            match url.path:
                case "/authorize":
                    status, where = idp.authorize(asked)
                    self._say(status, b"", location=where)
                case "/end-session":
                    idp.ended.append(asked)
                    self._say(302, b"", location=asked.get("post_logout_redirect_uri", ""))
                case "/.well-known/openid-configuration":
                    self._say(200, json.dumps(idp.metadata()).encode())
                case "/jwks":
                    self._say(200, key_set(idp.key).encode())
                case _:
                    self._say(404, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            is_form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
            if not is_form or self.path != "/token":
                return self._say(400, b"{}")
            status, answer = idp.token(_first(body), self.headers.get("authorization", ""))
            self._say(status, json.dumps(answer).encode())

        def _say(self, status: int, body: bytes, location: str = "") -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("cache-control", "no-store")
            self.send_header("content-length", str(len(body)))
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

    return Answering


def _first(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _client(form: dict[str, str], header: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: in the header or in the body."""
    scheme, _, said = header.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    user, _, password = base64.b64decode(said).decode().partition(":")
    return unquote_plus(user), unquote_plus(password)
