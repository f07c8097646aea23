"""Numbers by which countries know people. Without a telling form, one must be named to be found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from extproc.policies.detectors.checksums import (
    ean_13,
    luhn,
    mod_11_2,
    mod_11_10,
    verhoeff,
    weighted,
)
from extproc.policies.detectors.detector import Candidate, Check, Context, Detector, whole
from gateway.kinds import Kind

_NEVER_ISSUED = frozenset(("078051120", "219099999", "457555462"))
"""Social security numbers that were printed in advertisements, and are void."""
_VOID_PREFIXES = frozenset(("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"))
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ITALIAN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)  # fmt: skip  # noqa: E501


def _us_ssn(digits: str) -> bool:
    """Areas 000, 666 and 900 to 999, group 00 and serial 0000 are never issued."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    is_possible = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return is_possible and digits not in _NEVER_ISSUED


def _us_itin(digits: str) -> bool:
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 99) and group not in (66, 67, 68, 69, 89, 93)


def _ca_sin(digits: str) -> bool:
    return digits[0] != "8" and len(set(digits)) > 1 and luhn(digits)


def _is_sine(candidate: Candidate) -> bool:
    return candidate.before(4).lower() == "sin("


def _uk_nhs(digits: str) -> bool:
    rest = (11 - weighted(digits[:9], range(10, 1, -1)) % 11) % 11
    return rest == int(digits[9]) and len(set(digits)) > 1


def _de_tax_id(digits: str) -> bool:
    """One digit stands two or three times among the first ten, the others once at most."""
    counts = sorted(digits[:10].count(each) for each in set(digits[:10]))
    is_one = digits[0] != "0" and counts[-1] in (2, 3) and (counts[-2:-1] or [1]) == [1]
    return is_one and mod_11_10(digits)


def _fr_nir(value: str) -> bool:
    plain = "".join(value.split()).upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def _es_dni(value: str) -> bool:
    plain = value.upper().replace("-", "").replace(" ", "")
    number = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _DNI_LETTERS[int(number) % 23] == plain[-1]


def _it_fiscal_code(value: str) -> bool:
    total = 0
    for place, mark in enumerate(value[:15].upper()):
        number = int(mark) if mark.isdigit() else ord(mark) - ord("A")
        total += _ITALIAN_ODD[number] if place % 2 == 0 else number
    return chr(ord("A") + total % 26) == value[15].upper()


def _nl_bsn(digits: str) -> bool:
    total = weighted(digits[:8], range(9, 1, -1)) - int(digits[8])
    return total % 11 == 0 and len(set(digits)) > 1


def _be_nrn(digits: str) -> bool:
    number, key = int(digits[:9]), int(digits[9:])
    return key in (97 - number % 97, 97 - (2_000_000_000 + number) % 97) and digits[2:4] <= "12"


def _pl_pesel(digits: str) -> bool:
    month = int(digits[2:4])
    is_day = _is_date(1900 + int(digits[:2]), month % 20, int(digits[4:6]))
    return is_day and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _se_personnummer(digits: str) -> bool:
    short = digits[-10:]
    day = int(short[4:6])
    is_day = _is_date(2000 + int(short[:2]), int(short[2:4]), day if day < 60 else day - 60)
    return is_day and luhn(short)


def _fi_hetu(value: str) -> bool:
    number = int(value[:6] + value[7:10])
    is_day = _is_date(2000 + int(value[4:6]), int(value[2:4]), int(value[:2]))
    return is_day and _HETU_LETTERS[number % 31] == value[10].upper()


def _br_cpf(digits: str) -> bool:
    if len(set(digits)) == 1:
        return False
    first = weighted(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return digits[9:] == f"{first}{second}"


def _au_tfn(digits: str) -> bool:
    return weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and len(set(digits)) > 1


def _cn_id(value: str) -> bool:
    is_day = _is_date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    return is_day and mod_11_2(value)


def _sg_nric(value: str) -> bool:
    total = weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if value[0] in "TG" else 0)
    letters = "JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNMLK"
    return letters[total % 11] == value[8]


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _digits(is_one: Callable[[str], bool]) -> Check:
    return whole(lambda candidate: _is_apart(candidate) and is_one(candidate.digits))


