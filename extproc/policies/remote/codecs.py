"""Which codec asks which kind of service."""

from __future__ import annotations

from typing import assert_never

from extproc.policies.remote.azure import AzureCodec
from extproc.policies.remote.bedrock import BedrockCodec
from extproc.policies.remote.model_armor import ModelArmorCodec
from extproc.policies.remote.openai_moderation import OpenaiModerationCodec
from extproc.policies.remote.webhook import WebhookCodec
from extproc.policies.remote.words import Codec
from gateway.guards import (
    AzureContentSafety,
    BedrockGuardrail,
    ModelArmor,
    OpenaiModeration,
    RemoteService,
    Webhook,
)


def codec(of: RemoteService) -> Codec:
    """For a service."""
    match of:
        case Webhook():
            return WebhookCodec(of)
        case OpenaiModeration():
            return OpenaiModerationCodec(of)
        case BedrockGuardrail():
            return BedrockCodec(of)
        case ModelArmor():
            return ModelArmorCodec(of)
        case AzureContentSafety():
            return AzureCodec(of)
        case _:
            assert_never(of)
