from __future__ import annotations

from extproc.policies.remote.azure import AzureCodec
from extproc.policies.remote.bedrock import BedrockCodec
from extproc.policies.remote.codecs import codec
from extproc.policies.remote.model_armor import ModelArmorCodec
from extproc.policies.remote.openai_moderation import OpenaiModerationCodec
from extproc.policies.remote.webhook import WebhookCodec
from gateway.guards import (
    AzureContentSafety,
    BedrockGuardrail,
    ModelArmor,
    OpenaiModeration,
    Webhook,
)


def test_every_kind_of_service_has_its_codec() -> None:
    kinds = {
        WebhookCodec: Webhook("/"),
        OpenaiModerationCodec: OpenaiModeration("/", "m", None, None),
        BedrockCodec: BedrockGuardrail("/"),
        ModelArmorCodec: ModelArmor("/"),
        AzureCodec: AzureContentSafety("", "v", {}),
    }
    for kind, of in kinds.items():
        assert type(codec(of)) is kind
