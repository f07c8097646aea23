"""Secrets that no vendor marks: private keys, tokens that can be decoded, and whatever is called a
password.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from extproc.policies.detectors.detector import Candidate, Detector, Span, entropy
from gateway.kinds import Kind

_SPOKEN = (
    r"password|passwd|passphrase|passcode|pwd|passwort|kennwort|contrase[ñn]a|mot de passe|senha"
    r"|wachtwoord"
)
_NAMES = (
    rf"{_SPOKEN}|pass|pin ?code|secrets?|secret[_\-]?key|client[_\-]?secret"
    r"|api[_\- ]?(?:key|token|secret)|auth[_\-]?(?:key|token)|access[_\-]?(?:key|token)"
    r"|refresh[_\-]?token|bearer[_\-]?token|private[_\-]?token|signing[_\-]?key"
    r"|encryption[_\-]?key|master[_\-]?key|token|credentials?"
)
_PLACEHOLDERS = frozenset(
    (
        "password", "passwort", "secret", "changeme", "change_me", "example", "none",
        "null", "true", "false", "undefined", "nil", "empty", "redacted", "hidden",
        "required", "optional", "string", "text", "your_password", "yourpassword",
        "xxxxxxxx", "todo", "tbd", "removed", "masked", "default", "unknown", "invalid",
        "incorrect", "wrong", "expired", "missing",
    )
)  # fmt: skip
_PLACED = (
    "<",
    "{",
    "$",
    "%",
    "[",
    "(",
    "*",
    "…",
    "...",
    "your",
    "my_",
    "process.env",
    "os.environ",
)
"""With what a value begins that stands for another."""
_IN_CODE = ("(", ")", "[", "]", "::", "->", "=>", "{{", "${")
_MIN_ENTROPY = 2.5
_KEY_BYTES = 64 << 10
"""How far the last line of a key is looked for."""
_HEADER_LINES = re.compile(
    rb"(?:(?:\r?\n|\\r?\\?n)[A-Za-z][A-Za-z0-9\-]{0,30}: [^\r\n\\]{0,200}){0,8}"
)
"""Of a key that is encrypted (RFC 1421), or of OpenPGP's armor."""
_FIRST_LINE, _LAST_LINE = b"-----BEGIN", b"-----END"
_BASE_64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_JWT_REST = _BASE_64 + b"_-."
_KEY_LINES = _BASE_64 + b"+/=\r\n\\"


class _Header(msgspec.Struct):
    """The header of a JWT (RFC 7519): what algorithm it is signed by."""

    alg: str


def _jwt(candidate: Candidate) -> Span | None:
    """A header that can be decoded, and at least two more parts, the last of which may be empty; or
    the beginning of one, at the end of the text."""
    header = candidate.value.rstrip(".")
    if candidate.before(1).isalnum():
        return None
    try:
        text = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
        msgspec.json.decode(text, type=_Header)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    end = _run_end(candidate.text, candidate.end, _JWT_REST)
    parts = candidate.text[candidate.end : end].split(b".")
    is_whole = len(parts) >= 4 or (len(parts) == 2 and parts[0])  # JWE, JWS
    is_cut = end == len(candidate.text) and parts[0].startswith(b"ey") and len(parts[0]) >= 16
    return (candidate.start, end) if is_whole or is_cut else None


def _private_key(candidate: Candidate) -> Span:
    """To its last line; without one, all that looks like base 64 after the first."""
    text, begin = candidate.text, candidate.end
    other = text.find(_FIRST_LINE, begin, begin + _KEY_BYTES)
    last = text.find(_LAST_LINE, begin, other if other >= 0 else begin + _KEY_BYTES)
    if last < 0:
        headers = _HEADER_LINES.match(text, begin)
        return candidate.start, _run_end(text, headers.end() if headers else begin, _KEY_LINES)
    end = text.find(b"-----", last + len(_LAST_LINE), last + 80)
    return candidate.start, last + len(_LAST_LINE) if end < 0 else end + 5


def _run_end(text: bytes, start: int, alphabet: bytes) -> int:
    """Where the bytes of this alphabet end."""
    while start < len(text):
        piece = text[start : start + 256]
        rest = len(piece.lstrip(alphabet))
        start += len(piece) - rest
        if rest:
            break
    return start


def _url_password(candidate: Candidate) -> Span | None:
    value = candidate.value
    return None if _is_placeholder(value) or len(set(value)) == 1 else candidate.span


