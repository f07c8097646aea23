"""Password files as Apache's `htpasswd` writes them: lines of a user and a hash, and the hashes.

https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Scheme(StrEnum):
    """How a password was hashed."""

    BCRYPT = "bcrypt"
    APR1 = "apr1"
    """Apache's MD5, in 1000 rounds."""
    SHA = "sha"
    """SHA-1 without salt, in base64."""


LARGEST_COST = 14
"""Of bcrypt: a second of CPU or so, for each check."""
_FORMS = (
    (Scheme.BCRYPT, re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")),
    (Scheme.APR1, re.compile(r"\$apr1\$[^$:\s]{1,8}\$[./A-Za-z0-9]{22}")),
    (Scheme.SHA, re.compile(r"\{SHA\}[A-Za-z0-9+/]{27}=")),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a password file."""

    line: int
    user: str
    hash: str = field(repr=False)


def entries(text: str) -> Iterator[Entry]:
    """Every line that is neither empty nor a comment. One without a colon has no hash."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            user, _, hashed = line.partition(":")
            yield Entry(number, user, hashed)


def members(text: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """The lines of a group file, `group: user user`: number, group, users."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            group, colon, users = line.partition(":")
            yield number, group.strip() if colon else "", tuple(users.split())


def scheme_of(hashed: str) -> Scheme | None:
    """By its form; None: it is none that we know."""
    return next((scheme for scheme, form in _FORMS if form.fullmatch(hashed)), None)


def cost_of(hashed: str) -> int:
    """Of a bcrypt hash: it is 2 to the power of that many rounds."""
    return int(hashed[4:6])


def mistake_in(entry: Entry) -> str | None:
    """What is wrong with a line; None: nothing. The hash is not repeated."""
    if not entry.user:
        return "has no user before the colon"
    if not entry.hash:
        return "has no hash: lines are user:hash"
    scheme = scheme_of(entry.hash)
    if scheme is None:
        return f"has no hash of '{entry.user}' in bcrypt, apr1 or sha"
    if scheme is Scheme.BCRYPT and not 4 <= cost_of(entry.hash) <= LARGEST_COST:
        return f"has a bcrypt hash of '{entry.user}' whose cost is not between 4 and {LARGEST_COST}"
    return None
