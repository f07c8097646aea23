"""Apache's variant of MD5 for passwords, `$apr1$salt$…`: 1000 rounds, as `htpasswd -m` makes them.

https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
"""

from __future__ import annotations

from hashlib import md5

_PREFIX = b"$apr1$"
_ROUNDS = 1000
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
"""Which bytes of the digest are written together; the byte 11 is left, for the end."""


def apr1(password: bytes, salt: bytes) -> str:
    """The whole hash; of the salt, eight bytes count."""
    salt = salt[:8]
    digest = _first(password, salt)
    for turn in range(_ROUNDS):
        is_odd = turn & 1
        parts = [password if is_odd else digest]
        if turn % 3:
            parts.append(salt)
        if turn % 7:
            parts.append(password)
        parts.append(digest if is_odd else password)
        digest = md5(b"".join(parts), usedforsecurity=False).digest()
    return f"{(_PREFIX + salt).decode('latin-1')}${_written(digest)}"


def _first(password: bytes, salt: bytes) -> bytes:
    inner = md5(password + salt + password, usedforsecurity=False).digest()
    length = len(password)
    mixed = password + _PREFIX + salt + (inner * (length // 16 + 1))[:length]
    bits = length
    while bits:
        mixed += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    return md5(mixed, usedforsecurity=False).digest()


def _written(digest: bytes) -> str:
    values = [((digest[a] << 16) | (digest[b] << 8) | digest[c], 4) for a, b, c in _ORDER]
    return "".join(
        _DIGITS[value >> (6 * place) & 63]
        for value, count in (*values, (digest[11], 2))
        for place in range(count)
    )
