"""Where webhooks may be: what a client says is where the gateway connects to, so it must be no way
into the gateway's own network (SSRF).

Addresses are judged, never names: a name may say another address the next time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from extproc.a2a.webhooks import Unusable
from gateway.globs import is_like

_Address: TypeAlias = IPv4Address | IPv6Address

_PORTS: Final = {"http": 80, "https": 443}
_FIRST_FREE_PORT: Final = 1024
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})|[0-9a-f:.]{2,45}")
_PATH: Final = re.compile(r"[!-~]*")
_LONGEST_URL: Final = 2048
_NEVER: Final = frozenset(
    ip_address(each)
    for each in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, DigitalOcean
        "169.254.170.2",  # tasks of ECS
        "169.254.170.23",  # pods of EKS
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure, though it is public
        "192.0.0.192",  # Oracle
    )
)
"""Where clouds tell machines who they are."""
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")


class Target(Struct, frozen=True):
    """Where a webhook is, as its URL says."""

    is_tls: bool
    host: str
    port: int
    authority: str
    """Host, and port where it is none of the usual."""
    path: str
    """With the query."""


class Whereabouts(Struct, frozen=True):
    """Where webhooks may be."""

    hosts: tuple[str, ...] = ()
    """Globs; empty: anywhere."""
    networks: tuple[str, ...] = ()
    """CIDR blocks that are not public."""
    takes_http: bool = False

    def target(self, url: str) -> Target:
        """The parts of a URL. Raises `Unusable`."""
        found = read(url)
        if not found.is_tls and not self.takes_http:
            raise Unusable("a webhook must be at an https url")
        if self.hosts and not is_like(self.hosts, found.host):
            raise Unusable(f"no webhook may be at the host {found.host!r}")
        return found

    def chosen(self, addresses: Sequence[str]) -> str | None:
        """The first, if all of them may be called; None: one may not, or there is none."""
        if not addresses or not all(map(self.is_open, addresses)):
            return None
        return addresses[0]

    def is_open(self, text: str) -> bool:
        """Whether a webhook may be at an address."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        meant = tuple(_meant(address))
        if not _NEVER.isdisjoint(meant):
            return False
        return all(_is_public(each) or _is_in(each, self.networks) for each in meant)


def read(url: str) -> Target:
    """The same of any URL of HTTP. Raises `Unusable`."""
    if not url or len(url) > _LONGEST_URL or not url.isascii() or not _PATH.fullmatch(url):
        raise Unusable(f"a webhook is at a url of up to {_LONGEST_URL} visible characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Unusable("the url of a webhook cannot be read") from None
    if parts.scheme not in _PORTS:
        raise Unusable("a webhook must be at an https url")
    if "@" in parts.netloc or "\\" in url or "#" in url:
        raise Unusable("the url of a webhook has no user, no backslash and no fragment")
    if not _HOST.fullmatch(host):
        raise Unusable("the url of a webhook names no host")
    usual = _PORTS[parts.scheme]
    port = usual if port is None else port
    if port != usual and port < _FIRST_FREE_PORT:
        raise Unusable(f"a webhook is at port {usual}, or one from {_FIRST_FREE_PORT} on")
    written = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = written if port == usual else f"{written}:{port}"
    return Target(parts.scheme == "https", host, port, authority, path)


def _meant(address: _Address) -> Iterable[_Address]:
    """The address, and those of IPv4 that it leads to."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _IPV4_COMPATIBLE or any(address in each for each in _NAT64):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _is_public(address: _Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64[0]:
            return True  # the address of IPv4 in it says whether
        if address.is_site_local or address in _NAT64[1]:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
    )


def _is_in(address: _Address, networks: Iterable[str]) -> bool:
    return any(address in ip_network(each) for each in networks)
