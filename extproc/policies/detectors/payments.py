"""Payment cards (ISO/IEC 7812) and bank accounts (ISO 13616)."""

from __future__ import annotations

from collections.abc import Mapping

from extproc.policies.detectors.checksums import luhn, mod_97
from extproc.policies.detectors.detector import Candidate, Detector, Span, whole
from gateway.kinds import Kind

_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (2200, 2204, frozenset((16, 17, 18, 19))),  # Mir
    (2221, 2720, frozenset((16,))),  # Mastercard
    (3000, 3059, frozenset((14, 16, 17, 18, 19))),  # Diners Club
    (3095, 3095, frozenset((14, 16, 17, 18, 19))),
    (3400, 3499, frozenset((15,))),  # American Express
    (3528, 3589, frozenset((16, 17, 18, 19))),  # JCB
    (3600, 3699, frozenset((14, 16, 17, 18, 19))),  # Diners Club
    (3700, 3799, frozenset((15,))),  # American Express
    (3800, 3999, frozenset((14, 16, 17, 18, 19))),  # Diners Club
    (4000, 4999, frozenset((13, 16, 19))),  # Visa
    (5018, 5018, frozenset(range(13, 20))),  # Maestro
    (5020, 5020, frozenset(range(13, 20))),
    (5038, 5038, frozenset(range(13, 20))),
    (5061, 5061, frozenset((16, 18, 19))),  # Verve
    (5078, 5079, frozenset((16, 18, 19))),
    (5100, 5599, frozenset((16,))),  # Mastercard
    (5893, 5893, frozenset(range(13, 20))),  # Maestro
    (6011, 6011, frozenset((16, 17, 18, 19))),  # Discover
    (6200, 6299, frozenset((16, 17, 18, 19))),  # UnionPay
    (6304, 6304, frozenset(range(13, 20))),  # Maestro
    (6440, 6599, frozenset((16, 17, 18, 19))),  # Discover
    (6759, 6763, frozenset(range(13, 20))),  # Maestro
    (8100, 8171, frozenset((16, 17, 18, 19))),  # UnionPay
    (9792, 9792, frozenset((16,))),  # Troy
)
"""First and last four digits of the networks' ranges, and how long their numbers are."""

_SIZES: Mapping[int, frozenset[int]] = {
    first: frozenset[int]().union(*(each for low, high, each in _ISSUERS if low <= first <= high))
    for low, high, _ in _ISSUERS
    for first in range(low, high + 1)
}
"""How long a number may be, by its first four digits."""

_IBAN_COUNTRIES: Mapping[int, str] = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""By length, as SWIFT's registry has them."""
_IBAN_LENGTHS: Mapping[str, int] = {
    country: length
    for length, countries in _IBAN_COUNTRIES.items()
    for country in countries.split()
}


def _is_card(candidate: Candidate) -> bool:
    digits = candidate.digits
    return (
        len(digits) in _SIZES.get(int(digits[:4]), ())
        and candidate.stands_alone
        and luhn(digits)
        and not _continues(candidate)
    )


def _continues(candidate: Candidate) -> bool:
    """Groups of a longer number: more digits behind the same separator."""
    value = candidate.value
    separators = {mark for mark in value if not mark.isdigit()}
    before, after = candidate.before(2), candidate.after(2)
    is_led = len(before) == 2 and before[1] == "-" and before[0].isdigit()
    is_followed = len(after) == 2 and after[0] == "-" and after[1].isdigit()
    return len(separators) > 1 or is_led or is_followed


def _iban(candidate: Candidate) -> Span | None:
    value = candidate.value.upper()
    length = _IBAN_LENGTHS.get(value[:2])
    if length is None or (candidate.before(1) or " ").isalnum():
        return None
    plain = ""
    for place, mark in enumerate(value):
        if mark.isalnum():
            plain += mark
        if len(plain) == length:
            end = place + 1
            rest = value[end : end + 1] or candidate.after(1) or " "
            if rest.isalnum() or not mod_97(plain):
                return None
            return candidate.start, candidate.start + end
    return None


_FIRST = r"(?:2[2-7]|3[04-9]|[456]\d|8[01]|97)"
"""The first two digits, of all networks."""
PAYMENTS: tuple[Detector, ...] = (
    Detector(
        Kind.CREDIT_CARD,
        r"\d(?:[ .\-]?\d){12}",
        rf"{_FIRST}(?:\d{{11,17}}"
        r"|\d\d[ .\-]\d{4}[ .\-]\d{4}[ .\-]\d{4}(?:[ .\-]\d{3})?"
        r"|\d\d[ .\-]\d{6}[ .\-]\d{4,5}|\d\d[ .\-]\d{3}[ .\-]\d{3}[ .\-]\d{3}"
        r"|\d{4}[ .\-]\d{13}|\d{6}[ .\-]\d{8})",
        whole(_is_card),
        resumes_early=True,
    ),
    Detector(
        Kind.IBAN,
        r"(?i)[a-z]{2}\d{2}[ \-]?[a-z0-9]{4}[ \-]?[a-z0-9]{4}",
        r"(?i)[a-z]{2}\d{2}(?:[ \-]?[a-z0-9]){11,30}",
        _iban,
        resumes_early=True,
    ),
)
