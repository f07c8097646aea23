from __future__ import annotations

import dataclasses

import pytest

from gateway import names
from gateway.credentials import (
    AwsCredential,
    ClientAuth,
    Credential,
    EntraClient,
    GcpCredential,
    ManagedIdentity,
    OAuthClient,
    PassThrough,
    StaticKey,
)
from gateway.model import Provider
from tests.kit.gateways import golden_gateway
from xds_server.resources.credentials import (
    credential_filter,
    has_secret,
    reads_body,
    token_cluster,
    token_endpoint,
    token_filter,
)
from xds_server.resources.extension import Json

PROVIDER: Provider = golden_gateway("llm-failover-paths").providers[0]
OAUTH = OAuthClient("https://idp.example/t", "id", "hunter2", ("a", "b"), ClientAuth.BASIC)
ENTRA = EntraClient("tenant", "id", "hunter2")
AWS = AwsCredential("us-east-1", "bedrock", "AKID", "hunter2")
ROLE = "arn:aws:iam::123456789012:role/r"


def with_(credential: Credential | None) -> Provider:
    return dataclasses.replace(PROVIDER, credential=credential)


def config(credential: Credential) -> Json:
    found = credential_filter(with_(credential))
    assert found is not None
    assert found["name"] == names.CREDENTIAL_FILTER
    fields: Json = found["typed_config"]
    return fields


def injected(credential: Credential) -> Json:
    fields = config(credential)
    assert fields["overwrite"] is True
    inner: Json = fields["credential"]["typed_config"]
    return inner


def test_a_provider_that_does_not_ask_is_shown_nothing() -> None:
    assert credential_filter(with_(None)) is None
    assert not has_secret(with_(None))


@pytest.mark.parametrize(
    ("credential", "header", "prefix"),
    [
        (StaticKey("x-api-key", "", "hunter2"), "x-api-key", None),
        (StaticKey("authorization", "Bearer ", "hunter2"), "authorization", "Bearer "),
        (GcpCredential("hunter2"), "authorization", "Bearer "),
        (ManagedIdentity(), "authorization", "Bearer "),
    ],
)
def test_keys_and_tokens_of_ours_come_by_sds(
    credential: Credential, header: str, prefix: str | None
) -> None:
    found = injected(credential)
    assert found["credential"]["name"] == names.provider_secret("a")
    assert (found["header"], found.get("header_value_prefix")) == (header, prefix)
    assert "hunter2" not in repr(found)
    assert has_secret(with_(credential))


def test_envoy_asks_for_tokens_itself() -> None:
    found = injected(OAUTH)
    assert found["token_endpoint"]["uri"] == "https://idp.example/t"
    assert found["scopes"] == ["a", "b"]
    assert found["client_credentials"]["client_id"] == "id"
    assert found["client_credentials"]["auth_type"] == "BASIC_AUTH"
    assert found["client_credentials"]["client_secret"]["name"] == names.provider_secret("a")
    assert "hunter2" not in repr(found)
    endpoint = token_endpoint(with_(OAUTH))
    assert endpoint is not None
    assert endpoint.authority == "idp.example"
    assert found["token_endpoint"]["cluster"] == token_cluster(endpoint)


def test_entra_is_an_oauth_server() -> None:
    found = injected(ENTRA)
    url = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
    assert found["token_endpoint"]["uri"] == url
    assert found["scopes"] == ["https://cognitiveservices.azure.com/.default"]


def test_requests_are_signed_for_the_host_that_they_go_to() -> None:
    found = config(AwsCredential("us-east-1", "bedrock"))
    assert (found["service_name"], found["region"]) == ("bedrock", "us-east-1")
    assert found["host_rewrite"] == PROVIDER.upstream.authority
    assert "credential_provider" not in found
    assert reads_body(with_(AWS))
    assert not has_secret(with_(AWS))


def test_keys_of_aws_are_inline_and_no_others_are_looked_for() -> None:
    found = config(AWS)["credential_provider"]
    assert found == {
        "custom_credential_provider_chain": True,
        "inline_credential": {"access_key_id": "AKID", "secret_access_key": "hunter2"},
    }


def test_a_role_is_assumed_with_what_there_is() -> None:
    usual = config(AwsCredential("us-east-1", "bedrock", role=ROLE))["credential_provider"]
    assert usual["assume_role_credential_provider"] == {
        "role_arn": ROLE,
        "role_session_name": "dragoman",
    }
    own = config(dataclasses.replace(AWS, role=ROLE))["credential_provider"]
    assumed = own["assume_role_credential_provider"]
    assert assumed["credential_provider"]["inline_credential"]["access_key_id"] == "AKID"


def test_texts_in_scripts_are_quoted() -> None:
    found = config(PassThrough("x-key", "authorization", '" os.exit() --'))
    script = found["default_source_code"]["inline_string"]
    assert 'key = "\\" os.exit() --" .. key' in script


def test_a_missing_token_is_not_said_to_be_the_clients_fault() -> None:
    for credential in (GcpCredential(), ManagedIdentity(), OAUTH, ENTRA):
        assert config(credential)["allow_request_without_credential"] is True
        assert token_filter(with_(credential)) is not None
    for other in (StaticKey("authorization", "", "k"), AWS, PassThrough("a", "b", ""), None):
        assert token_filter(with_(other)) is None
    assert "allow_request_without_credential" not in config(StaticKey("authorization", "", "k"))
