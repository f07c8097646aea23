"""What is asked of an address, asked of how Envoy writes it."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
import re2
from hypothesis import assume, example, given
from hypothesis import strategies as st

from xds_server.resources.client_address import beginning_of, beginnings_with, pattern_of

MOST = 80
fours = st.ip_addresses(v=4)
sixes = st.one_of(
    st.ip_addresses(v=6),
    st.lists(
        st.sampled_from([0, 1, 0xABC, 0x1000, 0xFC00, 0xFE80, 0xFFFF]), min_size=8, max_size=8
    ).map(lambda groups: IPv6Address(b"".join(each.to_bytes(2) for each in groups))),
)


def written(address: IPv4Address | IPv6Address, port: int = 4711) -> str:
    """As Envoy does."""
    if isinstance(address, IPv4Address):
        return f"{address}:{port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, address.packed)}]:{port}"


@given(fours, fours, st.integers(0, 32))
@example(IPv4Address("10.5.0.1"), IPv4Address("10.0.0.0"), 9)
@example(IPv4Address("5.0.0.1"), IPv4Address("0.0.0.0"), 1)
def test_a_block_of_four_has_a_small_pattern(
    one: IPv4Address, other: IPv4Address, bits: int
) -> None:
    block = IPv4Network((int(other), bits), strict=False)
    pattern = re2.compile(pattern_of(str(block)))
    near = IPv4Address(int(block.network_address) | (int(one) & int(block.hostmask)))
    for address in (one, near, block.network_address, block.broadcast_address):
        assert bool(pattern.search(written(address))) == (address in block)
        mapped = f"[::ffff:{address}]:4711"  # of a listener for both families
        assert bool(pattern.search(mapped)) == (address in block)
    assert pattern.programsize < MOST


@given(sixes, sixes, st.integers(1, 128))
@example(IPv6Address("fd00::1"), IPv6Address("fc00::"), 7)
@example(IPv6Address("2001:db8::1"), IPv6Address("2001:db8::"), 32)
def test_a_block_of_six_has_one_or_none(one: IPv6Address, other: IPv6Address, bits: int) -> None:
    block = IPv6Network((int(other), bits), strict=False)
    found = pattern_of(str(block))
    assume(found is not None)
    pattern = re2.compile(found)
    near = IPv6Address(int(block.network_address) | (int(one) & int(block.hostmask)))
    for address in (one, near, block.network_address, block.broadcast_address):
        assert bool(pattern.search(written(address))) == (address in block)
    assert pattern.programsize < MOST


@pytest.mark.parametrize("block", ["::/0", "::1/128", "2001:db8::/48", "2001:db8:1:20::/60"])
def test_zeros_that_may_be_left_out_have_none(block: str) -> None:
    assert pattern_of(block) is None


@pytest.mark.parametrize("block", ["fc00::/7", "fe80::/10", "2001:db8::/32", "2001:db8:1:2::/64"])
def test_the_usual_ones_have_one(block: str) -> None:
    assert pattern_of(block) is not None


@given(st.one_of(fours, sixes), st.one_of(fours, sixes))
def test_one_address_is_told_from_all_others(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address
) -> None:
    asked = written(other)[: -len(":4711")].strip("[]")
    assert written(one).startswith(beginning_of(asked)) == (one == other)


@given(st.one_of(fours, sixes), st.text("0123:.af", min_size=0, max_size=4))
def test_a_beginning_is_one_in_both_families(one: IPv4Address | IPv6Address, prefix: str) -> None:
    text = written(one)[: -len(":4711")].strip("[]")
    assert written(one).startswith(beginnings_with(prefix)) == text.startswith(prefix)
