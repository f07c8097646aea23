"""URLs of upstreams: read once, never with credentials in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema

from gateway.config.block import refusal
from gateway.config.scalars import host_and_port
from gateway.model import Endpoint, Upstream

NOWHERE = "http://nowhere"
"""In the place of an address that nobody need know, and the schema asks for."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a URL that an upstream needs."""

    is_tls: bool
    endpoint: Endpoint
    authority: str
    path: str
    """Without a slash at its end; empty for the root."""

    @property
    def origin(self) -> str:
        """Scheme and authority."""
        return f"{'https' if self.is_tls else 'http'}://{self.authority}"

    def upstream(self, connect_timeout_seconds: float) -> Upstream:
        return Upstream((self.endpoint,), self.authority, self.is_tls, connect_timeout_seconds)


@lru_cache(maxsize=4096)  # each is read when it is checked and when it is resolved, often by many
def place(url: str) -> Place:
    """Take a URL apart. Total on what `Url` has let through."""
    parts = urlsplit(url)
    port = _PORTS[parts.scheme]
    host = parts.netloc
    has_port = host.rpartition(":")[2].isdigit() and not host.endswith("]")
    endpoint = host_and_port(host if has_port else f"{host}:{port}")
    if endpoint is None:
        raise ValueError("not the url of an upstream")
    is_default = endpoint.port == port
    authority = host.rpartition(":")[0] if has_port and is_default else host
    return Place(parts.scheme == "https", endpoint, authority, parts.path.rstrip("/"))


def is_exposed(url: str) -> bool:
    """Whether what is sent there leaves this machine without TLS."""
    if not url.startswith("http:"):
        return False
    host = place(url).endpoint.host
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def upstream_url(value: str) -> str:
    """Refuses what is none."""
    hint = "such as https://api.example.com/v1"
    try:
        parts = urlsplit(value)
    except ValueError:
        raise refusal("must be a url", hint, is_shown=False) from None
    if "@" in parts.netloc:
        raise refusal("must not carry credentials", "write the secret as the key", is_shown=False)
    if parts.query or parts.fragment:
        raise refusal("must have no query and no fragment", is_shown=False)
    if parts.scheme not in _PORTS or not value.isascii() or not value.isprintable() or " " in value:
        raise refusal("must be an http or https url", hint)
    try:
        place(value)
    except ValueError:
        raise refusal("must name a host, and a port from 1 to 65535 if any", hint) from None
    return value


def _origin(value: str) -> str:
    if place(upstream_url(value)).path:
        raise refusal("must have no path", "replace_prefix on the route changes the path")
    return value


Url: TypeAlias = Annotated[
    str, AfterValidator(upstream_url), WithJsonSchema({"type": "string", "format": "url"})
]
Origin: TypeAlias = Annotated[
    str, AfterValidator(_origin), WithJsonSchema({"type": "string", "format": "url"})
]
"""A URL without a path."""
