"""Services of the operator's own that Envoy asks whether a request may pass (`ext_authz`)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ExternalBody:
    """How much of a request's body a service is shown."""

    most_bytes: int
    is_partial: bool
    """A larger body is shown in part; else it is refused."""


@dataclass(frozen=True, slots=True)
class ExternalAuthz:
    """One service."""

    name: str
    url: str
    is_grpc: bool
    ca: str | None = field(default=None, repr=False)
    """PEM of the authorities that its certificate is checked against; None: the system's."""
    timeout_seconds: float = 1.0
    is_open_on_error: bool = False
    status_on_error: int = 503
    body: ExternalBody | None = None
    """None: it is shown none."""
    headers: tuple[str, ...] = ()
    """Of the request, which it is shown; a `*` at the end stands for anything."""
    upstream_headers: tuple[str, ...] = ()
    """Of its answer, which the request has from then on."""
    client_headers: tuple[str, ...] = ()
    """Of a refusal, which the client sees. Of a service that speaks gRPC, all."""
    metadata_headers: tuple[str, ...] = ()
    """Of its answer, which rules see. A service that speaks gRPC says it in another way."""
