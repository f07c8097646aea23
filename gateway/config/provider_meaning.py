"""What the block of a provider means: its address, what it offers there, and its credential."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from gateway.config.offered import azure
from gateway.config.provider_auth import (
    AuthBlock,
    AwsAuthBlock,
    EntraAuthBlock,
    GcpAuthBlock,
    KeyAuthBlock,
    NoAuthBlock,
    OAuthAuthBlock,
    PassThroughAuthBlock,
)
from gateway.config.providers import ProviderBlock
from gateway.config.scalars import host_and_port
from gateway.config.shaping import fields
from gateway.config.urls import place
from gateway.config.vendors import POOL_PATH, VENDORS, Identity, KeyForm
from gateway.credentials import (
    AwsCredential,
    Credential,
    EntraClient,
    GcpCredential,
    ManagedIdentity,
    OAuthClient,
    PassThrough,
    StaticKey,
)
from gateway.model import Endpoint, Provider, Upstream
from gateway.operations import Operation

_BEARER = KeyForm("authorization", "Bearer ")
_SUBSCRIPTION_TOKEN = "sk-ant-oat"
"""How tokens of Anthropic's subscriptions begin, which are shown as OAuth's are."""


def provider(name: str, block: ProviderBlock) -> Provider:
    """What was written, with all that the vendor adds to it."""
    vendor = VENDORS[block.type]
    return Provider(
        name=name,
        vendor=block.type,
        upstream=_upstream(block),
        base_path=base_path(block),
        offers=offers(block),
        silence_seconds=block.timeouts.silence,
        forward_headers=frozenset(block.forward_headers),
        headers=tuple({**dict(vendor.headers), **block.headers}.items()),
        body_form=vendor.body_form,
        credential=credential(block),
        first_byte_seconds=block.timeouts.first_byte,
        fields=fields(block.defaults, block.overrides),
        betas=vendor.betas if block.betas is None else block.betas,
    )


def offers(block: ProviderBlock) -> tuple[tuple[Operation, str], ...]:
    """What is offered, and at which paths after the address."""
    if block.offers:
        return tuple((Operation(name), path) for name, path in block.offers.items())
    if block.api_version is not None:
        return azure(block.api_version)
    return VENDORS[block.type].offers


def vendor_url(block: ProviderBlock) -> str:
    """The vendor's address with the options of this provider; empty where it has none."""
    return (VENDORS[block.type].url or "").format(
        region=block.region,
        project=block.project,
        resource=block.resource,
        vertex_host=_vertex_host(block.region or ""),
        azure_project=f"/api/projects/{block.project}" if block.project else "",
    )


def _vertex_host(region: str) -> str:
    match region:
        case "global":
            return "aiplatform.googleapis.com"
        case "us" | "eu":
            return f"aiplatform.{region}.rep.googleapis.com"
    return f"{region}-aiplatform.googleapis.com"


def base_path(block: ProviderBlock) -> str:
    """What stands before the paths of its operations, on whichever machine it is."""
    return POOL_PATH if block.pool else place(block.url or vendor_url(block)).path


def _upstream(block: ProviderBlock) -> Upstream:
    connect = block.timeouts.connect
    if block.pool:
        endpoints = tuple(endpoint(each) for each in block.pool)
        return Upstream(endpoints, block.pool[0], False, connect)
    there = place(block.url or vendor_url(block))
    return replace(there.upstream(connect), ca=block.ca.text if block.ca is not None else None)


def endpoint(text: str) -> Endpoint:
    """Of a host and a port."""
    found = host_and_port(text)
    if found is None:
        raise ValueError(f"not checked: '{text}' is no host and port")
    return found


def credential(block: ProviderBlock) -> Credential | None:
    """How the provider knows whose request it is; None: it does not ask."""
    if block.key is not None:
        return static_key(block.type, block.key.get_secret_value())
    if block.auth is not None:
        form = key_form(block.type)
        if isinstance(block.auth, KeyAuthBlock):
            form = key_form(block.type, block.auth.secret)
        return written_credential(block.auth, form, block.region or "")
    match VENDORS[block.type].identity:
        case Identity.AWS:
            return AwsCredential(block.region or "", "bedrock")
        case Identity.GOOGLE:
            return GcpCredential()
        case Identity.NOBODY:
            return None


def key_form(type_: str, secret: str = "") -> KeyForm:
    """Where this vendor looks for a key, and behind which words."""
    form = VENDORS[type_].key
    is_token = form.header == "x-api-key" and secret.startswith(_SUBSCRIPTION_TOKEN)
    return _BEARER if is_token else form


def static_key(type_: str, secret: str) -> StaticKey:
    """A key as this vendor wants to be shown it."""
    form = key_form(type_, secret)
    return StaticKey(form.header, form.prefix, secret)


def written_credential(auth: AuthBlock, form: KeyForm, region: str) -> Credential | None:
    """What was written of a credential. `form`: where a key is looked for."""
    match auth:
        case KeyAuthBlock():
            return _key(auth, form)
        case AwsAuthBlock():
            return _aws(auth, region)
        case GcpAuthBlock():
            return GcpCredential(auth.source, auth.scopes)
        case OAuthAuthBlock():
            secret = auth.client_secret.get_secret_value()
            return OAuthClient(
                auth.token_url, auth.client_id, secret, auth.scopes, auth.client_auth
            )
        case EntraAuthBlock():
            return _entra(auth)
        case PassThroughAuthBlock():
            return PassThrough(auth.header or form.header, form.header, form.prefix, auth.required)
        case NoAuthBlock():
            return None
        case _:
            assert_never(auth)


def _key(auth: KeyAuthBlock, form: KeyForm) -> StaticKey:
    header = auth.header or form.header
    if auth.prefix is not None:
        return StaticKey(header, auth.prefix, auth.secret)
    if header == form.header:
        return StaticKey(header, form.prefix, auth.secret)
    return StaticKey(header, "Bearer " if header == "authorization" else "", auth.secret)


def _aws(auth: AwsAuthBlock, region: str) -> AwsCredential:
    access, secret, session = (
        None if each is None else each.get_secret_value()
        for each in (auth.access_key, auth.secret_key, auth.session_token)
    )
    return AwsCredential(auth.region or region, auth.service, access, secret, session, auth.role)


def _entra(auth: EntraAuthBlock) -> EntraClient | ManagedIdentity:
    if auth.client_secret is None or auth.tenant is None or auth.client_id is None:
        return ManagedIdentity(auth.client_id, auth.scope)
    secret = auth.client_secret.get_secret_value()
    return EntraClient(auth.tenant, auth.client_id, secret, auth.scope, auth.authority.rstrip("/"))
