"""Plain HTTP routes: bytes to an upstream, under header policy only."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.scalars import Duration, Header, Name, Retries, Text, Weight
from gateway.config.urls import Origin

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_PATH = re.compile(r"/[^\s?#\x00-\x1f\x7f]*")


def _hostname(value: str) -> str:
    if not _HOSTNAME.fullmatch(value):
        raise refusal("must be a hostname without a port", "api.example.com or *.example.com")
    return value.lower()


def _path(value: str) -> str:
    if not _PATH.fullmatch(value) or "/../" in f"{value}/" or "//" in value:
        raise refusal("must be a path that begins with '/', without '?', '#', '//' and '..'")
    return value


Hostname: TypeAlias = Annotated[
    str, AfterValidator(_hostname), WithJsonSchema({"type": "string", "format": "hostname"})
]
UrlPath: TypeAlias = Annotated[
    str, AfterValidator(_path), WithJsonSchema({"type": "string", "format": "path"})
]
Method: TypeAlias = Literal[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"
]


class PathBlock(Block):
    """Which paths: one of the two."""

    prefix: UrlPath | None = None
    """This path and all below it: `/docs` takes `/docs` and `/docs/a`, not `/docsearch`."""
    exact: UrlPath | None = None
    """This path alone."""

    @model_validator(mode="after")
    def _has_one_form(self) -> PathBlock:
        if (self.prefix is None) == (self.exact is None):
            raise refusal("needs either prefix or exact")
        return self


class MatchBlock(Block):
    """Which requests a route takes; all that is written must hold."""

    hostnames: tuple[Hostname, ...] = ()
    """Any of them; `*.example.com` takes every host below. Without it, all hosts."""
    path: PathBlock = PathBlock(prefix="/")
    """Which paths; without it, all."""
    methods: tuple[Method, ...] = ()
    """Any of them; without it, all."""
    headers: dict[Header, Text] = Field(default={})
    """Headers and the exact values that they must have."""


class BackendTimeouts(Block):
    """How long to wait for a backend."""

    connect: Duration = 5.0
    """For a connection."""


class BackendBlock(Block):
    """One upstream of a route."""

    url: Origin
    """Scheme, host and port; no path."""
    weight: Weight = 1
    """Its share of the route's requests."""
    timeouts: BackendTimeouts = BackendTimeouts()
    """How long to wait."""


class RouteBlock(Block):
    """A plain HTTP route. The first that matches, as written, takes the request."""

    name: Name
    """Unique; rules and reports name it."""
    gateways: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """The gateways it is served on; without it, all."""
    match: MatchBlock = MatchBlock()
    """Which requests it takes."""
    backend: Origin | None = None
    """The one upstream's URL. Either this or `backends`."""
    backends: Annotated[tuple[BackendBlock, ...], Field(min_length=1)] | None = None
    """Several upstreams and their weights."""
    replace_prefix: UrlPath | None = None
    """What takes the place of the matched prefix on the way to the backend."""
    timeout: Duration = 0.0
    """For the whole response; `0s`: no limit, for streams."""
    retries: Retries = 0
    """How often a request that got no response is tried again."""
    external_authz: Name | None = None
    """Which of the services in `external_authz` is asked whether a request may pass; also where
    `auth` is `none`."""
    auth: Literal["none", "key", "jwt", "basic", "introspection", "any"] | None = None
    """`key`: an API key is asked for, `jwt`: a token of an issuer, `basic`: a password,
    `introspection`: a token that is asked about, `any`: one of them; and rules apply. `none`: the
    route is open, no rule applies. Default: `any` when identity is required."""
    login: Name | None = None
    """Which of the logins in `identity.logins` people with browsers are sent to. Nothing else is
    taken then, unless `auth` says what is taken as well. Rules apply."""

    @model_validator(mode="after")
    def _has_one_form(self) -> RouteBlock:
        if (self.backend is None) == (self.backends is None):
            raise refusal("needs either backend or backends")
        if self.login is not None and self.auth == "none":
            raise refusal("has a login, and its auth is none")
        if self.replace_prefix is not None and self.match.path.prefix is None:
            raise refusal("has replace_prefix without a prefix to replace")
        return self

    @property
    def upstreams(self) -> tuple[BackendBlock, ...]:
        """The backends, however they were written."""
        return self.backends or (BackendBlock(url=self.backend or ""),)
