"""TLS of servers: certificates and keys, by the paths of their files."""

from __future__ import annotations

from dataclasses import replace

from gateway.config.block import Block
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag
from gateway.model import ServerTls


class TlsBlock(Block):
    """What a server shows to those who connect. The files are watched: a renewed certificate is
    taken without cutting a connection."""

    cert: TextFile
    """The certificate chain in PEM, the server's own first."""
    key: TextFile
    """Its private key in PEM, not encrypted: RSA of at least 2048 bits, or ECDSA."""
    client_ca: TextFile | None = None
    """Certificate authorities in PEM. With it, clients must show a certificate that one of them
    has signed (mTLS)."""

    @property
    def texts(self) -> ServerTls:
        """What is in the files."""
        client_ca = self.client_ca.text if self.client_ca is not None else None
        return ServerTls(self.cert.text, self.key.text, client_ca)


class GatewayTlsBlock(TlsBlock):
    """What a gateway shows to those who connect. The files are watched: a renewed certificate is
    taken without cutting a connection."""

    client_required: Flag = True
    """Whether clients must show a certificate, where there is a `client_ca`. If not, they may show
    none; one that is not signed by it is refused in any case."""

    @property
    def texts(self) -> ServerTls:
        """What is in the files."""
        return replace(super().texts, is_client_required=self.client_required)
