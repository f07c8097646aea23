"""Facts of the deployment that the compile step needs and that no configuration file tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway import names


@dataclass(frozen=True, slots=True)
class Topology:
    """Where the parts of this deployment are."""

    workers: tuple[str, ...]
    """Addresses of extproc's workers: `unix:/run/dragoman/0.sock` or `host:port`."""
    message_timeout_seconds: float = 5.0
    """How long Envoy waits for each answer of a worker before it refuses the request."""
    ca_bundle: str = "/etc/ssl/certs/ca-certificates.crt"
    """The certificate authorities that providers are checked against; a file Envoy can read."""
    services: str = names.SERVICES_ADDRESS
    """Where Envoy listens for extproc's own requests: `unix:/run/dragoman/services.sock` or
    `host:port`."""
    hub: str = names.HUB_ADDRESS
    """Where the hub of the MCP gateway is: `unix:/run/dragoman/hub.sock` or `host:port`."""
    seed: str = field(default="", repr=False)
    """Of secrets that nobody else need know: what cookies of logins are encrypted with. Empty where
    nothing is served."""
