"""What looks like a secret in a text, blotted out before anybody reads it."""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_SECRETS = re.compile(
    r"""
    (?<= \b bearer \s) (?! error= ) [^\s"',;]+                     # Authorization: Bearer …
    | (?<! [\w-]) (?: sk | pk | rk | gsk | xai ) [-_] [\w-]{6,}  # sk-…, gsk_…
    | (?<! [\w-]) AIza [\w-]{20,}                                  # Google
    | (?<! [\w-]) gh[pousr]_ \w{20,}                               # GitHub
    | (?<= dgm_ [a-z2-7]{16} _ ) [a-z2-7]{20,}                     # ours: their ids may be seen
    | (?<! [\w-]) eyJ [\w-]+ \. [\w-]+ \. [\w-]*                   # a JSON Web Token
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED_SECRETS = re.compile(
    r"""
    ( (?: api [-_]? key | password | client_secret | secret_access_key
      | (?: access | refresh | session ) _token )
      ["']? \s* [:=] \s* ["']? ) [^\s"',;}]+
    | ( [?&] (?: key | token | sig | signature | secret | access_token ) = ) [^\s"'&\#]+  # URLs
    """,
    re.VERBOSE | re.IGNORECASE,
)
_INLINE = re.compile(
    r"""
    ( \b inline_ (?: string | bytes ) ["']? \s* : \s* )
    " (?: [^"\\] | \\. )* (?: " | \\? \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
"""In the text of a message of Envoy's API: keys and certificates are there."""
_PAIR = re.compile(r'(\{"(?P<name>[^"\\]*)", )"(?:[^"\\]|\\.)*"(?=\})')
"""A header and its value, in a script."""
_DUMP, _REASON = "goo.gle/debug", ": Proto constraint"
"""Envoy shows all of what it refuses, between these, before it says why."""

_NAMES = re.compile(
    r"""
    authorization | cookie | passw(?:or)?d | secret | credentials? | private [-_]? key
    | (?: api | access | subscription | auth ) [-_]? key (?! [a-z] )
    | (?<! [a-z] ) token (?! [a-z] )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether what has this name is likely to be a secret: `x-auth-token`, `apiKey`."""
    return _NAMES.search(name) is not None


def redact(text: str) -> str:
    """The text with credentials blotted out."""
    shown = _INLINE.sub(rf'\g<1>"{REDACTED}"', _without_dumps(text))
    shown = _PAIR.sub(_pair, shown)
    return _NAMED_SECRETS.sub(rf"\g<1>\g<2>{REDACTED}", _SECRETS.sub(REDACTED, shown))


def _pair(found: re.Match[str]) -> str:
    return f'{found[1]}"{REDACTED}"' if is_secret(found["name"]) else found[0]


def _without_dumps(text: str) -> str:
    kept, place = [], 0
    while (start := text.find(_DUMP, place)) >= 0:
        end = text.find(_REASON, start)
        if end < 0:
            break
        kept.append(f"{text[place:start]}{REDACTED}")
        place = end
    return "".join((*kept, text[place:]))
