"""Credentials of LLM providers, where a `key` does not say enough."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Header, Secret, Text
from gateway.config.urls import Url
from gateway.credentials import ENTRA_AUTHORITY, ENTRA_SCOPE, GOOGLE_SCOPE, ClientAuth

_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+")
_GOOGLE_TYPES = ("service_account", "authorized_user", "external_account")


def _role(value: str) -> str:
    if not _ROLE.fullmatch(value):
        raise refusal("must be the arn of a role", "such as arn:aws:iam::123456789012:role/name")
    return value


def _prefix(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise refusal("must be printable ascii")
    return value


def google_type(text: str) -> str:
    """What kind of credentials of Google's a JSON text is; empty: none that we can use."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    kind = found.get("type") if isinstance(found, dict) else None
    return kind if kind in _GOOGLE_TYPES else ""


def _google(value: SecretStr) -> SecretStr:
    if not google_type(value.get_secret_value()):
        raise refusal(
            f"must be the JSON of one of Google's credentials: {', '.join(_GOOGLE_TYPES)}",
            is_shown=False,
        )
    return value


Role: TypeAlias = Annotated[
    str, AfterValidator(_role), WithJsonSchema({"type": "string", "format": "arn"})
]
Prefix: TypeAlias = Annotated[str, AfterValidator(_prefix), WithJsonSchema({"type": "string"})]
GoogleJson: TypeAlias = Annotated[
    SecretStr,
    AfterValidator(_google),
    WithJsonSchema({"type": "string", "format": "secret"}),
]


class KeyAuthBlock(Block):
    """A key, from a file or sent in another header than the vendor's."""

    type: Literal["api-key"]
    """One key for all requests."""
    key: Secret | None = None
    """The key, best as `${VARIABLE}`. One of key and file."""
    file: TextFile | None = None
    """The path of a file with the key. It is watched: a new key is taken without a restart."""
    header: Header | None = None
    """Where it is sent. Default: where the vendor looks for it."""
    prefix: Prefix | None = None
    """What stands before it: `Bearer `, with its space. Default: as the vendor asks for it; nothing
    in a header of your choice, but for `authorization`."""

    @model_validator(mode="after")
    def _has_one_key(self) -> KeyAuthBlock:
        if (self.key is None) == (self.file is None):
            raise refusal("needs exactly one of key and file", is_shown=False)
        text = self.secret
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise refusal("has a file that is no key: printable ascii without spaces")
        return self

    @property
    def secret(self) -> str:
        """The key itself."""
        if self.key is not None:
            return self.key.get_secret_value()
        return self.file.text.strip() if self.file is not None else ""


class AwsAuthBlock(Block):
    """Every request is signed with AWS's Signature Version 4, by Envoy."""

    type: Literal["aws"]
    """AWS."""
    access_key: Secret | None = None
    """The id of an access key. Default: what Envoy finds around itself, in this order: variables
    (`AWS_ACCESS_KEY_ID` …), `~/.aws`, a web identity, the container's and the machine's role."""
    secret_key: Secret | None = None
    """Its secret."""
    session_token: Secret | None = None
    """Of temporary access keys."""
    role: Role | None = None
    """A role to assume with these credentials first."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    """What signatures are for. Default: the provider's region."""
    service: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "bedrock"
    """What signatures are for."""

    @model_validator(mode="after")
    def _has_whole_keys(self) -> AwsAuthBlock:
        if (self.access_key is None) != (self.secret_key is None):
            raise refusal("needs both of access_key and secret_key, or none", is_shown=False)
        if self.session_token is not None and self.access_key is None:
            raise refusal("has a session_token without an access_key", is_shown=False)
        return self


class GcpAuthBlock(Block):
    """Access tokens of Google Cloud. The control plane asks for them, and renews them in time."""

    type: Literal["gcp"]
    """Google Cloud."""
    credentials: TextFile | None = None
    """The path of a JSON file: the key of a service account, workload identity federation, or a
    user's own. Default: the metadata server of the machine."""
    credentials_json: GoogleJson | None = None
    """The JSON itself, best as `${VARIABLE}`."""
    scopes: Annotated[tuple[Text, ...], Field(min_length=1)] = (GOOGLE_SCOPE,)
    """What the tokens are for."""

    @model_validator(mode="after")
    def _has_one_source(self) -> GcpAuthBlock:
        if self.credentials is not None and self.credentials_json is not None:
            raise refusal("has both credentials and credentials_json", "keep one of them")
        if self.credentials is not None and not google_type(self.credentials.text):
            kinds = ", ".join(_GOOGLE_TYPES)
            raise refusal(f"has a file that is none of Google's credentials: {kinds}")
        return self

    @property
    def source(self) -> str | None:
        """The JSON text."""
        if self.credentials_json is not None:
            return self.credentials_json.get_secret_value()
        return self.credentials.text if self.credentials is not None else None


class OAuthAuthBlock(Block):
    """Access tokens by OAuth's client credentials grant, which Envoy asks for and renews."""

    type: Literal["oauth"]
    """OAuth 2.0 client credentials."""
    token_url: Url
    """The token endpoint."""
    client_id: Text
    """The client's id."""
    client_secret: Secret
    """The client's secret, best as `${VARIABLE}`."""
    scopes: tuple[Text, ...] = ()
    """What the tokens are for."""
    client_auth: ClientAuth = ClientAuth.BODY
    """Where the endpoint looks for id and secret: in the `body`, or in the `basic` header."""


class EntraAuthBlock(Block):
    """Access tokens of Microsoft Entra. With a client_secret Envoy asks for them itself; else the
    control plane does, with what identifies it: a federated token (`AZURE_FEDERATED_TOKEN_FILE`) or
    the managed identity of its machine."""

    type: Literal["entra"]
    """Microsoft Entra."""
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = None
    """The tenant's id or domain."""
    client_id: Text | None = None
    """The application's id; of a managed identity: which of several."""
    client_secret: Secret | None = None
    """The application's secret, best as `${VARIABLE}`."""
    scope: Text = ENTRA_SCOPE
    """What the tokens are for."""
    authority: Url = ENTRA_AUTHORITY
    """Where Entra is; other clouds have their own."""

    @model_validator(mode="after")
    def _is_whole(self) -> EntraAuthBlock:
        if self.client_secret is not None and (self.tenant is None or self.client_id is None):
            raise refusal("needs tenant and client_id beside the client_secret", is_shown=False)
        if self.client_secret is None and self.tenant is not None:
            raise refusal("has a tenant without a client_secret", "leave it out", is_shown=False)
        return self


class PassThroughAuthBlock(Block):
    """Clients bring their own keys for the provider."""

    type: Literal["pass-through"]
    """The client's own key."""
    header: Header | None = None
    """Where clients put it. Default: where the vendor looks for it. Where the gateway has keys of
    its own, it has to be another than those headers: `x-provider-key`."""
    required: Flag = True
    """Whether requests without it are refused, with a 401 that names the header. `false`: they go
    on without a key, for a provider that also serves those."""


class NoAuthBlock(Block):
    """Nothing is sent, also where the vendor's default would be the machine's own identity."""

    type: Literal["none"]
    """No credential."""


AuthBlock: TypeAlias = Annotated[
    KeyAuthBlock
    | AwsAuthBlock
    | GcpAuthBlock
    | OAuthAuthBlock
    | EntraAuthBlock
    | PassThroughAuthBlock
    | NoAuthBlock,
    Field(discriminator="type"),
]
