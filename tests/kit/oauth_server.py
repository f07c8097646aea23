"""An authorization server as MCP clients need one: metadata (RFC 8414), registration (RFC 7591),
codes with PKCE for a resource (RFC 8707), and tokens that say for which.

Whoever comes with a browser is `ann`, and agrees to all that is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.kit.http_server import Handler, HttpServer
from tests.kit.identity_provider import SigningKey, claims, encoded, key_set

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ASSERTION = "urn:ietf:params:oauth:token-type:id-jag"


@dataclass(slots=True)
class Manners:
    """What sets one vendor's server apart from what clients expect."""

    path: str = ""
    """Of its issuer identifier: `/realms/a`."""
    metadata_path: str = ""
    """Where its metadata is; empty: as RFC 8414 §3.1 says."""
    sends_iss: bool = True
    """RFC 9207."""
    registers: bool = True
    """Clients may register themselves."""
    refuses_resource: bool = False
    """`resource` is an error."""
    audience_parameter: bool = False
    """Tokens are for `audience`, and `resource` is not looked at."""
    says_pkce: bool = True
    """Its metadata tells of PKCE, which it knows in any case."""
    client: tuple[str, str] = ("", "")
    """The only one that it knows, where none may register; an empty secret: it has none."""
    more: dict[str, Any] = field(default_factory=dict)
    """Of its metadata."""


@dataclass(frozen=True, slots=True)
class _Code:
    client: str
    redirect_uri: str
    challenge: str
    scope: str
    audience: str


class OAuthServer(HttpServer):
    """`with OAuthServer() as server: server.issuer`."""

    def __init__(self, manners: Manners | None = None) -> None:
        self.manners = manners or Manners()
        self.key = SigningKey("one")
        self.registered: list[dict[str, Any]] = []
        self.authorized: list[dict[str, str]] = []
        self.exchanged: list[dict[str, str]] = []
        """Forms that came to the token endpoint."""
        self.fetches: list[str] = []
        self.audience = ""
        """Of all tokens; empty: what was asked for."""
        self.lifetime = 600
        self.shown = ""
        """The header by which clients have to show who they are, where they exchange tokens."""
        self.refused: set[str] = set()
        """Whose tokens are exchanged for nothing."""
        self._clients: dict[str, list[str]] = {}
        self._codes: dict[str, _Code] = {}
        super().__init__(_handler(self))

    @property
    def issuer(self) -> str:
        return f"{self.url}{self.manners.path}"

    @property
    def metadata_path(self) -> str:
        return (
            self.manners.metadata_path
            or f"/.well-known/oauth-authorization-server{self.manners.path.rstrip('/')}"
        )

    def metadata(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "client_id_metadata_document_supported": False,
        }
        if self.manners.registers:
            said["registration_endpoint"] = f"{self.url}/register"
        if self.manners.says_pkce:
            said["code_challenge_methods_supported"] = ["S256"]
        if self.manners.sends_iss:
            said["authorization_response_iss_parameter_supported"] = True
        return {**said, **self.manners.more}

    def register(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not self.manners.registers:
            return 401, {"error": "invalid_token"}
        self.registered.append(asked)
        name = f"client-{len(self.registered)}"
        self._clients[name] = asked["redirect_uris"]
        return 201, {**asked, "client_id": name}

    def authorize(self, asked: dict[str, str]) -> tuple[int, str]:
        self.authorized.append(asked)
        manners, client = self.manners, asked.get("client_id", "")
        redirect_uri = asked.get("redirect_uri", "")
        is_known = client == manners.client[0] or redirect_uri in self._clients.get(client, ())
        if not client or not is_known:
            return 400, ""
        state = {"state": asked.get("state", "")}
        if manners.sends_iss:
            state["iss"] = self.issuer
        is_right = asked.get("code_challenge_method") == "S256"
        if not is_right or (manners.refuses_resource and "resource" in asked):
            return 302, f"{redirect_uri}?{urlencode({'error': 'invalid_target', **state})}"
        audience = asked.get("audience" if manners.audience_parameter else "resource", "")
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(
            client, redirect_uri, asked["code_challenge"], asked.get("scope", ""), audience
        )
        return 302, f"{redirect_uri}?{urlencode({'code': code, **state})}"

    def token(self, form: dict[str, str], shown: str = "") -> tuple[int, dict[str, Any]]:
        self.exchanged.append(form)
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                return self._exchanged(form, shown)
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self._asserted(form, shown)
        if self.manners.refuses_resource and "resource" in form:
            return 400, {"error": "invalid_target"}
        code = self._codes.pop(form.get("code", ""), None)
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            code is None
            or form.get("client_id") != code.client
            or form.get("redirect_uri") != code.redirect_uri
            or challenge != code.challenge
        ):
            return 400, {"error": "invalid_grant"}
        secret = self.manners.client[1]
        if code.client == self.manners.client[0] and form.get("client_secret", "") != secret:
            return 401, {"error": "invalid_client"}
        return 200, {
            "access_token": self.access(self.audience or code.audience, code.scope),
            "token_type": "Bearer",
            "expires_in": 600,
            "scope": code.scope,
        }

    def _exchanged(self, form: dict[str, str], shown: str) -> tuple[int, dict[str, Any]]:
        """RFC 8693 §2; what is given is an assertion, where that is asked for."""
        if shown != self.shown:
            return 401, {"error": "invalid_client"}
        who = claims_of(form["subject_token"])["sub"]
        if who in self.refused:
            return 400, {"error": "invalid_request", "error_description": "not this one"}
        wanted = form.get("requested_token_type", ACCESS)
        token = self.access(form.get("audience", ""), form.get("scope", ""), sub=who, got=wanted)
        is_assertion = wanted == ASSERTION
        return 200, {
            "access_token": token,
            "issued_token_type": wanted,
            "token_type": "N_A" if is_assertion else "Bearer",
            "expires_in": self.lifetime,
        }

    def _asserted(self, form: dict[str, str], shown: str) -> tuple[int, dict[str, Any]]:
        """RFC 7523 §2.1, of assertions for this server."""
        said = claims_of(form["assertion"])
        if shown != self.shown or said["aud"] != self.issuer or said["got"] != ASSERTION:
            return 400, {"error": "invalid_grant"}
        token = self.access("the server", form.get("scope", ""), sub=said["sub"])
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime}

    def access(self, audience: str | list[str], scope: str = "", **more: Any) -> str:
        """A token of ann's."""
        return self.key.sign(claims(self.issuer, aud=audience, scope=scope, **more), typ="at+jwt")


def claims_of(token: str) -> dict[str, Any]:
    """Of a token that this server has signed, or another."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return found


def _handler(server: OAuthServer) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            server.fetches.append(url.path)
            if url.path == server.metadata_path:
                return self._say(200, server.metadata())
            match url.path:
                case "/authorize":
                    status, where = server.authorize(_first(url.query))
                    self._say(status, {}, location=where)
                case "/jwks":
                    self._say(200, json.loads(key_set(server.key)))
                case _:
                    self._say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            kind = self.headers.get_content_type()
            match self.path, kind:
                case "/register", "application/json":
                    self._say(*server.register(json.loads(body)))
                case "/token", "application/x-www-form-urlencoded":
                    shown = self.headers.get("authorization", "")
                    self._say(*server.token(_first(body.decode()), shown))
                case _:
                    self._say(400, {"error": "invalid_request"})

        def _say(self, status: int, answer: dict[str, Any], location: str = "") -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

    return Answering


def _first(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