def _text(is_one: Callable[[str], bool]) -> Check:
    return whole(lambda candidate: _is_apart(candidate) and is_one(candidate.value))


def _is_apart(candidate: Candidate) -> bool:
    before, after = candidate.before(2), candidate.after(2)
    is_led = len(before) == 2 and before[1] in "-/" and before[0].isdigit()
    is_followed = len(after) == 2 and after[0] in "-/" and after[1].isdigit()
    return candidate.stands_alone and not is_led and not is_followed


_SSN_WORDS = r"ssns?|social[ _\-]?security|soc[ .]?sec|seguro social|tax[ _\-]?id|taxpayer"
_SIN_WORDS = r"sins?|social[ _\-]?insurance|nas|assurance[ _\-]sociale"
_TAX_ID_WORDS = (
    r"steuer[ \-]?(?:id|identifikationsnummer|nummer|nr)|idnr|id-?nr|tax[ _\-]?id|tin|steuerliche"
)
_BRAZIL_WORDS = r"cpf|cadastro|contribuinte"

IDENTITIES: tuple[Detector, ...] = (
    Detector(
        Kind.US_SSN,
        r"\d{3}[- ]\d{2}[- ]\d{4}",
        r"\d{3}-\d{2}-\d{4}",
        _digits(_us_ssn),
    ),
    Detector(
        Kind.US_SSN,
        r"\d{3} ?\d{2} ?\d{4}",
        r"\d{3} \d{2} \d{4}|\d{9}",
        _digits(_us_ssn),
        context=Context(_SSN_WORDS),
        resumes_early=True,
    ),
    Detector(
        Kind.US_ITIN,
        r"9\d{2}[- ]?\d{2}[- ]?\d{4}",
        r"9\d{2}-\d{2}-\d{4}",
        _digits(_us_itin),
    ),
    Detector(
        Kind.US_ITIN,
        r"9\d{2} ?\d{2} ?\d{4}",
        r"9\d{2} \d{2} \d{4}|9\d{8}",
        _digits(_us_itin),
        context=Context(r"itins?|tax[ _\-]?id|taxpayer"),
        resumes_early=True,
    ),
    Detector(
        Kind.CA_SIN,
        r"\d{3}-\d{3}-\d{3}",
        r"[1-79]\d{2}-\d{3}-\d{3}",
        _digits(_ca_sin),
    ),
    Detector(
        Kind.CA_SIN,
        r"\d{3}[ \-]?\d{3}[ \-]?\d{3}",
        r"\d{3} \d{3} \d{3}|\d{3}-\d{3}-\d{3}|\d{9}",
        whole(lambda each: _is_apart(each) and not _is_sine(each) and _ca_sin(each.digits)),
        context=Context(_SIN_WORDS),
        resumes_early=True,
    ),
    Detector(
        Kind.UK_NHS,
        r"\d{3}[ \-]?\d{3}[ \-]?\d{4}",
        r"\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4}|\d{10}",
        _digits(_uk_nhs),
        context=Context(r"nhs|national health"),
        resumes_early=True,
    ),
    Detector(
        Kind.UK_NINO,
        r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        r"[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z](?:\d{6}|(?: \d{2}){3} ?| \d{6} )[A-D]",
        _text(lambda value: value[:2] not in _VOID_PREFIXES),
    ),
    Detector(
        Kind.DE_TAX_ID,
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        r"\d{2} \d{3} \d{3} \d{3}|\d{11}",
        _digits(_de_tax_id),
        context=Context(_TAX_ID_WORDS),
        resumes_early=True,
    ),
    Detector(
        Kind.FR_NIR,
        r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3}",
        r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
        _text(_fr_nir),
        resumes_early=True,
    ),
    Detector(
        Kind.ES_DNI,
        r"[\dXYZxyz]\d{7}[ \-]?[A-Za-z]",
        r"(?:\d{8}|[XYZxyz]-?\d{7})-?[A-HJ-NP-TV-Za-hj-np-tv-z]",
        _text(_es_dni),
        resumes_early=True,
    ),
    Detector(
        Kind.IT_FISCAL_CODE,
        r"(?i)[a-z]{6}\d{2}[a-ehlmprst]\d{2}[a-z]\d{3}[a-z]",
        r"(?i)[a-z]{6}\d{2}[a-ehlmprst][0-7]\d[a-z]\d{3}[a-z]",
        _text(_it_fiscal_code),
    ),
    Detector(
        Kind.NL_BSN,
        r"\d{4}[. ]?\d{2}[. ]?\d{3}",
        r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}",
        _digits(_nl_bsn),
        context=Context(r"bsn|burgerservice(?:nummer)?|sofi(?:nummer)?"),
        resumes_early=True,
    ),
    Detector(
        Kind.BE_NRN,
        r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}",
        r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}",
        _digits(_be_nrn),
    ),
    Detector(
        Kind.BE_NRN,
        r"\d{11}",
        r"\d{11}",
        _digits(_be_nrn),
        context=Context(
            r"rijksregister(?:nummer)?|registre national|national register|niss|insz|nrn"
        ),
    ),
    Detector(
        Kind.CH_AHV,
        r"756[. ]?\d{4}",
        r"756\.\d{4}\.\d{4}\.\d{2}|756 \d{4} \d{4} \d{2}|756\d{10}",
        _digits(ean_13),
    ),
    Detector(
        Kind.PL_PESEL,
        r"\d{11}",
        r"\d{11}",
        _digits(_pl_pesel),
        context=Context(r"pesel\w{0,3}"),
    ),
    Detector(
        Kind.SE_PERSONNUMMER,
        r"\d{6}[-+]\d{4}",
        r"(?:19|20)?\d{6}[-+]\d{4}",
        _digits(_se_personnummer),
    ),
    Detector(
        Kind.FI_HETU,
        r"\d{6}[-+A]\d{3}[0-9A-Y]",
        r"[0-3]\d[01]\d{3}[-+A]\d{3}[0-9A-FHJ-NPR-Y]",
        _text(_fi_hetu),
    ),
    Detector(
        Kind.BR_CPF,
        r"\d{3}\.\d{3}\.\d{3}-\d{2}",
        r"\d{3}\.\d{3}\.\d{3}-\d{2}",
        _digits(_br_cpf),
    ),
    Detector(
        Kind.BR_CPF,
        r"\d{11}",
        r"\d{11}",
        _digits(_br_cpf),
        context=Context(_BRAZIL_WORDS),
    ),
    Detector(
        Kind.IN_AADHAAR,
        r"[2-9]\d{3}[ \-]?\d{4}[ \-]?\d{4}",
        r"[2-9]\d{3} \d{4} \d{4}|[2-9]\d{3}-\d{4}-\d{4}|[2-9]\d{11}",
        _digits(verhoeff),
        context=Context(r"aadhaa?r|uidai|आधार(?: संख्या)?"),
        resumes_early=True,
    ),
    Detector(
        Kind.AU_TFN,
        r"\d{3} ?\d{3} ?\d{3}",
        r"\d{3} \d{3} \d{3}|\d{9}",
        _digits(_au_tfn),
        context=Context(r"tfn|tax[ _\-]?file"),
        resumes_early=True,
    ),
    Detector(
        Kind.CN_ID,
        r"\d{17}[\dXx]",
        r"[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d\d{3}[\dXx]",
        _text(_cn_id),
    ),
    Detector(
        Kind.SG_NRIC,
        r"[STFG]\d{7}[A-Z]",
        r"[STFG]\d{7}[A-Z]",
        _text(_sg_nric),
    ),
)
