"""What an authorization server is asked for one of the gateway's callers, and what it said."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from extproc.mcp import oauth_client
from extproc.mcp.oauth_client import Refused, Registered, Tokens, Unusable, Whereabouts
from extproc.ports import Answered, Asked
from gateway.identity import ClientAuth
from gateway.mcp import Consent

OF = Consent(
    "https://as.example/x",
    "as.example",
    client_id="us",
    client_secret="s3&cr+t",
    client_auth=ClientAuth.BASIC,
    scopes=("a", "b"),
    resource="https://mcp.example/mcp",
    parameters=(("prompt", "consent"),),
)
WHERE = Whereabouts("https://as.example/go", "/token", "/revoke")
METADATA: dict[str, Any] = {
    "issuer": "https://as.example/x",
    "authorization_endpoint": "https://login.example/go",
    "token_endpoint": "https://as.example/token?a=b",
    "revocation_endpoint": "https://as.example:443/revoke",
    "code_challenge_methods_supported": ["plain", "S256"],
    "authorization_response_iss_parameter_supported": True,
    "registration_endpoint": "https://as.example/register",
    "client_id_metadata_document_supported": True,
    "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
}


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


def said(status: int = 200, **more: Any) -> Answered:
    return Answered(status, {}, json.dumps(more).encode())


def test_metadata_is_looked_for_where_the_specification_says() -> None:
    assert [each.path for each in oauth_client.metadata_requests("https://as.example/x")] == [
        "/.well-known/oauth-authorization-server/x",
        "/.well-known/openid-configuration/x",
        "/x/.well-known/openid-configuration",
    ]
    assert len(oauth_client.metadata_requests("https://as.example")) == 2
    assert [each.path for each in oauth_client.resource_requests("/mcp")] == [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
    ]


def test_only_the_browser_is_sent_to_another_host() -> None:
    found = oauth_client.read_metadata(json.dumps(METADATA).encode(), OF)
    assert found == Whereabouts(
        "https://login.example/go",
        "/token?a=b",
        "/revoke",
        True,
        "/register",
        True,
        ("none", "client_secret_post"),
    )
    elsewhere = METADATA | {"registration_endpoint": "https://evil.example/register"}
    assert oauth_client.read_metadata(json.dumps(elsewhere).encode(), OF).register_path == ""


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://as.example/token"},
        {"token_endpoint": "https://as.example:8443/token"},
        {"token_endpoint": ""},
        {"revocation_endpoint": "https://169.254.169.254/"},
        {"authorization_endpoint": "http://login.example/go"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://login.example/\r\nx: y"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": []},
        {"token_endpoint": 5},
    ],
)
def test_metadata_leads_nowhere_else(change: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        oauth_client.read_metadata(json.dumps(METADATA | change).encode(), OF)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"authorization_servers": ["https://as.example/x/"]}', True),
        (b'{"authorization_servers": ["https://other.example"]}', False),
        (b'{"authorization_servers": []}', True),
        (b"nothing", True),
    ],
)
def test_a_server_says_whose_tokens_it_takes(body: bytes, expected: bool) -> None:
    assert oauth_client.names_issuer(body, OF.issuer) is expected


def test_authorization_is_asked_for_with_pkce_and_the_resource() -> None:
    url = oauth_client.authorization(OF, WHERE, "https://g/back", "state", "v" * 43)
    assert url.startswith("https://as.example/go?")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked == {
        "response_type": "code",
        "client_id": "us",
        "redirect_uri": "https://g/back",
        "state": "state",
        "code_challenge": oauth_client.challenge_of("v" * 43),
        "code_challenge_method": "S256",
        "scope": "a b",
        "resource": "https://mcp.example/mcp",
        "prompt": "consent",
    }
    # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert oauth_client.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_client_is_shown_in_the_header_or_in_the_form() -> None:
    asked = oauth_client.code_request(OF, WHERE, "code", "https://g/back", "v")
    shown = dict(asked.headers)["authorization"].removeprefix("Basic ")
    assert base64.b64decode(shown) == b"us:s3%26cr%2Bt"
    assert form(asked) == {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": "https://g/back",
        "code_verifier": "v",
        "resource": "https://mcp.example/mcp",
    }
    by_form = replace(OF, client_auth=ClientAuth.POST, resource="")
    asked = oauth_client.refresh_request(by_form, WHERE, "r")
    assert "authorization" not in dict(asked.headers)
    assert form(asked) == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "client_id": "us",
        "client_secret": "s3&cr+t",
    }


def test_both_tokens_are_revoked_the_refresh_token_first() -> None:
    asked = oauth_client.revocations(OF, WHERE, Tokens("a", "r"))
    assert [form(each)["token"] for each in asked] == ["r", "a"]
    assert len(oauth_client.revocations(OF, WHERE, Tokens("a"))) == 1
    assert oauth_client.revocations(OF, replace_where(""), Tokens("a")) == ()


def replace_where(revoke: str) -> Whereabouts:
    return Whereabouts(WHERE.authorize_url, WHERE.token_path, revoke)


def test_tokens_are_renewed_a_little_before_they_expire() -> None:
    answer = said(access_token="a", token_type="Bearer", refresh_token="r", expires_in=100)
    assert oauth_client.read_tokens(answer, 1000.0) == Tokens("a", "r", 1100.0, 1090.0)
    long = said(access_token="a", token_type="bearer", expires_in="86400")
    assert oauth_client.read_tokens(long, 0.0).renew == 86_340.0
    endless = said(access_token="a", token_type="bearer")
    assert oauth_client.read_tokens(endless, 1000.0) == Tokens("a")


def test_a_refresh_token_stays_where_there_is_no_other() -> None:
    before = Tokens("a", "r", scope="x")
    answer = said(access_token="b", token_type="bearer", expires_in=10)
    found = oauth_client.read_tokens(answer, 5.0, before)
    assert (found.access, found.refresh, found.scope, found.renewed) == ("b", "r", "x", 5.0)
    rotated = said(access_token="b", token_type="bearer", refresh_token="s")
    assert oauth_client.read_tokens(rotated, 5.0, before).refresh == "s"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said(400, error="invalid_grant"), "invalid_grant"),
        (said(401, error="invalid_client"), "invalid_client"),
        (said(200, error="bad_verification_code"), "bad_verification_code"),
        (said(400, error="<script>"), ""),
        (Answered(400, {}, b"no"), ""),
    ],
)
def test_refusals_say_why(answer: Answered, error: str) -> None:
    with pytest.raises(Refused) as caught:
        oauth_client.read_tokens(answer, 0.0)
    assert caught.value.error == error


@pytest.mark.parametrize(
    "answer",
    [
        said(500),
        said(302),
        said(200),
        said(access_token="a b", token_type="bearer"),
        said(access_token="a\nb", token_type="bearer"),
        said(access_token="a", token_type="mac"),
        said(access_token="a", token_type="bearer", refresh_token="é"),
        said(access_token="a" * 20_000, token_type="bearer"),
        Answered(200, {}, b"nothing"),
    ],
)
def test_what_is_no_token_is_not_taken_for_one(answer: Answered) -> None:
    with pytest.raises(Unusable):
        oauth_client.read_tokens(answer, 0.0)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ((), "client_secret_basic"),
        (("none",), "none"),
        (("none", "client_secret_post", "client_secret_basic"), "client_secret_basic"),
        (("private_key_jwt",), "none"),
    ],
)
def test_the_gateway_shows_itself_as_well_as_it_can(
    methods: tuple[str, ...], expected: str
) -> None:
    where = Whereabouts("https://as.example/go", "/token", register_path="/r", methods=methods)
    assert oauth_client.method_of(where) == expected


def test_who_is_registered_asks_from_then_on() -> None:
    where = Whereabouts("https://as.example/go", "/token", register_path="/r")
    asked = oauth_client.registration(where, {"client_name": "x"})
    assert (asked.path, json.loads(asked.body)) == ("/r", {"client_name": "x"})
    answer = said(201, client_id="c", client_secret="s", client_secret_expires_at=9)
    found = oauth_client.read_registered(answer, "client_secret_basic")
    assert found == Registered("c", "s", "client_secret_basic", 9)
    other = oauth_client.as_registered(OF, replace_method(found))
    assert (other.client_id, other.client_auth) == ("c", ClientAuth.POST)
    public = oauth_client.read_registered(said(201, client_id="c"), "none")
    assert oauth_client.as_registered(OF, public).client_auth is ClientAuth.NONE


def replace_method(of: Registered) -> Registered:
    return Registered(of.client_id, of.client_secret, "client_secret_post")


@pytest.mark.parametrize(
    "answer",
    [
        said(400, error="invalid_redirect_uri"),
        said(201),
        said(201, client_id="c"),
        said(201, client_id="c", token_endpoint_auth_method="private_key_jwt"),
        said(201, client_id="a b", client_secret="s"),
        Answered(201, {}, b"no"),
    ],
)
def test_what_registers_nobody_is_told(answer: Answered) -> None:
    with pytest.raises(Unusable):
        oauth_client.read_registered(answer, "client_secret_basic")