def _bearer(candidate: Candidate) -> Span | None:
    value = candidate.value
    is_random = any(mark.isdigit() for mark in value) and entropy(value) >= 3
    return candidate.span if is_random and not _is_placeholder(value) else None


def _password(candidate: Candidate) -> Span | None:
    is_quoted = candidate.before(1) in ("'", '"', "`")
    value = candidate.value if is_quoted else _unquoted(candidate.value)
    if len(value) < 6 or _is_placeholder(value) or entropy(value) < min(_MIN_ENTROPY, _most(value)):
        return None
    if not _is_mixed(value) or any(mark in value for mark in _IN_CODE):
        return None
    if not is_quoted and _is_expression(value, candidate):
        return None
    return candidate.start, candidate.start + len(value.encode())


def _unquoted(value: str) -> str:
    """Without the punctuation of a sentence, and without the next parameters of a query."""
    first, *others = value.split("&")
    for piece in others:
        if "=" in piece:
            break
        first += f"&{piece}"
    return first.rstrip(".,;:!?")


def _most(value: str) -> float:
    """What short values can reach, with one pair the same."""
    return entropy("".join(chr(place) for place in range(len(value) - 1)) + "\0") - 0.2


def _is_mixed(value: str) -> bool:
    """Not a word of a language, nor a name in code: digits or marks among letters."""
    has_digit = any(mark.isdigit() for mark in value)
    has_mark = any(not mark.isalnum() and mark not in "_-./" for mark in value)
    has_letter = any(mark.isalpha() for mark in value)
    return has_letter and (has_digit or has_mark)


def _is_expression(value: str, candidate: Candidate) -> bool:
    """A call, an index, or a path through attributes."""
    if candidate.after(1) in ("(", "["):
        return True
    parts = value.split(".")
    is_path = len(parts) > 1 and all(part.isidentifier() for part in parts)
    return is_path or "/" in value[:1] or value.startswith(("http:", "https:", "./", "~/"))


def _is_placeholder(value: str) -> bool:
    lower = value.lower().strip("'\"")
    if lower in _PLACEHOLDERS or lower.startswith(_PLACED):
        return True
    letters = {mark for mark in lower if mark.isalnum()}
    return len(letters) <= 2 or "placeholder" in lower or "your-" in lower or "your_" in lower


_VALUE = r"[\"'`]([^\s\"'`]{6,200})|\*{0,2}([^\s\"'`<>,;|\\]{6,200})"

CREDENTIALS: tuple[Detector, ...] = (
    Detector(
        Kind.PRIVATE_KEY,
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
        _private_key,
    ),
    Detector(
        Kind.JWT,
        r"ey[A-Z][A-Za-z0-9_\-]{6}",
        r"ey[A-Z][A-Za-z0-9_\-]{8,900}\.",
        _jwt,
    ),
    Detector(
        Kind.URL_PASSWORD,
        r"[a-z0-9]://[^\s/@:]{0,64}:[^\s/@]",
        r"[a-z][a-z0-9+.\-]{1,20}://[^\s/@:\"'<>]{0,64}:([^\s/@\"'<>]{1,128})@[A-Za-z0-9\[]",
        _url_password,
    ),
    Detector(
        Kind.PASSWORD,
        r"(?i)(?:bearer|basic)\s",
        r"(?i:(?:bearer|authorization[\"']?\s?[:=]\s?[\"']?basic)\s{1,2})"
        r"([A-Za-z0-9._~+/\-]{16,900}={0,2})",
        _bearer,
    ),
    Detector(
        Kind.PASSWORD,
        rf"(?i)(?:{_NAMES})(?:[_\-]\w{{1,12}})?[\"'`*]{{0,2}}\s{{0,3}}(?:[:=])",
        rf"(?i:(?:{_NAMES})(?:[_\-]\w{{1,12}})?[\"'`*]{{0,2}}\s{{0,3}}"
        r"(?::=|=>|={1,3}|:)\s{0,3})"
        rf"(?:{_VALUE})",
        _password,
    ),
    Detector(
        Kind.PASSWORD,
        rf"(?i)(?:{_SPOKEN})",
        rf"(?i:(?:{_SPOKEN})(?: (?:for|von|f[üu]r|de|pour|para)(?: [\w.\-]{{1,20}}){{1,3}})?"
        r" (?:is|was|ist|lautet|es|est|[ée]|to)(?: now| set to|:)? [\"'`]?)"
        r"([^\s\"'`<>,;]{6,100})",
        _password,
    ),
)
