from __future__ import annotations

from gateway.config.load import load
from gateway.config.remote_meaning import waits_seconds
from gateway.config.schema import Config
from gateway.credentials import AwsCredential, EntraClient, GcpCredential, StaticKey
from gateway.guards import (
    AzureContentSafety,
    BedrockGuardrail,
    ModelArmor,
    OpenaiModeration,
    Phase,
    RemoteGuard,
    Webhook,
)
from gateway.model import Gateway, Service
from gateway.resolve import resolve

SECRET = "whsec_dGhpcyBpcyBhIHNlY3JldCBvZiB0ZXN0cw=="


def meant(text: str) -> Gateway:
    config = load(text, file="test.yaml", environment={})
    assert isinstance(config, Config), config
    return resolve(config)


def one(text: str) -> tuple[RemoteGuard, Service]:
    gateway = meant(f"guardrails: [{{{text}}}]")
    (guard,), (service,) = gateway.guards, gateway.services
    assert isinstance(guard, RemoteGuard)
    assert service.name == f"guard/{guard.name}"
    return guard, service


def test_a_webhook_is_asked_at_its_path_with_its_headers() -> None:
    guard, service = one(
        f"type: webhook, name: own, url: 'https://g.example:8443/check/it/', secret: {SECRET},"
        " headers: {X-Team: red}, auth: {type: api-key, key: k, header: x-key}, on_error: allow,"
        " timeout: 500ms, parallel: true, window: 100"
    )
    assert guard.service == Webhook(
        "/check/it", SECRET.removeprefix("whsec_"), (("x-team", "red"),)
    )
    assert (guard.kind, guard.timeout_seconds) == ("webhook", 0.5)
    assert guard.is_open_on_error
    assert guard.is_parallel
    assert guard.terms.window == 100
    assert service.upstream.authority == "g.example:8443"
    assert service.upstream.is_tls
    assert service.credential == StaticKey("x-key", "", "k")
    assert SECRET.removeprefix("whsec_") not in repr(guard)


def test_by_default_guards_fail_closed_and_are_waited_for() -> None:
    guard, service = one("type: webhook, url: 'http://g:1'")
    assert guard.service == Webhook("/")
    assert not guard.is_open_on_error
    assert not guard.is_parallel
    assert guard.timeout_seconds == 3.0
    assert guard.terms.phase is Phase.REQUEST
    assert service.credential is None
    answers, _ = one("type: webhook, url: 'http://g:1', phase: response, parallel: true")
    assert not answers.is_parallel


def test_openai_moderation_has_thresholds_by_category() -> None:
    guard, service = one(
        "type: openai-moderation, key: k, categories: [hate, violence], threshold: 0.8,"
        " thresholds: {violence: 0.5}"
    )
    assert guard.service == OpenaiModeration(
        "/v1/moderations",
        "omni-moderation-latest",
        frozenset({"hate", "violence"}),
        0.8,
        {"violence": 0.5},
    )
    assert service.upstream.authority == "api.openai.com"
    assert service.credential == StaticKey("authorization", "Bearer ", "k")


def test_a_guardrail_of_bedrock_is_signed_for_its_region() -> None:
    guard, service = one(
        "type: bedrock-guardrails, guardrail_id: abc1, guardrail_version: '3', region: eu-west-1"
    )
    assert guard.service == BedrockGuardrail("/guardrail/abc1/version/3/apply")
    assert service.upstream.authority == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert service.credential == AwsCredential("eu-west-1", "bedrock")
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc1"
    guard, service = one(f"type: bedrock-guardrails, guardrail_id: '{arn}', auth: {{type: none}}")
    assert guard.service == BedrockGuardrail(
        "/guardrail/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aguardrail%2Fabc1"
        "/version/DRAFT/apply"
    )
    assert service.credential is None


def test_model_armor_is_asked_where_its_template_is() -> None:
    guard, service = one("type: model-armor, project: p1, location: us-central1, template: t1")
    assert guard.service == ModelArmor("/v1/projects/p1/locations/us-central1/templates/t1")
    assert service.upstream.authority == "modelarmor.us-central1.rep.googleapis.com"
    assert service.credential == GcpCredential()


def test_azure_has_severities_by_category() -> None:
    guard, service = one(
        "type: azure-content-safety, url: 'https://r.cognitiveservices.azure.com', key: k,"
        " categories: [Hate, Violence], severity: 2, severities: {Violence: 6}, blocklists: [own],"
        " prompt_shields: true"
    )
    assert guard.service == AzureContentSafety(
        "", "2024-09-01", {"Hate": 2, "Violence": 6}, ("own",), True
    )
    assert service.credential == StaticKey("ocp-apim-subscription-key", "", "k")
    _, service = one(
        "type: azure-content-safety, url: 'https://r.cognitiveservices.azure.com',"
        " auth: {type: entra, tenant: t, client_id: c, client_secret: s}"
    )
    assert isinstance(service.credential, EntraClient)


def test_guards_may_take_as_long_as_all_of_them_together() -> None:
    assert waits_seconds(None) == 0
    guards = [
        {"type": "webhook", "url": "http://g", "timeout": "500ms"},
        {"type": "openai-moderation"},
        {"type": "regex", "patterns": ["x"]},
    ]
    assert waits_seconds({"guardrails": guards}) == 3.5
