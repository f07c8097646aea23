"""Rate limit services that Envoy asks, by its own protocol."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from gateway.config.block import Block, refusal
from gateway.config.referenced import TextFile
from gateway.config.scalars import Duration, Text
from gateway.config.urls import Url, place
from gateway.limits import LimitService
from gateway.model import Upstream

_CONNECT_SECONDS = 1.0


class LimitServiceBlock(Block):
    """A service of Envoy's rate limit protocol, `envoy.service.ratelimit.v3.RateLimitService`: it
    knows how much is let through."""

    url: Url
    """Where it serves gRPC: `http://10.0.0.9:8081`, or `https://…` with TLS. Without a path."""
    domain: Text
    """What the service knows this gateway's questions by."""
    timeout: Duration = 0.1
    """How long its answer is waited for."""
    on_error: Literal["refuse", "allow"] = "refuse"
    """What becomes of a request when there is no answer: refused with 503, or let through."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that its certificate is checked against. Default: the
    system's."""

    @model_validator(mode="after")
    def _is_asked_by_grpc(self) -> LimitServiceBlock:
        if place(self.url).path:
            raise refusal("url: has a path, and gRPC has its own", is_shown=False)
        if self.ca is not None and not self.url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        if not self.timeout:
            raise refusal("timeout: must be longer than nothing", is_shown=False)
        return self

    def upstream(self) -> Upstream:
        """Where it is."""
        found = place(self.url).upstream(_CONNECT_SECONDS)
        ca = self.ca.text if self.ca is not None else None
        return Upstream(
            found.endpoints, found.authority, found.is_tls, found.connect_timeout_seconds, ca
        )

    def meaning(self, name: str) -> LimitService:
        """What is asked of it."""
        return LimitService(name, self.domain, self.timeout, self.on_error == "allow")
