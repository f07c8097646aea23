"""Check digits of numbers that people carry. Each takes digits only, the check digits last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_FIRST_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


Checksum: TypeAlias = Callable[[str], bool]


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: cards, Canada's SIN, Sweden's personal numbers."""
    values = [*map(int, digits)]
    return (sum(values[::-2]) + sum([_DOUBLED[value] for value in values[-2::-2]])) % 10 == 0


def mod_97(text: str) -> bool:
    """ISO 7064 MOD 97-10 as ISO 13616 uses it: the first four characters count last."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def mod_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: Germany's tax ids."""
    product = 10
    for digit in digits[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod_11_2(text: str) -> bool:
    """ISO 7064 MOD 11-2, `X` for ten: China's resident ids."""
    total = 0
    for character in text[:-1]:
        total = (total + int(character)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == text[-1].upper()


def verhoeff(digits: str) -> bool:
    """Verhoeff's of 1969, over the dihedral group: India's Aadhaar."""
    check = 0
    permutation: tuple[int, ...] = tuple(range(10))
    for digit in reversed(digits):
        check = _DIHEDRAL[check][permutation[int(digit)]]
        permutation = tuple(_FIRST_PERMUTATION[place] for place in permutation)
    return check == 0


def ean_13(digits: str) -> bool:
    """GS1's: Switzerland's insurance numbers."""
    return weighted(digits, (1, 3) * 7) % 10 == 0
