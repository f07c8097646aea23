"""How a provider knows whose request it is: the kinds of credentials, and what each consists of.

Secrets are in no `repr`. Which of them Envoy handles itself, and how: `xds_server.resources`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

ENTRA_AUTHORITY = "https://login.microsoftonline.com"
ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class StaticKey:
    """One secret for all requests."""

    header: str
    """Lower case: `authorization`, `x-api-key`."""
    prefix: str
    """What stands before the secret: `Bearer `."""
    secret: str = field(repr=False)
    """Never leaves the control plane, but by SDS."""


@dataclass(frozen=True, slots=True)
class AwsCredential:
    """Each request is signed (SigV4)."""

    region: str
    service: str
    """`bedrock`."""
    access_key: str | None = None
    """None: the credentials of Envoy's own environment (variables, files, container, instance)."""
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    role: str | None = None
    """ARN of the role to assume first."""


@dataclass(frozen=True, slots=True)
class GcpCredential:
    """Access tokens of Google Cloud, renewed before they expire."""

    source: str | None = field(default=None, repr=False)
    """JSON: the key of a service account, or a configuration of workload identity federation.
    None: the metadata server."""
    scopes: tuple[str, ...] = (GOOGLE_SCOPE,)


class ClientAuth(StrEnum):
    """Where an OAuth client puts its id and secret (RFC 6749 §2.3.1)."""

    BODY = "body"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Access tokens by the client credentials grant (RFC 6749 §4.4)."""

    token_url: str
    client_id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    auth: ClientAuth = ClientAuth.BODY


@dataclass(frozen=True, slots=True)
class EntraClient:
    """Access tokens of Microsoft Entra for Azure's AI services."""

    tenant: str
    client_id: str
    secret: str = field(repr=False)
    scope: str = ENTRA_SCOPE
    authority: str = ENTRA_AUTHORITY


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """Access tokens of Microsoft Entra for what the control plane runs on: a machine of Azure's, or
    a workload that a federated token identifies."""

    client_id: str | None = None
    """Of which of its identities; None: the only one."""
    scope: str = ENTRA_SCOPE


@dataclass(frozen=True, slots=True)
class PassThrough:
    """The client's own key for the provider."""

    header: str
    """Where the client puts it, lower case."""
    sent_as: str
    """Where the provider looks for it, lower case."""
    prefix: str
    """What stands before it there; where the client's header has it already, it is not added."""
    is_required: bool = True
    """Requests without it are refused. False: they go on without."""


Credential: TypeAlias = (
    StaticKey
    | AwsCredential
    | GcpCredential
    | OAuthClient
    | EntraClient
    | ManagedIdentity
    | PassThrough
)
"""How the provider knows whose request it is."""

MintedCredential: TypeAlias = GcpCredential | ManagedIdentity
"""Those whose tokens the control plane asks for, since Envoy cannot."""
