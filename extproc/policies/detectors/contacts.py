"""Mail addresses, telephone numbers and IP addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import phonenumbers

from extproc.policies.detectors.detector import (
    Candidate,
    Check,
    Context,
    Detector,
    Source,
    Span,
    compiled,
    whole,
)
from extproc.policies.detectors.numbering import NumberingPlans, digits_of, may_be_international
from gateway.kinds import Kind

_LETTERS = r"\p{Latin}\p{Cyrillic}\p{Greek}"
_FILES = frozenset(
    (
        "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "bmp", "css", "js", "mjs", "ts",
        "tsx", "json", "yaml", "yml", "html", "xml", "txt", "csv", "pdf", "exe", "jar",
        "git", "log", "lock", "toml", "java", "cpp", "sql",
    )
)  # fmt: skip
"""No top-level domains, though they stand where one would."""


def _is_mail(candidate: Candidate) -> bool:
    local, _, domain = candidate.value.rpartition("@")
    labels = domain.split(".")
    before, after = candidate.before(3), candidate.after(1)
    if len(local) > 64 or len(domain) > 253 or labels[-1].lower() in _FILES:
        return False
    if local.startswith(".") or ".." in local or any(label.endswith("-") for label in labels):
        return False
    if local == "git" and after in (":", "/"):
        return False  # an address of a repository
    # the password of a URL, and whatever else goes on to the left
    return not before.endswith("/") and not (before.endswith(":") and _is_in_url(candidate))


def _is_in_url(candidate: Candidate) -> bool:
    return "://" in candidate.before(80).rpartition(" ")[2]


_VERSION = Context(
    r"v|ver|version|versions|release|build|firmware|kernel|driver|section|oid|upgrade"
)
_LEAST_COLONS = 6
"""With an IPv4 address at the end, when none is left out."""
_MASKED = (IPv4Address("255.0.0.0"), IPv4Address("255.255.255.255"))


def _is_ip(candidate: Candidate) -> bool:
    value = candidate.value
    is_v4 = ":" not in value
    if not is_v4 and "::" not in value and value.count(":") < _LEAST_COLONS:
        return False
    before, after = candidate.before(1), candidate.after(4)
    if before.isalnum() or before in tuple("._:-@#$%") or after[:1].isalnum() or after[:1] == "_":
        is_labelled = before in (":", "@") and is_v4
        if not is_labelled or after[:1].isalnum():
            return False
    is_port = after[:1] == ":" and is_v4
    if after[:1] in (".", "-", ":") and after[1:2].isalnum() and not is_port:
        return False
    try:
        address = ip_address(value)
    except ValueError:
        return False
    if after[:1] == "/" and after[1:2].isdigit() and not _is_host(after, address):
        return False  # a network
    if address.is_loopback or address.is_unspecified:
        return False
    if isinstance(address, IPv4Address):
        is_mask = _MASKED[0] <= address <= _MASKED[1]
        return not is_mask and address.packed[0] != 0 and not _VERSION.is_near_before(candidate)
    return len(value) > 4 and any(mark.isdigit() for mark in value)


def _is_host(after: str, address: IPv4Address | IPv6Address) -> bool:
    return after.rstrip(".,; ")[1:] == str(address.max_prefixlen)


_CALLED = Context(
    r"tel|tels|telephone|phones?|phone[ _]?(?:no|number)|mobile|cell|cellphone|call|called|calling"
    r"|fax|whatsapp|sms|text me|reach me|ring|contact|hotline|dial|signal"
    r"|telefon(?:nummer)?|handy(?:nummer)?|mobil(?:nummer)?|rufnummer|anruf|ruf|rückruf"
    r"|t[ée]l[ée]phone|portable|appelez|appeler|t[ée]l|num[ée]ro"
    r"|tel[ée]fono|m[óo]vil|celular|llama|ll[áa]mame|telefone|telem[óo]vel|ligue|cellulare|chiama"
    r"|telefoon(?:nummer)?|bel|telefonnr|tlf|puhelin|telefonu"
)
_OTHER_NUMBERS = Context(
    r"order|invoice|ticket|case|id|isbn|issn|serial|sku|part|model|tracking|version|bestellung"
    r"|rechnung|commande|facture|pedido|build|commit|ref|account|ssn|ein|uuid|doi|zip|plz"
    r"|timestamp|epoch|port|pid|nhs|sin|imei|kundennummer|lot|batch"
)


_EXTENSION = r"(?: ?(?:ext\.?|x) ?\d{1,5})?"
_BARRED = tuple("+._-/#:$=%,")
"""Before other numbers."""


def phones(regions: Sequence[str]) -> tuple[Detector, ...]:
    """Numbers with a country's code, and as they are written within these regions (ISO 3166)."""
    return (
        Detector(
            Kind.PHONE,
            r"(?:\+|\b00)[1-9][\d ().\-/]{6}",
            r"(?:\+|\b00)[1-9](?:[ ().\-/]{0,2}\d){6,14}",
            _international,
        ),
        Detector(
            Kind.PHONE,
            r"\(\d{1,5}\)[ \-]?\d|\d{3}[ .\-]\d{3}[ .\-]\d{4}|0\d{1,4}[ \-/]\d\d",
            r"(?:\(\d{1,5}\)|1?[ .\-]?\d{3}[ .\-]\d{3}[ .\-]\d|0\d[ \-/]?\d)"
            rf"(?:[ ().\-/]{{0,2}}\d){{3,12}}{_EXTENSION}",
            _national(regions, is_called=False),
            resumes_early=True,
        ),
        Detector(
            Kind.PHONE,
            r"\d(?:[ ().\-/]{0,2}\d){6}",
            rf"\(?\d(?:[ ().\-/]{{0,2}}\d){{6,14}}{_EXTENSION}",
            _national(regions, is_called=True),
            resumes_early=True,
            context=_CALLED,
        ),
    )


