from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.credentials import GcpCredential
from tests.xds_server.tokens.walking import go
from xds_server.tokens.google import way
from xds_server.tokens.words import Ask, NoToken, Read, Token

NOW = 1_700_000_000.0
ANSWER = b'{"access_token": "t", "expires_in": 3599, "token_type": "Bearer"}'
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SERVICE_ACCOUNT = {
    "type": "service_account",
    "client_email": "gateway@p.iam.gserviceaccount.com",
    "private_key_id": "kid",
    "private_key": PEM,
    "token_uri": "https://oauth2.example/token",
}
WORKLOAD = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/x",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.example/v1/token",
    "credential_source": {"file": "/var/token"},
}


def walk(source: object, *answers: bytes, **environment: str) -> tuple[list[Ask | Read], Token]:
    text = None if source is None else json.dumps(source)
    return go(way(GcpCredential(text, ("a", "b")), NOW, environment), *answers)


def decoded(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def fields(ask: Ask | Read) -> dict[str, str]:
    assert isinstance(ask, Ask)
    assert ("content-type", "application/x-www-form-urlencoded") in ask.headers
    return {name: values[0] for name, values in parse_qs(ask.body.decode()).items()}


def test_a_service_account_signs_who_it_is() -> None:
    [asked], token = walk(SERVICE_ACCOUNT, ANSWER)
    assert token == Token("t", 3599.0)
    assert isinstance(asked, Ask)
    assert (asked.method, asked.url) == ("POST", "https://oauth2.example/token")
    sent = fields(asked)
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims, signature = sent["assertion"].split(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "kid"}
    assert decoded(claims) == {
        "iss": "gateway@p.iam.gserviceaccount.com",
        "scope": "a b",
        "aud": "https://oauth2.example/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    KEY.public_key().verify(
        urlsafe_b64decode(signature + "=" * (-len(signature) % 4)),
        f"{header}.{claims}".encode(),
        padding.PKCS1v15(),
        SHA256(),
    )


def test_a_machine_asks_its_metadata_server() -> None:
    [asked], _ = walk(None, ANSWER)
    assert isinstance(asked, Ask)
    assert urlsplit(asked.url).netloc == "metadata.google.internal"
    assert urlsplit(asked.url).query == "scopes=a%2Cb"
    assert asked.headers == (("metadata-flavor", "Google"),)
    [asked], _ = walk(None, ANSWER, GCE_METADATA_HOST="127.0.0.1:1")
    assert isinstance(asked, Ask)
    assert urlsplit(asked.url).netloc == "127.0.0.1:1"


def test_a_user_shows_a_refresh_token() -> None:
    user = {
        "type": "authorized_user",
        "client_id": "i",
        "client_secret": "s",
        "refresh_token": "r",
    }
    [asked], _ = walk(user, ANSWER)
    assert isinstance(asked, Ask)
    assert asked.url == "https://oauth2.googleapis.com/token"
    assert fields(asked) == {
        "grant_type": "refresh_token",
        "client_id": "i",
        "client_secret": "s",
        "refresh_token": "r",
    }


def test_a_workload_exchanges_the_token_of_its_platform() -> None:
    [read, asked], token = walk(WORKLOAD, b"theirs\n", ANSWER)
    assert read == Read("/var/token")
    assert fields(asked) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": "//iam.googleapis.com/projects/1/x",
        "scope": "a b",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": "theirs",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    assert token.value == "t"


def test_a_workload_may_act_for_a_service_account() -> None:
    source = {
        "url": "http://127.0.0.1/token",
        "headers": {"metadata": "true"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    url = "https://iam.example/sa:generateAccessToken"
    workload = {
        **WORKLOAD,
        "credential_source": source,
        "service_account_impersonation_url": url,
    }
    answer = b'{"accessToken": "u", "expireTime": "2023-11-14T22:43:20Z"}'
    [subject, exchanged, last], token = walk(workload, b'{"value": "theirs"}', ANSWER, answer)
    assert subject == Ask("GET", "http://127.0.0.1/token", (("metadata", "true"),))
    assert fields(exchanged)["subject_token"] == "theirs"
    assert isinstance(last, Ask)
    assert (last.url, last.headers[0]) == (url, ("authorization", "Bearer t"))
    assert json.loads(last.body) == {"scope": ["a", "b"], "lifetime": "3600s"}
    assert token == Token("u", 1800.0)


@pytest.mark.parametrize(
    ("source", "answers", "why"),
    [
        ({**SERVICE_ACCOUNT, "private_key": "hunter2"}, [], "'private_key' is no key in PEM"),
        ({"type": "service_account"}, [], "'client_email' is missing"),
        ({**WORKLOAD, "credential_source": {}}, [], "has neither a file nor a url"),
        (SERVICE_ACCOUNT, [b"[]"], "no object of JSON"),
        (SERVICE_ACCOUNT, [b"{}"], "'access_token' is missing"),
        ({"type": "other"}, [], "no way from credentials of the type 'other'"),
    ],
)
def test_why_there_is_no_token_is_said_without_secrets(
    source: object, answers: list[bytes], why: str
) -> None:
    with pytest.raises(NoToken, match=why) as raised:
        walk(source, *answers)
    assert "hunter2" not in str(raised.value)


def test_no_secret_is_in_the_text_of_what_is_asked() -> None:
    [asked], token = walk(SERVICE_ACCOUNT, ANSWER)
    assert isinstance(asked, Ask)
    assert "assertion" not in repr(asked)
    assert "'t'" not in repr(token)
