"""Secrets, sent by SDS: keys of providers, certificates and keys of gateways.

What comes by SDS can be renewed without a listener noticing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from urllib.parse import quote

from gateway import names
from gateway.credentials import (
    EntraClient,
    GcpCredential,
    ManagedIdentity,
    MintedCredential,
    OAuthClient,
    StaticKey,
)
from gateway.identity import Login
from gateway.model import Listener, Provider, Service
from xds_server.resources.credentials import secret_name
from xds_server.resources.extension import resource
from xds_server.snapshot import SECRET, Resource, Snapshot, with_replaced

_TOKEN = "token-"
_MADE = "made-"
NO_TOKEN = ""
"""Before the control plane has one. Envoy refuses tries that would need it."""


def provider_secrets(provider: Provider | Service) -> Iterator[Resource]:
    """What the filter of its credential reads, if it reads a secret."""
    match provider.credential:
        case StaticKey(secret=secret) | OAuthClient(secret=secret) | EntraClient(secret=secret):
            yield key_secret(secret_name(provider), secret)
        case GcpCredential() | ManagedIdentity() as credential:
            empty = key_secret(secret_name(provider), NO_TOKEN)
            yield replace(empty, version=token_version(credential))


def token_version(credential: MintedCredential) -> str:
    """The version of secrets whose content is a token of this credential: what stands in a snapshot
    is filled when it is told, and is the same secret for as long as the credential is."""
    text = f"{type(credential).__name__} {astuple(credential)!r}"
    return f"{_TOKEN}{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def with_tokens(snapshot: Snapshot, tokens: Mapping[str, str]) -> Snapshot:
    """The snapshot with tokens in the secrets that wait for them, by version."""
    filled = {
        name: key_secret(name, tokens[each.version])
        for name, each in snapshot.of(SECRET).items()
        if each.version in tokens
    }
    return with_replaced(snapshot, SECRET, filled) if filled else snapshot


def key_secret(name: str, key: str) -> Resource:
    """A key, or a token."""
    fields = {"name": name, "generic_secret": {"secret": {"inline_string": key}}}
    return resource(SECRET, name, fields)


def login_secrets(login: Login, seed: str) -> Iterator[Resource]:
    """By what the gateway is known to an authorization server; and what the cookies of a login are
    encrypted and signed with, which is made of the machine's `seed` where nobody says."""
    secret = quote(login.client_secret, safe="")  # RFC 6749 §2.3.1: Envoy does it in part, or not
    yield key_secret(names.login_client_secret(login.name), secret)
    of_cookies = names.login_cookie_secret(login.name)
    if login.cookies.secret:
        yield key_secret(of_cookies, login.cookies.secret)
        return
    text = hmac.new(seed.encode(), of_cookies.encode(), hashlib.sha256).hexdigest()
    made = key_secret(of_cookies, text)
    yield replace(made, version=f"{_MADE}{made.version}")


def version_elsewhere(version: str) -> str:
    """The version that a resource has wherever the same is compiled: what is made of a machine's
    seed has a text of its own on each."""
    return _MADE if version.startswith(_MADE) else version


def gateway_secrets(listener: Listener) -> Iterator[Resource]:
    """What a gateway shows to its clients, and whose signature it asks of them."""
    tls = listener.tls
    if tls is None:
        return
    name = names.gateway_certificate(listener.name)
    pair = {
        "certificate_chain": {"inline_string": tls.certificate},
        "private_key": {"inline_string": tls.key},
    }
    yield resource(SECRET, name, {"name": name, "tls_certificate": pair})
    if tls.client_ca is not None:
        name = names.gateway_client_ca(listener.name)
        context = {"trusted_ca": {"inline_string": tls.client_ca}}
        yield resource(SECRET, name, {"name": name, "validation_context": context})
