"""Services of the operator's own that are asked whether a request may pass (`ext_authz`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.llm import LlmBlock
from gateway.config.referenced import TextFile
from gateway.config.routes import RouteBlock
from gateway.config.scalars import Duration, Flag, Header, Size, header_name
from gateway.config.urls import Origin, Url
from gateway.external_authz import ExternalAuthz, ExternalBody
from gateway.names import OWN_HEADER_PREFIX
from gateway.problem import did_you_mean

_LONGEST_TIMEOUT = 60.0
_UNTOUCHABLE = ("host", "content-length", "transfer-encoding", "connection", "upgrade")


def _shown(value: str) -> str:
    if value == "*":
        return value
    if "*" in value[:-1]:
        raise refusal("must be the name of a header, or its beginning with a '*'", "x-team-*")
    return header_name(value)


def _added(value: str) -> str:
    if value.startswith((OWN_HEADER_PREFIX, "x-envoy-")) or value in _UNTOUCHABLE:
        raise refusal("must not be a header by which requests are steered")
    return value


def _timeout(value: float) -> float:
    if not 0.001 <= value <= _LONGEST_TIMEOUT:
        raise refusal("must be from 1ms to 1m")
    return value


HeaderPattern: TypeAlias = Annotated[
    str, AfterValidator(_shown), WithJsonSchema({"type": "string", "format": "header"})
]
AddedHeader: TypeAlias = Annotated[Header, AfterValidator(_added)]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]


class ExternalBodyBlock(Block):
    """How much of a request's body the service is shown."""

    max_bytes: Size
    """The most that it is shown. Envoy holds the request until then."""
    partial: Flag = False
    """Whether of a larger body the beginning is shown. If not, it is refused with 413."""


class ExternalAuthzBlock(Block):
    """A service of your own that Envoy asks whether a request may pass, before anything else is
    decided: on the routes that name it in `external_authz`. Either `grpc` or `http`."""

    grpc: Origin | None = None
    """Where it speaks Envoy's protocol `envoy.service.auth.v3.Authorization`:
    `http://HOST:PORT`, or `https://` for TLS."""
    http: Url | None = None
    """Where it is asked by HTTP: with the method and the path of the request, below this URL. A 200
    lets it pass; any other answer is told the client."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that its certificate is checked against. Default: the
    system's."""
    timeout: Timeout = 1.0
    """How long it may take."""
    on_error: Literal["block", "allow"] = "block"
    """What becomes of a request when it gives no answer, or by HTTP a 5xx. `allow` lets it pass
    without its word."""
    status_on_error: Literal[401, 403, 500, 502, 503, 504] = 503
    """What clients are answered then, where that blocks."""
    body: ExternalBodyBlock | None = None
    """Without it, the service is shown no body."""
    headers: tuple[HeaderPattern, ...] = ()
    """The request's headers that it is shown, beside host, method and path: names, or beginnings
    with a `*`. Credentials, too, are shown only where they are named."""
    upstream_headers: tuple[AddedHeader, ...] = ()
    """Headers of its answer that take the place of the request's, for all that follows: rules, and
    the backend."""
    client_headers: tuple[Header, ...] = ()
    """Headers of a refusal that the client sees. Of a service that speaks gRPC, all that it says
    are for the client."""
    metadata_headers: tuple[Header, ...] = ()
    """Headers of its answer that rules see as `external`. A service that speaks gRPC says them as
    `dynamic_metadata`."""

    @model_validator(mode="after")
    def _fits(self) -> ExternalAuthzBlock:
        if (self.grpc is None) == (self.http is None):
            raise refusal("needs either grpc or http")
        if self.ca is not None and not self._url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        if self.grpc is not None and (self.client_headers or self.metadata_headers):
            raise refusal("client_headers and metadata_headers are for http alone")
        return self

    @property
    def _url(self) -> str:
        return self.grpc or self.http or ""

    def meaning(self, name: str) -> ExternalAuthz:
        """What is meant."""
        body = self.body
        return ExternalAuthz(
            name,
            self._url,
            self.grpc is not None,
            self.ca.text if self.ca is not None else None,
            self.timeout,
            self.on_error == "allow",
            self.status_on_error,
            None if body is None else ExternalBody(body.max_bytes, body.partial),
            self.headers,
            self.upstream_headers,
            self.client_headers,
            self.metadata_headers,
        )


def findings(
    known: frozenset[str], routes: tuple[RouteBlock, ...], llm: LlmBlock
) -> Iterator[Finding]:
    """Services that somebody names, and that there are not."""
    named: list[tuple[Path, str | None]] = [(("llm", "external_authz"), llm.external_authz)]
    named += [
        (("routes", index, "external_authz"), route.external_authz)
        for index, route in enumerate(routes)
    ]
    for path, name in named:
        if name is not None and name not in known:
            yield Finding(path, f"no service '{name}'", did_you_mean(name, known))
