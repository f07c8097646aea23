"""Where clients connect, and where the operator does."""

from __future__ import annotations

from gateway.config.block import Block
from gateway.config.scalars import Address, Flag, HostPort, Port, Size
from gateway.config.tls import GatewayTlsBlock


class GatewayBlock(Block):
    """One address that clients connect to."""

    port: Port
    """The TCP port."""
    address: Address = "0.0.0.0"
    """The IP address to listen on. The default takes connections from every network; write
    `127.0.0.1` to be reached from this machine alone."""
    max_request_bytes: Size = 32 * 2**20
    """The largest request body; a larger one is refused with 413. `32MiB`, `1MB` or a number of
    bytes."""
    tls: GatewayTlsBlock | None = None
    """Without it, clients speak plain HTTP."""
    compress: Flag = False
    """Whether answers are compressed for clients that accept it: in brotli and gzip, streams too,
    and JSON in zstd."""


class AdminBlock(Block):
    """The operator's own endpoint: health, what is configured, what was spent."""

    address: HostPort = "127.0.0.1:15000"
    """Host and port. It is not protected by keys: keep it on an address that only operators
    reach."""
