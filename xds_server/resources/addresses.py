"""Addresses as Envoy wants them, and which way of discovery they need."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from gateway.model import Endpoint
from xds_server.resources.extension import Json, extension

UNIX = "unix:"


def socket_address(endpoint: Endpoint) -> Json:
    """A TCP address."""
    return {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}


def parse(address: str) -> Json:
    """`unix:/path` or `host:port` → Envoy's address."""
    if address.startswith(UNIX):
        return {"pipe": {"path": address.removeprefix(UNIX)}}
    return socket_address(endpoint_of(address))


def endpoint_of(address: str) -> Endpoint:
    """`host:port`, `[::1]:port`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidAddress(address)
    return Endpoint(host.strip("[]"), int(port))


class InvalidAddress(ValueError):
    """Neither `unix:/path` nor `host:port`."""


def is_ip(host: str) -> bool:
    """True when nothing has to be resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_of(authority: str) -> str:
    """The authority without its port and brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def discovery(hosts: Iterable[str]) -> Json:
    """How Envoy finds the endpoints of a cluster with these hosts."""
    named = list(hosts)
    if all(is_ip(host) for host in named):
        return {"type": "STATIC"}
    # One name is one endpoint with all of its addresses, tried by Happy Eyeballs (RFC 8305); of
    # several names, each address is an endpoint, and must be one that can be reached.
    addresses: Json = (
        {"dns_lookup_family": "ALL", "all_addresses_in_single_endpoint": True}
        if len(named) == 1
        else {"dns_lookup_family": "V4_PREFERRED"}
    )
    # Asked again every 5 s, Envoy's default. The TTL is not respected: Docker's is 600 s, and what
    # has moved would be lost for as long.
    return {
        "cluster_type": extension(
            "envoy.cluster.dns", "envoy.extensions.clusters.dns.v3.DnsCluster", **addresses
        )
    }
