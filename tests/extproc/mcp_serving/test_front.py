"""The authorization server that clients find at the gateway, as Envoy hears of it."""

from __future__ import annotations

import json

import pytest

from extproc.events import CONTINUE, RequestBody, Respond
from extproc.ports import Answered, Asked
from tests.kit.mcp_exchange import Played, Servers, played, program

KEYS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a", "kid": "1"}]}'
CLUSTER = "service/mcp-authorization"
BELOW = "/mcp/.oauth"
FORM = "application/x-www-form-urlencoded"
SAID = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "registration_endpoint": "https://idp.example/register",
}


def written(proxy: str) -> str:
    return f"""
identity: {{jwt: [{{issuer: 'https://idp.example', audiences: [a], jwks: {{inline: '{KEYS}'}}}}]}}
mcp:
  servers: {{a: {{url: 'http://a.example/mcp'}}}}
  auth: {{url: 'https://gw', proxy: {{{proxy}}}}}
"""


ENTRA = written("vendor: entra, client: {id: c, secret: s}")
KEYCLOAK = written("vendor: keycloak")


def servers(status: int = 200, **more: object) -> Servers:
    def answer(asked: Asked) -> Answered:
        if asked.method == "GET":
            return Answered(status, {}, json.dumps({**SAID, **more}).encode())
        kind = {"content-type": "application/json", "set-cookie": "a=b"}
        return Answered(201, kind, b'{"said": true}')

    return Servers({CLUSTER: answer})


def answered(one: Played, body: bytes | None = None) -> Respond:
    action = one.begin(is_end=body is None)
    if body is not None:
        assert action is CONTINUE
        action = one.say(RequestBody(body))
    assert isinstance(action, Respond)
    assert one.exchange.is_over
    return action


def test_metadata_is_asked_for_once_and_told_to_everybody() -> None:
    idp = servers()
    of = program(ENTRA, idp)
    for path in ("oauth-authorization-server", "openid-configuration", "openid-configuration/mcp"):
        answer = answered(played(of, f"/.well-known/{path}", "GET", origin="https://any.example"))
        assert answer.status == 200
        assert json.loads(answer.body)["issuer"] == "https://gw"
        assert ("access-control-allow-origin", "*") in answer.headers
    assert [asked.path for _, asked in idp.asked] == ["/.well-known/openid-configuration"]


def test_a_browser_is_sent_on() -> None:
    answer = answered(played(program(ENTRA, servers()), f"{BELOW}/authorize?a=1&resource=x", "GET"))
    assert answer.status == 302
    assert dict(answer.headers)["location"] == "https://idp.example/authorize?a=1"


def test_a_token_is_asked_for_with_the_secret() -> None:
    idp = servers()
    one = played(program(ENTRA, idp), f"{BELOW}/token", content_type=FORM)
    answer = answered(one, b"grant_type=refresh_token&refresh_token=r&client_id=c&resource=x")
    assert (answer.status, answer.body) == (201, b'{"said": true}')
    assert ("cache-control", "no-store") in answer.headers
    assert "set-cookie" not in dict(answer.headers)
    cluster, asked = idp.asked[-1]
    assert (cluster, asked.path) == (CLUSTER, "/token")
    assert asked.body.endswith(b"client_id=c&client_secret=s")


def test_a_client_registers_with_the_server() -> None:
    idp = servers()
    asked = b'{"redirect_uris": ["http://127.0.0.1/"]}'
    assert answered(played(program(KEYCLOAK, idp), f"{BELOW}/register"), asked).status == 201
    assert idp.asked[-1][1].path == "/register"
    assert idp.asked[-1][1].body == asked


def test_or_is_told_who_it_is() -> None:
    idp = servers()
    asked = b'{"redirect_uris": ["http://127.0.0.1/"]}'
    answer = answered(played(program(ENTRA, idp), f"{BELOW}/register"), asked)
    assert json.loads(answer.body)["client_id"] == "c"
    assert idp.asked == []


@pytest.mark.parametrize(
    ("yaml", "path", "method"),
    [
        (ENTRA, f"{BELOW}/else", "GET"),
        (ENTRA, f"{BELOW}/token", "GET"),
        (ENTRA, f"{BELOW}/authorize", "POST"),
        (KEYCLOAK, f"{BELOW}/token", "POST"),
        (KEYCLOAK, f"{BELOW}/authorize", "GET"),
        (ENTRA, "/.well-known/oauth-authorization-server", "POST"),
    ],
)
def test_there_is_nothing_else(yaml: str, path: str, method: str) -> None:
    one = played(program(yaml, servers()), path, method)
    action = one.begin(is_end=method == "GET")
    assert isinstance(action, Respond)
    assert action.status == 404


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [(FORM, b"\xff", 400), ("application/json", b"{}", 400), (FORM, b"x" * 70_000, 413)],
)
def test_what_is_no_request_for_a_token_is_refused(kind: str, body: bytes, status: int) -> None:
    idp = servers()
    one = played(program(ENTRA, idp), f"{BELOW}/token", content_type=kind)
    assert answered(one, body).status == status
    assert not any(asked.method == "POST" for _, asked in idp.asked)


@pytest.mark.parametrize(
    "idp", [Servers(), servers(500), servers(token_endpoint="https://evil.example/token")]
)
def test_a_server_of_no_use_is_told_of(idp: Servers) -> None:
    one = played(program(ENTRA, idp), f"{BELOW}/token", content_type=FORM)
    answer = answered(one, b"grant_type=refresh_token&refresh_token=r&client_id=c")
    assert answer.status == 502
    assert json.loads(answer.body)["error"] == "temporarily_unavailable"
    assert not any(asked.method == "POST" for _, asked in idp.asked)
