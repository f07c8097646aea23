"""Guards that ask a service, and all guards together."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.block import refusal
from gateway.config.local_guards import LocalBlock
from gateway.config.policies import (
    GuardTermsBlock,
    InjectionGuardBlock,
    PiiGuardBlock,
    RegexGuardBlock,
    SecretsGuardBlock,
)
from gateway.config.provider_auth import (
    AwsAuthBlock,
    EntraAuthBlock,
    GcpAuthBlock,
    KeyAuthBlock,
    NoAuthBlock,
    OAuthAuthBlock,
)
from gateway.config.providers import SentHeader
from gateway.config.referenced import TextFile
from gateway.config.scalars import Duration, Flag, Fraction, Secret, Text
from gateway.config.urls import Url
from gateway.guards import REMOTE_WINDOW

_SIGNING_PREFIX = "whsec_"
_LONGEST_SECONDS = 60.0
_WORST = 7
_SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$"
_GUARDRAIL = re.compile(
    r"[A-Za-z0-9-]+|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+"
)


def _signing(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_SIGNING_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SIGNING_PREFIX) or not 24 <= len(key) <= 64:
        raise refusal("must be 'whsec_' and base64 of 24 to 64 bytes", is_shown=False)
    return value


def _timeout(value: float) -> float:
    if not 0 < value <= _LONGEST_SECONDS:
        raise refusal(f"must be more than 0 and at most {_LONGEST_SECONDS:.0f}s")
    return value


def _severity(value: int) -> int:
    if not 0 <= value <= _WORST:
        raise refusal(f"must be from 0 to {_WORST}")
    return value


def _guardrail(value: str) -> str:
    if not _GUARDRAIL.fullmatch(value):
        raise refusal("must be the id or the arn of a guardrail", is_shown=False)
    return value


SigningSecret: TypeAlias = Annotated[
    Secret, AfterValidator(_signing), WithJsonSchema({"type": "string", "format": "secret"})
]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]
Segment: TypeAlias = Annotated[str, Field(pattern=_SEGMENT)]
Region: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
GuardrailId: TypeAlias = Annotated[
    str, AfterValidator(_guardrail), WithJsonSchema({"type": "string"})
]
GuardrailVersion: TypeAlias = Annotated[str, Field(pattern=r"^(DRAFT|[1-9][0-9]{0,7})$")]
OnError: TypeAlias = Literal["block", "allow"]
ServiceAuthBlock: TypeAlias = Annotated[
    KeyAuthBlock | AwsAuthBlock | GcpAuthBlock | OAuthAuthBlock | EntraAuthBlock | NoAuthBlock,
    Field(discriminator="type"),
]


class RemoteGuardBlock(GuardTermsBlock):
    """What guards that ask a service have in common. Envoy makes the connection, with TLS and the
    credential; keys are given to Envoy alone."""

    timeout: Timeout = 3.0
    """How long an answer may take, at most `60s`."""
    on_error: OnError = "block"
    """What becomes of a text that could not be checked, since the service cannot be reached, is too
    late, or answers what cannot be read: `block` refuses with 503, `allow` lets it pass."""
    parallel: Flag = False
    """Of requests: the provider is asked meanwhile, and nothing of its answer is sent before the
    guard has let the request pass. Such a guard refuses what it would mask."""
    window: Annotated[int, Field(ge=1, le=16384)] = REMOTE_WINDOW
    """How many characters of a stream are gathered, up to the end of a sentence, before the guard
    is asked about them; they are held back until it has let them pass."""
    message: Text | None = None
    """What the client is told when blocked. Default: the service's own reason, if it gives one."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the service's certificate is checked against, instead of
    the system's. Needs an https url."""


class WebhookGuardBlock(RemoteGuardBlock):
    """A service of your own, which is asked in JSON by POST, and says `pass`, `block` or `replace`;
    see docs/guardrails.md."""

    type: Literal["webhook"]
    """A service of your own."""
    url: Url
    """Where it is asked."""
    secret: SigningSecret | None = None
    """What requests are signed with, as Standard Webhooks has it: `whsec_` and base64 of 24 to 64
    bytes, best as `${VARIABLE}`. Workers are told it, since they sign."""
    headers: dict[SentHeader, Text] = Field(default={})
    """Sent with every request. Not for secrets."""
    auth: ServiceAuthBlock | None = None
    """How the service knows who asks, beside the signature. Default: not at all."""

    @model_validator(mode="after")
    def _has_tls_for_ca(self) -> WebhookGuardBlock:
        if self.ca is not None and not self.url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self


