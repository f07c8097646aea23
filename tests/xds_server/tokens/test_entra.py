from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.credentials import ManagedIdentity
from tests.xds_server.tokens.walking import go
from xds_server.tokens.entra import way
from xds_server.tokens.words import Ask, NoToken, Read

ANSWER = b'{"access_token": "t", "expires_in": "86000", "token_type": "Bearer"}'
RESOURCE = "https://cognitiveservices.azure.com"


def test_a_machine_asks_its_metadata_service() -> None:
    [asked], token = go(way(ManagedIdentity(), {}), ANSWER)
    assert isinstance(asked, Ask)
    assert asked.url.startswith("http://169.254.169.254/metadata/identity/oauth2/token?")
    assert dict(parse_qsl(urlsplit(asked.url).query)) == {
        "resource": RESOURCE,
        "api-version": "2018-02-01",
    }
    assert asked.headers == (("metadata", "true"),)
    assert token.lifetime_seconds == 86000


def test_of_several_identities_one_is_named() -> None:
    [asked], _ = go(way(ManagedIdentity("mine"), {}), ANSWER)
    assert isinstance(asked, Ask)
    assert ("client_id", "mine") in parse_qsl(urlsplit(asked.url).query)


def test_a_service_has_an_endpoint_of_its_own() -> None:
    environment = {"IDENTITY_ENDPOINT": "http://127.0.0.1:42/token", "IDENTITY_HEADER": "hunter2"}
    [asked], _ = go(way(ManagedIdentity(), environment), ANSWER)
    assert isinstance(asked, Ask)
    assert asked.url.startswith("http://127.0.0.1:42/token?")
    assert ("api-version", "2019-08-01") in parse_qsl(urlsplit(asked.url).query)
    assert asked.headers == (("x-identity-header", "hunter2"),)


FEDERATED = {
    "AZURE_FEDERATED_TOKEN_FILE": "/var/token",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
}


def test_a_workload_shows_its_federated_token() -> None:
    [read, asked], _ = go(way(ManagedIdentity(), FEDERATED), b"theirs\n", ANSWER)
    assert read == Read("/var/token")
    assert isinstance(asked, Ask)
    assert asked.url == "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
    assert dict(parse_qsl(asked.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "scope": f"{RESOURCE}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "theirs",
    }


def test_a_federated_token_alone_is_not_enough() -> None:
    with pytest.raises(NoToken, match="AZURE_TENANT_ID and AZURE_CLIENT_ID"):
        go(way(ManagedIdentity(), {"AZURE_FEDERATED_TOKEN_FILE": "/var/token"}))
