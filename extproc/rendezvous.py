"""Which of several a key prefers, in order: weighted rendezvous hashing.

Everybody who has the same names comes to the same order, with nothing shared and nothing kept. When
a name or its weight changes, only keys move that come to it, or leave it.
https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

_HASHES = float(1 << 64)


def preferred(key: str, weights: Mapping[str, float]) -> tuple[str, ...]:
    """All names, the most preferred first; over many keys, each is first as often as its weight
    says.
    """
    seed = _seed(key)
    return tuple(sorted(weights, key=lambda name: (_distance(seed, name, weights[name]), name)))


def most_preferred(key: str, weights: Mapping[str, float]) -> str:
    """The first of `preferred`. There is one."""
    seed = _seed(key)
    found, least = "", math.inf
    for name, weight in weights.items():
        distance = _distance(seed, name, weight)
        if distance < least or (distance == least and name < found):
            found, least = name, distance
    return found


def _seed(key: str) -> bytes:
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()


def _distance(seed: bytes, name: str, weight: float) -> float:
    """Exponentially distributed with the rate `weight`: each is the least as often as it weighs."""
    digest = hashlib.blake2b(name.encode(), key=seed, digest_size=8).digest()
    drawn = (int.from_bytes(digest, "big") + 0.5) / _HASHES
    return -math.log(min(drawn, 1 - 2**-53)) / weight
