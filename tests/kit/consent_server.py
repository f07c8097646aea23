"""The authorization server of an MCP server that wants each user's own consent: codes with PKCE for
a resource, refresh tokens that are good once, revocation, and who asks whether a token is good.

RFC 6749, RFC 7636, RFC 7009, RFC 8414, RFC 8707, RFC 9207. Whoever comes with a browser is
`person`, and agrees, unless `is_refusing`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.kit.http_server import Handler, HttpServer

CLIENT, SECRET = "the-gateway", "s3cr+t/=&"


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    challenge: str
    resource: str
    person: str


class ConsentServer(HttpServer):
    """`with ConsentServer() as server: server.url`."""

    def __init__(self) -> None:
        self.person = "octocat"
        self.is_refusing = False
        self.is_away = False
        """Its token endpoint answers 503."""
        self.says_issuer = True
        self.other_issuer = ""
        """What it says it is to browsers; empty: what it is."""
        self.lifetime: int | None = 600
        self.clients: dict[str, tuple[str, list[str]]] = {CLIENT: (SECRET, [])}
        """Secrets, and redirect URIs; none: any."""
        self.registered: list[dict[str, Any]] = []
        self.authorized: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []
        """Forms that came to the token endpoint."""
        self.revoked: list[str] = []
        self.access: dict[str, str] = {}
        """Whose the tokens are that are good."""
        self._refresh: dict[str, str] = {}
        self._codes: dict[str, _Code] = {}
        super().__init__(_handler(self))

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "revocation_endpoint": f"{self.url}/revoke",
            "registration_endpoint": f"{self.url}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.says_issuer,
        }

    def end_access(self) -> None:
        """All access tokens have expired; they can be renewed."""
        self.access.clear()

    def end_all(self) -> None:
        """The person has taken everything back."""
        self.access.clear()
        self._refresh.clear()

    def authorize(self, asked: dict[str, str]) -> tuple[int, str]:
        self.authorized.append(asked)
        uri = asked.get("redirect_uri", "")
        _, uris = self.clients.get(asked.get("client_id", ""), ("", ["nowhere"]))
        if uris and uri not in uris:
            return 400, ""
        said = {"state": asked.get("state", "")}
        if self.says_issuer:
            said["iss"] = self.other_issuer or self.url
        is_right = (
            asked.get("response_type") == "code" and asked.get("code_challenge_method") == "S256"
        )
        if self.is_refusing or not is_right:
            error = "access_denied" if is_right else "invalid_request"
            return 302, f"{uri}?{urlencode({'error': error, **said})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(
            uri, asked["code_challenge"], asked.get("resource", ""), self.person
        )
        return 302, f"{uri}?{urlencode({'code': code, **said})}"

    def token(self, form: dict[str, str], header: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if self.is_away:
            return 503, {}
        if not self._is_known(header):
            return 401, {"error": "invalid_client"}
        match form.get("grant_type"):
            case "authorization_code":
                code = self._codes.pop(form.get("code", ""), None)
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                is_right = code is not None and (
                    code.redirect_uri,
                    code.challenge,
                    code.resource,
                ) == (
                    form.get("redirect_uri"),
                    challenge,
                    form.get("resource", ""),
                )
                person = code.person if code is not None and is_right else ""
            case "refresh_token":
                person = self._refresh.pop(form.get("refresh_token", ""), "")
            case _:
                return 400, {"error": "unsupported_grant_type"}
        return (200, self._given(person)) if person else (400, {"error": "invalid_grant"})

    def revoke(self, form: dict[str, str], header: str) -> int:
        if not self._is_known(header):
            return 401
        token = form.get("token", "")
        self.revoked.append(token)
        self.access.pop(token, None)
        self._refresh.pop(token, None)
        return 200

    def _given(self, person: str) -> dict[str, Any]:
        access, refresh = f"at-{secrets.token_urlsafe(12)}", f"rt-{secrets.token_urlsafe(12)}"
        self.access[access], self._refresh[refresh] = person, person
        found = {"access_token": access, "token_type": "bearer", "refresh_token": refresh}
        return found if self.lifetime is None else {**found, "expires_in": self.lifetime}

    def register(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.registered.append(asked)
        name, secret = f"client-{len(self.registered)}", secrets.token_urlsafe(12)
        self.clients[name] = (secret, asked["redirect_uris"])
        return 201, {**asked, "client_id": name, "client_secret": secret}

    def _is_known(self, header: str) -> bool:
        scheme, _, said = header.partition(" ")
        if scheme != "Basic":
            return False
        client, _, secret = base64.b64decode(said).decode().partition(":")
        return self.clients.get(unquote(client), ("", []))[0] == unquote(secret) != ""


def _handler(server: ConsentServer) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path:
                case "/.well-known/oauth-authorization-server":
                    self._say(200, server.metadata())
                case "/authorize":
                    status, where = server.authorize(_first(url.query))
                    self._say(status, {}, where)
                case "/good":
                    is_good = _first(url.query).get("token", "") in server.access
                    self._say(200 if is_good else 404, {})
                case _:
                    self._say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            header = self.headers.get("authorization", "")
            is_form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
            match self.path:
                case "/token" if is_form:
                    self._say(*server.token(_first(body), header))
                case "/register" if not is_form:
                    self._say(*server.register(json.loads(body)))
                case "/revoke" if is_form:
                    self._say(server.revoke(_first(body), header), {})
                case _:
                    self._say(400, {"error": "invalid_request"})

        def _say(self, status: int, answer: dict[str, Any], location: str = "") -> None:
            body = json.dumps(answer).encode()
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
