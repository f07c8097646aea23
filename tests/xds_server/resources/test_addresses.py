"""Addresses, and how Envoy finds them."""

from __future__ import annotations

import pytest

from gateway.model import Endpoint
from xds_server.resources import addresses


def test_a_unix_path() -> None:
    assert addresses.parse("unix:/run/a.sock") == {"pipe": {"path": "/run/a.sock"}}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:80", "::1", 80), ("extproc:9000", "extproc", 9000)],
)
def test_host_and_port(text: str, host: str, port: int) -> None:
    assert addresses.endpoint_of(text) == Endpoint(host, port)


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "host:port"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(addresses.InvalidAddress):
        addresses.parse(text)


@pytest.mark.parametrize(
    ("authority", "host"),
    [("a.example", "a.example"), ("a.example:8443", "a.example"), ("[::1]:443", "::1")],
)
def test_the_host_of_an_authority(authority: str, host: str) -> None:
    assert addresses.host_of(authority) == host


def test_addresses_are_static_and_names_are_resolved() -> None:
    assert addresses.discovery(["10.0.0.1", "::1"]) == {"type": "STATIC"}
    assert addresses.discovery([]) == {"type": "STATIC"}
    assert "cluster_type" in addresses.discovery(["10.0.0.1", "localhost"])


@pytest.mark.parametrize("hosts", [["a.example"], ["a.example", "b.example"]])
def test_what_has_moved_is_found_long_before_its_ttl_ends(hosts: list[str]) -> None:
    config = addresses.discovery(hosts)["cluster_type"]["typed_config"]
    assert not config.get("respect_dns_ttl", False)
    assert "dns_refresh_rate" not in config  # Envoy's default: 5 s
