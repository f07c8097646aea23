"""Tokens that say nothing by themselves, and are asked about at who issued them (RFC 7662)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.issuers import ClaimsBlock
from gateway.config.referenced import TextFile
from gateway.config.scalars import Duration, Flag, Secret, Text
from gateway.config.urls import Url, is_exposed, place
from gateway.identity import INTROSPECTION_SERVICE, ClientAuth, Introspection
from gateway.model import Service

_AT: Path = ("identity", "introspection")
_CONNECT_SECONDS = 1.0
"""Envoy tries twice."""
_LONGEST_CACHE = 3600.0
_LONGEST_TIMEOUT = 4.0


def _cache(value: float) -> float:
    if value > _LONGEST_CACHE:
        raise refusal("must be an hour at the most", "a withdrawn token is taken for as long")
    return value


def _timeout(value: float) -> float:
    if not 0.01 <= value <= _LONGEST_TIMEOUT:
        raise refusal("must be from 10ms to 4s", "Envoy waits five seconds")
    return value


Cache: TypeAlias = Annotated[Duration, AfterValidator(_cache)]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]


class IntrospectionClientBlock(Block):
    """Who asks: the gateway, as the issuer knows it (RFC 6749 §2.3)."""

    id: Text
    """The client's id."""
    secret: Secret | None = None
    """Its secret, best as `${VARIABLE}`."""
    method: Literal["basic", "post"] = "basic"
    """How it is shown: in the header `Authorization`, or as `client_id` and `client_secret` in the
    body."""


class IntrospectionBlock(Block):
    """A server that is asked whether a token is active, and whose it is (RFC 7662): for tokens that
    are neither keys nor tokens (JWT) of an issuer in `jwt`."""

    url: Url
    """The issuer's introspection endpoint. Workers ask it, through Envoy."""
    client: IntrospectionClientBlock | None = None
    """Who asks. Without it, nothing is shown."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the server's certificate is checked against. Default: the
    system's."""
    ca_inline: str | None = None
    """The same, written here."""
    issuer: Text | None = None
    """What `iss` of the answer must say, to the letter. Default: it is not looked at."""
    audiences: tuple[Text, ...] = ()
    """Any of them must be in `aud` of the answer. Default: it is not looked at."""
    claims: ClaimsBlock = ClaimsBlock()
    """Which members of the answer say who the caller is."""
    cache: Cache = 60.0
    """For how long an answer is believed, at the most: a token that is withdrawn is taken for as
    long. `0s`: each request asks."""
    cache_inactive: Cache = 5.0
    """The same of tokens that are not active."""
    timeout: Timeout = 2.0
    """How long the server may take, with a second try; then requests are refused with 503."""
    forward: Flag = False
    """Whether the backends of plain routes get the token. Providers of models never do."""

    @model_validator(mode="after")
    def _fits(self) -> IntrospectionBlock:
        if self.ca is not None and self.ca_inline is not None:
            raise refusal("has both ca and ca_inline", is_shown=False)
        if self.authorities is not None and not self.url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    @property
    def authorities(self) -> str | None:
        """PEM, wherever it was written."""
        return self.ca.text if self.ca is not None else self.ca_inline

    @property
    def meaning(self) -> Introspection:
        """What is meant."""
        client = self.client
        secret = client.secret.get_secret_value() if client is not None and client.secret else ""
        return Introspection(
            path=urlsplit(self.url).path or "/",
            client_id="" if client is None else client.id,
            client_secret=secret,
            client_auth=ClientAuth("none" if client is None else client.method),
            issuer=self.issuer or "",
            audiences=self.audiences,
            claims=self.claims.meaning,
            cache_seconds=self.cache,
            cache_inactive_seconds=self.cache_inactive,
            timeout_seconds=self.timeout,
            is_forwarded=self.forward,
        )


def services(block: IntrospectionBlock | None) -> Iterator[Service]:
    """Whom Envoy connects to."""
    if block is not None:
        upstream = place(block.url).upstream(_CONNECT_SECONDS)
        if block.authorities is not None:
            upstream = replace(upstream, ca=block.authorities)
        yield Service(INTROSPECTION_SERVICE, upstream)


def warnings(block: IntrospectionBlock) -> Iterator[Finding]:
    """Secrets and tokens that travel without TLS."""
    if is_exposed(block.url):
        message = "tokens, and the secret of the client, travel there without tls"
        yield Finding((*_AT, "url"), message, "https")
