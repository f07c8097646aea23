"""What guards that ask a service mean: whom Envoy connects to, and what extproc asks there."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never, get_args
from urllib.parse import quote

from pydantic import TypeAdapter

from gateway import names
from gateway.config.provider_auth import NoAuthBlock
from gateway.config.provider_meaning import written_credential
from gateway.config.remote_guards import (
    AzureContentSafetyBlock,
    BedrockGuardrailsBlock,
    ModelArmorBlock,
    OpenaiModerationBlock,
    RemoteBlock,
    RemoteGuardBlock,
    WebhookGuardBlock,
)
from gateway.config.scalars import Duration
from gateway.config.urls import place
from gateway.config.vendors import KeyForm
from gateway.credentials import AwsCredential, Credential, GcpCredential, StaticKey
from gateway.guards import (
    AzureContentSafety,
    BedrockGuardrail,
    ModelArmor,
    OpenaiModeration,
    RemoteService,
    Webhook,
)
from gateway.model import Service

_CONNECT_SECONDS = 2.0
_BEARER = KeyForm("authorization", "Bearer ")
_REMOTE_TYPES = frozenset(
    name
    for block in get_args(RemoteBlock)
    for name in get_args(block.model_fields["type"].annotation)
)
_OCP = KeyForm("ocp-apim-subscription-key", "")


def guard_service(name: str, block: RemoteBlock) -> Service:
    """Whom Envoy connects to."""
    upstream = place(service_url(block)).upstream(_CONNECT_SECONDS)
    if block.ca is not None:
        upstream = replace(upstream, ca=block.ca.text)
    return Service(names.guard_service(name), upstream, _credential(block))


def waits_seconds(document: object) -> float:
    """How long the guards of a published configuration may take, one after the other."""
    guards = document.get("guardrails", ()) if isinstance(document, dict) else ()
    usual = RemoteGuardBlock.model_fields["timeout"].default
    return sum(
        TypeAdapter(Duration).validate_python(each.get("timeout", usual))
        for each in guards
        if each.get("type") in _REMOTE_TYPES
    )


def service_url(block: RemoteBlock) -> str:
    """Where the service is, with what stands before its paths."""
    match block:
        case BedrockGuardrailsBlock():
            return block.url or f"https://bedrock-runtime.{block.region}.amazonaws.com"
        case ModelArmorBlock():
            return block.url or f"https://modelarmor.{block.location}.rep.googleapis.com"
        case _:
            return block.url


def asked(block: RemoteBlock) -> RemoteService:
    """What is asked there."""
    base = place(service_url(block)).path
    match block:
        case WebhookGuardBlock():
            secret = "" if block.secret is None else block.secret.get_secret_value()
            headers = tuple(block.headers.items())
            return Webhook(base or "/", secret.removeprefix("whsec_"), headers)
        case OpenaiModerationBlock():
            return OpenaiModeration(
                f"{base}/moderations",
                block.model,
                None if block.categories is None else frozenset(block.categories),
                None if block.threshold is None else float(block.threshold),
                {name: float(value) for name, value in block.thresholds.items()},
            )
        case BedrockGuardrailsBlock():
            guardrail = quote(block.guardrail_id, safe="")
            version = block.guardrail_version
            return BedrockGuardrail(f"{base}/guardrail/{guardrail}/version/{version}/apply")
        case ModelArmorBlock():
            template = f"projects/{block.project}/locations/{block.location}"
            return ModelArmor(f"{base}/v1/{template}/templates/{block.template}")
        case AzureContentSafetyBlock():
            severities: dict[str, int] = {
                each: block.severities.get(each, block.severity) for each in block.categories
            }
            return AzureContentSafety(
                base, block.api_version, severities, block.blocklists, block.prompt_shields
            )
        case _:
            assert_never(block)


def _credential(block: RemoteBlock) -> Credential | None:
    form = _OCP if isinstance(block, AzureContentSafetyBlock) else _BEARER
    if isinstance(block, OpenaiModerationBlock | AzureContentSafetyBlock) and block.key is not None:
        return StaticKey(form.header, form.prefix, block.key.get_secret_value())
    if isinstance(block.auth, NoAuthBlock):
        return None
    region = block.region if isinstance(block, BedrockGuardrailsBlock) else ""
    if block.auth is not None:
        return written_credential(block.auth, form, region)
    if isinstance(block, BedrockGuardrailsBlock):
        return AwsCredential(region, "bedrock")
    return GcpCredential() if isinstance(block, ModelArmorBlock) else None
