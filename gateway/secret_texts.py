"""What looks like a secret in a text, blotted out before anybody reads it."""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_SECRETS = re.compile(
    r"""
    (?<= \b bearer \s) [^\s"',;]+                                  # Authorization: Bearer …
    | (?<! [\w-]) (?: sk | pk | rk | gsk | xai ) [-_] [\w-]{6,}  # sk-…, gsk_…
    | (?<! [\w-]) AIza [\w-]{20,}                                  # Google
    | (?<! [\w-]) gh[pousr]_ \w{20,}                               # GitHub
    | (?<! [\w-]) eyJ [\w-]+ \. [\w-]+ \. [\w-]*                   # a JSON Web Token
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED_SECRETS = re.compile(
    r"""( (?: api [-_]? key | password ) ["']? \s* [:=] \s* ["']? ) [^\s"',;}]+""",
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with credentials blotted out."""
    return _NAMED_SECRETS.sub(rf"\g<1>{REDACTED}", _SECRETS.sub(REDACTED, text))
