"""LLM providers: where they are, what they offer, and how they know whose request it is."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.offered import AZURE_V1
from gateway.config.provider_auth import AuthBlock, AwsAuthBlock
from gateway.config.referenced import TextFile
from gateway.config.scalars import Duration, Header, HostPort, Secret, Text
from gateway.config.shaping import LateFieldValues, set_once
from gateway.config.urls import Url
from gateway.config.vendors import VENDORS, Identity, Vendor
from gateway.names import CREDENTIAL_HEADERS, OWN_HEADER_PREFIX
from gateway.operations import Operation
from gateway.problem import did_you_mean

_NEVER_FORWARDED = frozenset(
    {
        *CREDENTIAL_HEADERS,
        "connection",
        "content-length",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_NEVER_FORWARDED_PREFIXES = (OWN_HEADER_PREFIX, "x-envoy-", "x-amz-")
_OPTIONS = ("project", "region", "resource", "api_version")
_PATH = re.compile(
    r"/(?:[\w\-.~:/@!$'()*+,;=%]|\{model\})*(?:\?[\w\-.~:/@!$'()*+,;=%&]*)?", re.ASCII
)
_DATED = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?")
_ANSWERED_HERE = (Operation.MODELS, Operation.MODEL)


def _vendor(value: str) -> str:
    if value not in VENDORS:
        raise refusal(f"no provider type '{value}'", did_you_mean(value, VENDORS), is_shown=False)
    return value


def _forwarded(value: str) -> str:
    if value in _NEVER_FORWARDED or value.startswith(_NEVER_FORWARDED_PREFIXES):
        raise refusal("belongs to the gateway and is never forwarded")
    return value


def _sent(value: str) -> str:
    if value in _NEVER_FORWARDED or value.startswith(_NEVER_FORWARDED_PREFIXES):
        raise refusal("is not sent by this: credentials stand under auth", is_shown=False)
    return value


def _operation(value: str) -> Operation:
    known = [each.value for each in Operation if each not in _ANSWERED_HERE]
    if value not in known:
        raise refusal(f"no operation '{value}'", did_you_mean(value, known), is_shown=False)
    return Operation(value)


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise refusal("must be a path that begins with '/', with {model} for the model")
    return value


def _api_version(value: str) -> str:
    if value not in AZURE_V1 and not _DATED.fullmatch(value):
        raise refusal("must be v1, preview, or a date such as 2024-10-21")
    return value


VendorName: TypeAlias = Annotated[
    str, AfterValidator(_vendor), WithJsonSchema({"type": "string", "enum": sorted(VENDORS)})
]
ForwardedHeader: TypeAlias = Annotated[Header, AfterValidator(_forwarded)]
SentHeader: TypeAlias = Annotated[Header, AfterValidator(_sent)]
OperationName: TypeAlias = Annotated[str, AfterValidator(_operation)]
OperationPath: TypeAlias = Annotated[
    str, AfterValidator(_path), WithJsonSchema({"type": "string", "format": "path"})
]
ApiVersion: TypeAlias = Annotated[
    str, AfterValidator(_api_version), WithJsonSchema({"type": "string"})
]
_BETA = r"^[A-Za-z0-9._-]{1,128}\*?$|^\*$"
BetaName: TypeAlias = Annotated[str, Field(pattern=_BETA)]
_LABEL = r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$"
_PROJECT = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
_OR_VARIABLE = r"|\$\{"

Label: TypeAlias = Annotated[
    str,
    Field(pattern=_LABEL),
    WithJsonSchema({"type": "string", "pattern": _LABEL + _OR_VARIABLE}),
]
Project: TypeAlias = Annotated[
    str,
    Field(pattern=_PROJECT),
    WithJsonSchema({"type": "string", "pattern": _PROJECT + _OR_VARIABLE}),
]


class ProviderTimeouts(Block):
    """How long to wait for a provider."""

    connect: Duration = 5.0
    """For a connection."""
    first_byte: Duration | None = None
    """For the beginning of a streamed answer; then the next target is tried. Of the targets of a
    request, the longest counts. Default: as long as `silence`."""
    silence: Duration = 300.0
    """For the next byte; an answer that is not streamed is silent until it is whole. An attempt
    that stays silent for so long is given up, and the next target of a failover is tried. Envoy has
    one value for a route: the longest of all providers that some model names counts."""


class ProviderBlock(Block):
    """A place that serves models."""

    type: VendorName
    """The vendor: it decides what is offered and where, and how a key is shown."""
    url: Url | None = None
    """Where its API is, with what stands before the paths of its operations. Default: the
    vendor's."""
    pool: tuple[HostPort, ...] = ()
    """Instead of a URL: equal servers, each `host:port`, spoken to in plain HTTP under `/v1`."""
    region: Label | None = None
    """The region, of the types `bedrock…` and `vertex…`. Of Vertex also `global`, `us` and `eu`."""
    project: Project | None = None
    """The project, of the types `vertex…` and `azure-foundry`."""
    resource: Label | None = None
    """The name of the resource, of the types `azure-…`."""
    api_version: ApiVersion | None = None
    """Of the types `azure-openai` and `azure-foundry`: `v1` (the default), `preview`, or a date, by
    which models are names of deployments."""
    key: Secret | None = None
    """The provider's key, best as `${VARIABLE}`. It is given to Envoy alone."""
    auth: AuthBlock | None = None
    """Instead of a key: another kind of credential. Default of `bedrock…`: `aws`, of `vertex…`:
    `gcp`, of all others: none."""
    headers: dict[SentHeader, Text] = Field(default={})
    """Sent with every request, where the client has sent none of that name. Not for secrets."""
    betas: tuple[BetaName, ...] | None = None
    """Of the betas that clients of Anthropic's ask for, those that it is asked for; a `*` at the
    end of a name stands for any end. Default: of the types `bedrock`, `bedrock-claude` and
    `vertex-claude` those that AWS and Google take, of all others `["*"]`."""
    offers: dict[OperationName, OperationPath] = Field(default={})
    """What it offers and at which paths, instead of what the vendor does. `{model}` is the model;
    conversations stand in the order in which they are preferred for translation."""
    defaults: LateFieldValues = Field(default={})
    """Fields of bodies in the provider's own dialect, where they have none; `a.b` is the field `b`
    of the object `a`."""
    overrides: LateFieldValues = Field(default={})
    """Fields of bodies in the provider's own dialect, whatever they have there; `null` removes."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the provider's certificate is checked against, instead of
    the system's. Needs an https url."""
    timeouts: ProviderTimeouts = ProviderTimeouts()
    """How long to wait."""
    forward_headers: tuple[ForwardedHeader, ...] = ()
    """Headers of the client or of Envoy that the provider may see, such as `x-request-id`. All
    others that could identify the client are removed."""

    @model_validator(mode="after")
    def _has_one_address(self) -> ProviderBlock:
        known = VENDORS[self.type].url
        if self.url is not None and self.pool:
            raise refusal("has both url and pool", "keep one of them")
        if self.url is None and not self.pool and known is None:
            raise refusal(f"needs a url or a pool: '{self.type}' has no address of its own")
        if self.ca is not None and not (self.url or known or "").startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    @model_validator(mode="after")
    def _sets_each_field_once(self) -> ProviderBlock:
        set_once(self.defaults, self.overrides)
        return self

    @model_validator(mode="after")
    def _has_its_options(self) -> ProviderBlock:
        vendor = VENDORS[self.type]
        for name in _needed(self, vendor):
            if not getattr(self, name):
                raise refusal(f"needs '{name}': it is of the type '{self.type}'", is_shown=False)
        for name in _OPTIONS:
            if getattr(self, name) is not None and name not in (*vendor.needs, *vendor.takes):
                raise refusal(f"has '{name}', which '{self.type}' does not take", is_shown=False)
        return self

    @model_validator(mode="after")
    def _has_one_credential(self) -> ProviderBlock:
        if self.key is not None and self.auth is not None:
            raise refusal("has both key and auth", "keep one of them", is_shown=False)
        if _is_signed(self) and self.region is None:
            raise refusal("needs 'region': requests are signed for one", is_shown=False)
        return self


def _needed(block: ProviderBlock, vendor: Vendor) -> tuple[str, ...]:
    """The options that have to be there. A URL has in it what would stand in the vendor's."""
    if block.url is None and not block.pool:
        return vendor.needs
    return tuple(name for name in vendor.needs if f"{{{name}}}" not in (vendor.url or ""))


def _is_signed(block: ProviderBlock) -> bool:
    if block.auth is not None:
        return isinstance(block.auth, AwsAuthBlock) and block.auth.region is None
    return block.key is None and VENDORS[block.type].identity is Identity.AWS
