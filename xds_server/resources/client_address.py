"""The client's address in Envoy's CEL, where it is a text with a port: `10.0.0.1:4711`,
`[2001:db8::1]:4711`. It cannot be cut there, so what is asked of it is asked of its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

_MAPPED = r"(\[::ffff:)?"
"""Of an IPv4 address that a listener for both families tells."""
_GROUP_BITS = 16
_HEX = "0123456789abcdef"


def beginning_of(address: str) -> str:
    """What the text of exactly this address begins with, up to its port."""
    return f"[{address}]:" if ":" in address else f"{address}:"


def beginnings_with(prefix: str) -> tuple[str, ...]:
    """What the texts of addresses begin with that begin with this, whatever family they are of."""
    return (f"[{prefix}",) if ":" in prefix else (prefix, f"[{prefix}")


def pattern_of(block: str) -> str | None:
    """RE2 that finds the texts of all addresses in a CIDR block, and no others; None: they have no
    beginning in common, since zeros within an IPv6 address are left out. ValueError: no block."""
    network = ip_network(block)
    return _of_four(network) if isinstance(network, IPv4Network) else _of_six(network)


def _of_four(network: IPv4Network) -> str:
    octets, left = network.network_address.packed, network.prefixlen
    found = f"^{_MAPPED}"
    for place, octet in enumerate(octets):
        if left <= 0:
            return found if place else f"{found}[0-9]+[.]"
        span = 1 << max(0, 8 - left)
        found += _numbers(octet, octet + span - 1) + ("[.]" if place < 3 else r"[\]:]")
        left -= 8
    return found


def _numbers(low: int, high: int) -> str:
    """Decimal numbers of a range, without zeros before them."""
    if low == high:
        return str(low)
    lasts: dict[str, str] = {}
    for number in map(str, range(low, high + 1)):
        lasts[number[:-1]] = lasts.get(number[:-1], "") + number[-1]
    alike: dict[tuple[int, str, str], str] = {}
    for before, last in lasts.items():
        key = (len(before), before[:-1], last)
        alike[key] = alike.get(key, "") + before[-1:]
    parts = (f"{start}{_any(middle)}{_any(last)}" for (_, start, last), middle in alike.items())
    return f"({'|'.join(parts)})"


def _of_six(network: IPv6Network) -> str | None:
    """Groups that are not zero are written in full, one after the other."""
    packed, left = network.network_address.packed, network.prefixlen
    groups = [int.from_bytes(packed[at : at + 2]) for at in range(0, len(packed), 2)]
    found = r"^\["
    for place, group in enumerate(groups):
        if left <= 0:
            return found if place else None
        span = 1 << max(0, _GROUP_BITS - left)
        if not group or (span > 1 and group < 0x1000):
            return None
        found += _hexadecimal(group, span) + (":" if place < len(groups) - 1 else r"\]")
        left -= _GROUP_BITS
    return found


def _hexadecimal(group: int, span: int) -> str:
    """`span` numbers, a power of two; more than one only where all have four digits."""
    low, high = f"{group:x}", f"{group + span - 1:x}"
    digits = (
        one if one == other else _any(_HEX[int(one, 16) : int(other, 16) + 1])
        for one, other in zip(low, high, strict=True)
    )
    return "".join(digits)


def _any(characters: Iterable[str]) -> str:
    found = "".join(characters)
    if len(found) < 2:
        return found
    if found in _HEX[:10]:
        return f"[{found[0]}-{found[-1]}]"
    return f"[{re.escape(found)}]"