ModerationCategory: TypeAlias = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
]


class OpenaiModerationBlock(RemoteGuardBlock):
    """OpenAI's moderation endpoint, or another with the same API."""

    type: Literal["openai-moderation"]
    """OpenAI's moderation."""
    model: Text = "omni-moderation-latest"
    """The moderation model."""
    categories: Annotated[tuple[ModerationCategory, ...], Field(min_length=1)] | None = None
    """Which categories block. Default: all."""
    threshold: Fraction | None = None
    """The score from which a category blocks, 0 to 1. Default: OpenAI's own verdict."""
    thresholds: Mapping[ModerationCategory, Fraction] = {}
    """The same for one category."""
    key: Secret | None = None
    """The key to ask with, best as `${VARIABLE}`."""
    auth: ServiceAuthBlock | None = None
    """Instead of a key: another kind of credential."""
    url: Url = "https://api.openai.com/v1"
    """Another server with the same API: what stands before `/moderations`."""

    @model_validator(mode="after")
    def _has_one_credential(self) -> OpenaiModerationBlock:
        if self.key is not None and self.auth is not None:
            raise refusal("has both key and auth", "keep one of them", is_shown=False)
        return self


class BedrockGuardrailsBlock(RemoteGuardBlock):
    """A guardrail of Amazon Bedrock, asked by ApplyGuardrail; what it anonymizes is masked."""

    type: Literal["bedrock-guardrails"]
    """Amazon Bedrock."""
    guardrail_id: GuardrailId
    """The guardrail's id, or its ARN."""
    guardrail_version: GuardrailVersion = "DRAFT"
    """Its version."""
    region: Region = "us-east-1"
    """The AWS region it is in."""
    auth: ServiceAuthBlock | None = None
    """How AWS knows who asks. Default: `aws`, with what Envoy finds around itself."""
    url: Url | None = None
    """Another address than the region's."""


class ModelArmorBlock(RemoteGuardBlock):
    """A template of Google's Model Armor; what it de-identifies is masked."""

    type: Literal["model-armor"]
    """Google's Model Armor."""
    project: Segment
    """The project."""
    location: Region
    """Where the template is: `us-central1`."""
    template: Segment
    """The template's id."""
    auth: ServiceAuthBlock | None = None
    """How Google knows who asks. Default: `gcp`."""
    url: Url | None = None
    """Another address than the location's."""


SafetyCategory: TypeAlias = Literal["Hate", "SelfHarm", "Sexual", "Violence"]
Severity: TypeAlias = Annotated[
    int,
    AfterValidator(_severity),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _WORST}),
]


class AzureContentSafetyBlock(RemoteGuardBlock):
    """Azure AI Content Safety: harmful text by severity, and attacks by Prompt Shields."""

    type: Literal["azure-content-safety"]
    """Azure AI Content Safety."""
    url: Url
    """The endpoint of the resource: `https://NAME.cognitiveservices.azure.com`."""
    severity: Severity = 4
    """From which severity a category blocks, 0 to 7; the service says 0, 2, 4 and 6."""
    categories: Annotated[tuple[SafetyCategory, ...], Field(min_length=1)] = (
        "Hate",
        "SelfHarm",
        "Sexual",
        "Violence",
    )
    """Which categories block."""
    severities: Mapping[SafetyCategory, Severity] = {}
    """The same for one category."""
    blocklists: tuple[Segment, ...] = ()
    """Names of blocklists of the resource; a hit in one blocks."""
    prompt_shields: Flag = False
    """Whether requests are looked at for attacks, too: in what users say, and in what tools give
    back."""
    api_version: Annotated[str, Field(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?$")] = (
        "2024-09-01"
    )
    """The version of the API."""
    key: Secret | None = None
    """The key of the resource, best as `${VARIABLE}`."""
    auth: ServiceAuthBlock | None = None
    """Instead of a key: `entra`."""

    @model_validator(mode="after")
    def _has_one_credential(self) -> AzureContentSafetyBlock:
        if self.key is not None and self.auth is not None:
            raise refusal("has both key and auth", "keep one of them", is_shown=False)
        return self


RemoteBlock: TypeAlias = (
    WebhookGuardBlock
    | OpenaiModerationBlock
    | BedrockGuardrailsBlock
    | ModelArmorBlock
    | AzureContentSafetyBlock
)
GuardBlock: TypeAlias = Annotated[
    RegexGuardBlock
    | PiiGuardBlock
    | SecretsGuardBlock
    | InjectionGuardBlock
    | LocalBlock
    | RemoteBlock,
    Field(discriminator="type"),
]
