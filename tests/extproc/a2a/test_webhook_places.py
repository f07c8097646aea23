"""Where webhooks may be."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a.webhook_places import Target, Whereabouts, read
from extproc.a2a.webhooks import Unusable

PUBLIC = ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
NOT_PUBLIC = (
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "0.0.0.0", "255.255.255.255"),
    *("169.254.0.1", "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "192.0.2.1"),
    *("::", "::1", "fe80::1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:10.0.0.1", "::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::"),
    *("2001:0:4136:e378:8000:63bf:f5ff:fffe", "fe80::1%eth0", "example.com", ""),
)
OF_CLOUDS = (
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
)
EVERYTHING = Whereabouts(networks=("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    assert Whereabouts().is_open(address)


@pytest.mark.parametrize("address", [*NOT_PUBLIC, *OF_CLOUDS])
def test_others_may_not(address: str) -> None:
    assert not Whereabouts().is_open(address)


@pytest.mark.parametrize("address", OF_CLOUDS)
def test_clouds_own_are_never_called(address: str) -> None:
    assert not EVERYTHING.is_open(address)


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_is_the_same_in_ipv6(address: object) -> None:
    for where in (Whereabouts(), Whereabouts(networks=("10.0.0.0/8", "127.0.0.0/8"))):
        assert where.is_open(str(address)) is where.is_open(f"::ffff:{address}")


@given(st.ip_addresses())
def test_what_is_not_global_is_never_open(address: object) -> None:
    is_global = ip_address(str(address)).is_global or "::ffff:" in str(address)
    assert (
        is_global or str(address).startswith("64:ff9b::") or not Whereabouts().is_open(str(address))
    )


def test_networks_that_are_said_may_be_called() -> None:
    where = Whereabouts(networks=("10.0.0.0/8", "fd00::/8"))
    assert where.is_open("10.1.2.3")
    assert where.is_open("fd00::1")
    assert not where.is_open("192.168.0.1")


def test_one_address_that_may_not_be_called_is_too_many() -> None:
    assert Whereabouts().chosen(["8.8.8.8", "9.9.9.9"]) == "8.8.8.8"
    assert Whereabouts().chosen(["8.8.8.8", "10.0.0.1"]) is None
    assert Whereabouts().chosen([]) is None


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://A.example/x?y=1", Target(True, "a.example", 443, "a.example", "/x?y=1")),
        ("https://a:8443", Target(True, "a", 8443, "a:8443", "/")),
        ("http://[::1]:8080/p", Target(False, "::1", 8080, "[::1]:8080", "/p")),
        ("https://a:443/", Target(True, "a", 443, "a", "/")),
    ],
)
def test_urls_are_read(url: str, target: Target) -> None:
    assert read(url) == target


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://a", "https://", "https:///x", "https://u:p@a/", "https://a\\@b/"),
        *("https://a#b", "https://a/ b", "https://a/\n", "https://a:22/", "https://a:0/"),
        *("https://a:99999/", "https://a%00b/", "https://[fe80::1%25eth0]/", "https://ä/"),
        f"https://a/{'x' * 2048}",
    ],
)
def test_what_is_no_url_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(Unusable):
        read(url)


def test_hosts_and_schemes_are_the_operators_to_say() -> None:
    where = Whereabouts(hosts=("*.example.com",))
    assert where.target("https://a.example.com/").host == "a.example.com"
    with pytest.raises(Unusable, match=r"no webhook may be at the host 'example\.org'"):
        where.target("https://example.org/")
    with pytest.raises(Unusable, match="https"):
        where.target("http://a.example.com/")
    assert Whereabouts(takes_http=True).target("http://a/").port == 80
