from __future__ import annotations

import pytest

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
from gateway.model import BodyForm, Provider
from gateway.operations import Operation
from tests.gateway.config.loading import meant

ROLE = "arn:aws:iam::123456789012:role/gateway"


def provider(block: str) -> Provider:
    return meant(f"llm: {{providers: {{p: {block}}}}}").providers[0]


@pytest.mark.parametrize(
    ("block", "authority", "operation", "path"),
    [
        (
            "{type: azure-openai, resource: r}",
            "r.openai.azure.com",
            Operation.CHAT,
            "/openai/v1/chat/completions",
        ),
        (
            "{type: azure-openai, resource: r, api_version: 2024-10-21}",
            "r.openai.azure.com",
            Operation.CHAT,
            "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
        ),
        (
            "{type: azure-foundry, resource: r, project: p}",
            "r.services.ai.azure.com",
            Operation.RESPONSES,
            "/api/projects/p/openai/v1/responses",
        ),
        (
            "{type: azure-foundry-claude, resource: r}",
            "r.services.ai.azure.com",
            Operation.MESSAGES,
            "/anthropic/v1/messages",
        ),
        (
            "{type: gemini}",
            "generativelanguage.googleapis.com",
            Operation.GENERATE_STREAM,
            "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        ),
        (
            "{type: vertex, region: europe-west4, project: p}",
            "europe-west4-aiplatform.googleapis.com",
            Operation.GENERATE,
            "/v1/projects/p/locations/europe-west4"
            "/publishers/google/models/{model}:generateContent",
        ),
        (
            "{type: vertex-claude, region: eu, project: p}",
            "aiplatform.eu.rep.googleapis.com",
            Operation.MESSAGES_STREAM,
            "/v1/projects/p/locations/eu/publishers/anthropic/models/{model}:streamRawPredict",
        ),
        (
            "{type: vertex-openai, region: global, project: p}",
            "aiplatform.googleapis.com",
            Operation.CHAT,
            "/v1/projects/p/locations/global/endpoints/openapi/chat/completions",
        ),
        (
            "{type: bedrock, region: us-east-1}",
            "bedrock-runtime.us-east-1.amazonaws.com",
            Operation.CONVERSE_STREAM,
            "/model/{model}/converse-stream",
        ),
    ],
)
def test_options_make_the_address_and_the_paths(
    block: str, authority: str, operation: Operation, path: str
) -> None:
    found = provider(block)
    assert found.upstream.authority == authority
    assert f"{found.base_path}{found.path_of(operation)}" == path


def test_claude_at_vertex_and_bedrock_is_asked_in_their_form() -> None:
    vertex = provider("{type: vertex-claude, region: global, project: p}")
    bedrock = provider("{type: bedrock-claude, region: us-east-1}")
    assert (vertex.body_form, bedrock.body_form) == (
        BodyForm.VERTEX_CLAUDE,
        BodyForm.BEDROCK_CLAUDE,
    )


def test_what_is_not_offered_has_no_path() -> None:
    assert provider("{type: anthropic}").path_of(Operation.CHAT) is None


@pytest.mark.parametrize(
    ("block", "credential"),
    [
        ("{type: openai}", None),
        ("{type: openai, key: k}", StaticKey("authorization", "Bearer ", "k")),
        ("{type: anthropic, key: sk-ant-api03-k}", StaticKey("x-api-key", "", "sk-ant-api03-k")),
        (
            "{type: anthropic, key: sk-ant-oat01-k}",
            StaticKey("authorization", "Bearer ", "sk-ant-oat01-k"),
        ),
        ("{type: gemini, key: k}", StaticKey("x-goog-api-key", "", "k")),
        ("{type: azure-openai, resource: r, key: k}", StaticKey("api-key", "", "k")),
        (
            "{type: bedrock, region: us-east-1, key: k}",
            StaticKey("authorization", "Bearer ", "k"),
        ),
        (
            "{type: openai, auth: {type: api-key, key: k, header: x-key}}",
            StaticKey("x-key", "", "k"),
        ),
        (
            "{type: openai, auth: {type: api-key, key: k, prefix: 'Api-Key '}}",
            StaticKey("authorization", "Api-Key ", "k"),
        ),
        (
            "{type: anthropic, auth: {type: api-key, key: k, header: Authorization}}",
            StaticKey("authorization", "Bearer ", "k"),
        ),
        ("{type: bedrock, region: us-east-1}", AwsCredential("us-east-1", "bedrock")),
        ("{type: bedrock, region: us-east-1, auth: {type: none}}", None),
        (
            "{type: bedrock, region: us-east-1, auth: {type: aws, access_key: a, secret_key: b,"
            f" session_token: c, role: '{ROLE}', region: us-west-2}}}}",
            AwsCredential("us-west-2", "bedrock", "a", "b", "c", ROLE),
        ),
        ("{type: vertex, region: global, project: p}", GcpCredential()),
        (
            "{type: openai, auth: {type: oauth, token_url: 'https://a/t', client_id: i,"
            " client_secret: s, scopes: [x], client_auth: basic}}",
            OAuthClient("https://a/t", "i", "s", ("x",), ClientAuth.BASIC),
        ),
        (
            "{type: azure-openai, resource: r, auth: {type: entra, tenant: t, client_id: i,"
            " client_secret: s}}",
            EntraClient("t", "i", "s"),
        ),
        (
            "{type: azure-openai, resource: r, auth: {type: entra, client_id: i}}",
            ManagedIdentity("i"),
        ),
        (
            "{type: anthropic, auth: {type: pass-through, header: X-Provider-Key}}",
            PassThrough("x-provider-key", "x-api-key", ""),
        ),
        (
            "{type: openai, auth: {type: pass-through}}",
            PassThrough("authorization", "authorization", "Bearer "),
        ),
        (
            "{type: openai, auth: {type: pass-through, required: false}}",
            PassThrough("authorization", "authorization", "Bearer ", is_required=False),
        ),
    ],
)
def test_a_credential_is_shown_as_the_vendor_wants_it(
    block: str, credential: Credential | None
) -> None:
    found = provider(block)
    assert found.credential == credential


@pytest.mark.parametrize(
    "auth",
    [
        "{type: api-key, key: hunter2}",
        "{type: aws, access_key: a, secret_key: hunter2, session_token: hunter2}",
        "{type: oauth, token_url: 'https://a', client_id: i, client_secret: hunter2}",
        "{type: entra, tenant: t, client_id: i, client_secret: hunter2}",
        '{type: gcp, credentials_json: \'{"type": "service_account", "key": "hunter2"}\'}',
    ],
)
def test_no_secret_is_in_a_providers_text(auth: str) -> None:
    block = f"{{type: bedrock, region: r, auth: {auth}}}"
    assert "hunter2" not in repr(provider(block))