_SPACED = str.maketrans(dict.fromkeys("()/-.", " "))


def _international(candidate: Candidate) -> Span | None:
    if candidate.before(1).isalnum() or candidate.before(1) in ("+", ".", "-", "_"):
        return None
    value = candidate.value
    plus = f"+{value[2:]}" if value.startswith("00") else value
    spaced = plus.translate(_SPACED)
    while True:
        digits = digits_of(plus)
        if may_be_international(digits) and _is_valid(candidate.source, f"+{digits}"):
            end = candidate.start + len(value)
            return None if candidate.text[end : end + 1].isalnum() else (candidate.start, end)
        # what follows the number may be another
        cut = spaced.rfind(" ", 0, len(plus))
        if cut < 8:
            return None
        value = value[: len(value) - len(plus) + cut].rstrip(" ().-/")
        plus = plus[:cut].rstrip(" ().-/")


def _national(regions: Sequence[str], *, is_called: bool) -> Check:
    """`is_called`: a word near it says that it is a telephone number."""
    plans, everywhere = NumberingPlans(regions), tuple(regions)

    def is_phone(candidate: Candidate) -> bool:
        before, after = candidate.before(1), candidate.after(2)
        if before.isalnum() or (before in _BARRED and not _is_named_field(candidate)):
            return False
        if after[:1].isalnum() or after[:1] in ("_", "%"):
            return False
        if len(after) == 2 and after[0] in ".-/:," and after[1].isdigit():
            return False
        value = candidate.value
        digits = digits_of(value)
        if not plans.may_have(digits):
            return False
        sizes = [len(group) for group in _GROUP.findall(value)]
        if sizes == [4, 2, 2] and value[0] in "12":
            return False  # a date
        if is_called:
            return _is_valid(candidate.source, digits, everywhere, plans)
        own = _regions_of(candidate, sizes, regions)
        is_other = _OTHER_NUMBERS.is_near(candidate) and not _CALLED.is_near(candidate)
        return not is_other and _is_valid(candidate.source, digits, tuple(own), plans)

    return whole(is_phone)


_GROUP = re.compile(r"\d+")


def _regions_of(candidate: Candidate, sizes: list[int], regions: Sequence[str]) -> Sequence[str]:
    """Where numbers are written so to be dialled: an area code apart, or a zero and groups."""
    value, before = candidate.value, candidate.before(2)
    if before[-1:] in (" ", "-") and before[:1].isdigit():
        return ()  # groups of something longer
    if value[0] == "(":
        return regions
    is_american = sizes[:3] == [3, 3, 4] or sizes[:4] == [1, 3, 3, 4]
    if is_american:
        return [region for region in regions if _is_american(region)]
    is_date = len(sizes) == 3 and sizes[0] <= 2 and sizes[1] <= 2
    is_trunk = value[0] == "0" and len(sizes) > 1 and "." not in value and not is_date
    is_long = sum(sizes) >= 9 and sizes != [3, 2, 4]
    return [each for each in regions if not _is_american(each)] if is_trunk and is_long else ()


def _is_american(region: str) -> bool:
    return phonenumbers.country_code_for_region(region) == 1


def _is_named_field(candidate: Candidate) -> bool:
    return candidate.before(1) in (":", "=") and _CALLED.is_near(candidate)


_ASKED = 200
_BYTES_PER_ASKED = 128


def _is_valid(
    source: Source,
    number: str,
    regions: tuple[str, ...] = (),
    plans: NumberingPlans | None = None,
) -> bool:
    """Of one of these regions, or international.

    The library is asked about so many numbers of a text. Of all further ones it is not, as that
    takes long: those that numbering plans do not rule out count as numbers.
    """
    answers = source.numbers
    asked = (number, regions)
    if asked in answers:
        return answers[asked]
    if plans is not None:
        regions = tuple(each for each in regions if plans.may_be_of(number, each))
        if not regions:
            return False
    if len(answers) >= _ASKED + len(source.text) // _BYTES_PER_ASKED:
        return True
    answers[asked] = any(_is_known(number, each) for each in regions or (None,))
    return answers[asked]


def _is_known(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


_LOCAL = rf"[{_LETTERS}0-9_%+](?:[{_LETTERS}0-9._%+'\-]{{0,63}}[{_LETTERS}0-9_%+\-])?\z"
_LOCAL_BYTES = 65 * 4


def _mail_begins(text: bytes, floor: int, end: int) -> int | None:
    """Where the part before an `@` at `end` does."""
    start = max(floor, end - _LOCAL_BYTES)
    match = compiled(_LOCAL).search(text[start:end])
    return None if match is None else start + match.start()


CONTACTS: tuple[Detector, ...] = (
    Detector(
        Kind.EMAIL,
        rf"[{_LETTERS}0-9._%+'\-]@[{_LETTERS}0-9\-]",
        rf"@(?:[{_LETTERS}0-9][{_LETTERS}0-9\-]{{0,62}}\.){{1,6}}"
        rf"(?:[{_LETTERS}]{{2,24}}|xn--[a-z0-9\-]{{2,40}})",
        whole(_is_mail),
        begins=_mail_begins,
    ),
    Detector(
        Kind.IP_ADDRESS,
        r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]",
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
        r"|(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{1,4})?",
        whole(_is_ip),
    ),
)
