"""Providers of theirs in clouds: types, options and credentials of ours."""

from __future__ import annotations

import pytest

from gateway.config.providers import ProviderBlock
from tests.gateway.importers.agentgateway.imports import config


def models(provider: str, rest: str = "") -> str:
    return f"llm: {{models: [{{name: m, provider: {provider}{rest}}}]}}"


@pytest.mark.parametrize(
    ("provider", "params", "block"),
    [
        (
            "azure",
            "apiKey: k, azureResourceName: r, azureResourceType: foundry, azureProjectName: p",
            {"type": "azure-foundry", "resource": "r", "project": "p", "key": "k"},
        ),
        (
            "azure",
            "azureResourceName: r, azureResourceType: openAI, azureApiVersion: '2024-10-21'",
            {"type": "azure-openai", "resource": "r", "api_version": "2024-10-21"},
        ),
        (
            "azure",
            "azureResourceName: r, azureResourceType: foundry, model: claude-opus-5",
            {"type": "azure-foundry-claude", "resource": "r"},
        ),
        (
            "vertex",
            "vertexProject: p, vertexRegion: us-east5, model: claude-opus-5",
            {"type": "vertex-claude", "region": "us-east5", "project": "p"},
        ),
        ("vertex", "vertexProject: p", {"type": "vertex", "region": "global", "project": "p"}),
        ("bedrock", "awsRegion: us-east-1", {"type": "bedrock", "region": "us-east-1"}),
    ],
)
def test_clouds_have_options(provider: str, params: str, block: dict[str, str]) -> None:
    found = config(models(provider, f", params: {{{params}}}")).llm
    (made,) = found.providers.values()
    expected = ProviderBlock.model_validate(block)
    assert made == expected


@pytest.mark.parametrize(
    "params",
    [
        "azureResourceName: r",
        "azureResourceName: r, azureResourceType: foundry, azureApiVersion: x",
        "azureResourceName: 'a b', azureResourceType: foundry",
    ],
)
def test_what_is_no_resource_of_azure_serves_nothing(params: str) -> None:
    assert config(models("azure", f", params: {{{params}}}")).llm.models == {}


@pytest.mark.parametrize(
    ("auth", "block"),
    [
        (
            "{aws: {accessKeyId: a, secretAccessKey: b, region: r, serviceName: s,"
            " assumeRole: {roleArn: 'arn:aws:iam::123456789012:role/x'}}}",
            {
                "type": "aws",
                "access_key": "a",
                "secret_key": "b",
                "region": "r",
                "service": "s",
                "role": "arn:aws:iam::123456789012:role/x",
            },
        ),
        ("{gcp: {}}", {"type": "gcp"}),
        (
            "{azure: {explicitConfig: {clientSecret: {tenant_id: t, client_id: i,"
            " client_secret: s}}}}",
            {"type": "entra", "tenant": "t", "client_id": "i", "client_secret": "s"},
        ),
        ("{azure: {implicit: {}}}", {"type": "entra"}),
    ],
)
def test_credentials_of_clouds_are_taken_over(auth: str, block: dict[str, str]) -> None:
    found = config(models("openAI", f", auth: {auth}")).llm
    (made,) = found.providers.values()
    assert made.auth == ProviderBlock.model_validate({"type": "openai", "auth": block}).auth
