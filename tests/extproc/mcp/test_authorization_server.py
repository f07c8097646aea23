"""What is put right of an authorization server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from extproc.mcp.authorization_server import (
    Broken,
    Endpoints,
    authorization,
    changed,
    read,
    registered,
    token_request,
)
from gateway.mcp import AuthorizationProxy

SAID = {
    "issuer": "https://idp.example",
    "authorization_endpoint": "https://idp.example/authorize?p=1",
    "token_endpoint": "https://IDP.example:443/token",
    "registration_endpoint": "https://idp.example/register",
    "authorization_response_iss_parameter_supported": True,
    "client_id_metadata_document_supported": True,
    "x": [1],
}
FOUND = Endpoints(SAID)
GATEWAY, OWN = "https://gw", "https://gw/mcp/.oauth"
ENTRA = AuthorizationProxy(
    "idp.example", "/m", client_id="c", client_secret="s", strips_resource=True, adds_pkce=True
)


def seen(**of: Any) -> dict[str, Any]:
    proxy = AuthorizationProxy("idp.example", "/m", True, **of)
    found: dict[str, Any] = json.loads(changed(FOUND, proxy, GATEWAY, OWN))
    return found


def test_the_gateway_is_the_issuer_and_what_nobody_touches_stays() -> None:
    said = seen()
    assert said == {
        name: value
        for name, value in {**SAID, "issuer": GATEWAY}.items()
        if name != "authorization_response_iss_parameter_supported"
    }


def test_clients_that_register_themselves_do_so_here() -> None:
    said = seen(relays_registration=True)
    assert said["registration_endpoint"] == f"{OWN}/register"
    assert said["client_id_metadata_document_supported"] is True
    none = Endpoints({name: each for name, each in SAID.items() if "registration" not in name})
    proxy = AuthorizationProxy("idp.example", "/m", relays_registration=True)
    assert b"registration_endpoint" not in changed(none, proxy, GATEWAY, OWN)


def test_one_client_is_all_of_them() -> None:
    said = seen(client_id="c")
    assert said["registration_endpoint"] == f"{OWN}/register"
    assert said["token_endpoint_auth_methods_supported"] == ["none"]
    assert "client_id_metadata_document_supported" not in said
    assert said["token_endpoint"] == SAID["token_endpoint"]
    assert seen(client_id="c", client_secret="s")["token_endpoint"] == f"{OWN}/token"


def test_a_server_without_resources_is_asked_by_way_of_the_gateway() -> None:
    said = json.loads(changed(FOUND, ENTRA, GATEWAY, OWN))
    assert said["authorization_endpoint"] == f"{OWN}/authorize"
    assert said["token_endpoint"] == f"{OWN}/token"
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert seen(audience="a")["authorization_endpoint"] == f"{OWN}/authorize"


def test_what_is_known_of_pkce_is_left_as_it_is() -> None:
    known = Endpoints({**SAID, "code_challenge_methods_supported": ["plain", "S256"]})
    said = json.loads(changed(known, ENTRA, GATEWAY, OWN))
    assert said["code_challenge_methods_supported"] == ["plain", "S256"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_what_is_no_metadata_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read(body)


def test_endpoints_are_on_the_servers_own_host() -> None:
    assert read(json.dumps(SAID).encode()).path("token_endpoint", "idp.example") == "/token"
    assert FOUND.path("authorization_endpoint", "idp.example") == "/authorize?p=1"
    for said in ("https://evil.example/token", "javascript:x", None, 7, "http://idp.example:81/"):
        with pytest.raises(Broken):
            Endpoints({"token_endpoint": said}).path("token_endpoint", "idp.example")


def test_a_client_that_registers_is_told_who_it_is_and_never_the_secret() -> None:
    asked = {
        "redirect_uris": ["http://127.0.0.1/back"],
        "client_name": "Agent",
        "client_secret": "mine",
        "token_endpoint_auth_method": "client_secret_basic",
    }
    answer = registered(json.dumps(asked).encode(), ENTRA)
    assert isinstance(answer, bytes)
    assert json.loads(answer) == {
        "client_name": "Agent",
        "client_id": "c",
        "redirect_uris": ["http://127.0.0.1/back"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }


@pytest.mark.parametrize(
    "asked", ["", "[]", "{}", '{"redirect_uris": []}', '{"redirect_uris": [1]}']
)
def test_what_cannot_be_registered_is_told(asked: str) -> None:
    assert isinstance(registered(asked.encode(), ENTRA), str)


def test_a_browser_is_sent_on_without_a_resource_or_with_an_audience() -> None:
    query = "client_id=c&resource=https%3A%2F%2Fgw%2Fmcp&scope=a+b&state="
    assert authorization(query, ENTRA, "https://idp/a") == (
        "https://idp/a?client_id=c&scope=a+b&state="
    )
    auth0 = AuthorizationProxy("idp", "/m", audience="the api")
    found = authorization(query, auth0, "https://idp/a?p=1")
    assert found.startswith("https://idp/a?p=1&client_id=c&resource=")
    assert found.endswith("&audience=the+api")
    assert "the+api" not in authorization(f"{query}&audience=x", auth0, "https://idp/a")


@pytest.mark.parametrize(
    ("form", "has_secret"),
    [
        ("grant_type=authorization_code&client_id=c&code=1&code_verifier=2", True),
        ("grant_type=refresh_token&client_id=c&refresh_token=1", True),
        ("grant_type=authorization_code&client_id=c&code=1", False),
        ("grant_type=client_credentials&client_id=c", False),
        ("grant_type=client_credentials&client_id=c&code=1&code_verifier=2", False),
        (
            "grant_type=client_credentials&grant_type=refresh_token&client_id=c&refresh_token=1",
            False,
        ),
        ("grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=c", False),
        ("grant_type=refresh_token&client_id=other&refresh_token=1", False),
        ("grant_type=refresh_token&client_id=c&refresh_token=1&client_secret=x", False),
        ("", False),
    ],
)
def test_the_secret_is_added_where_a_person_has_agreed_and_nowhere_else(
    form: str, has_secret: bool
) -> None:
    sent = parse_qs(token_request(f"{form}&resource=r".encode(), ENTRA).decode())
    assert ("s" in sent.get("client_secret", [])) is has_secret
    assert "resource" not in sent


def test_what_is_no_text_is_no_form() -> None:
    with pytest.raises(ValueError, match="decode"):
        token_request(b"\xff", ENTRA)
