"""Globs: texts in which `*` is anything and `?` one character."""

from __future__ import annotations

import re
from collections.abc import Iterable

import re2

_SIGNS = re.compile(r"(\*\*|[*?])")


def is_like(globs: Iterable[str], text: str) -> bool:
    """Whether the whole text fits one of the globs: `*` is anything, `?` one character.

    In time linear in the text, whatever the globs.
    """
    return any(re2.fullmatch(_pattern(glob), text) is not None for glob in globs)


def is_name_like(globs: Iterable[str], name: str) -> bool:
    """Whether a certificate's name is like one of the globs. A sign stands within a part of a URI's
    path, or a label of a DNS name, whose case does not count; `**`, and `*` alone, are any text."""
    return any(re2.fullmatch(_name_pattern(glob, name), name) is not None for glob in globs)


def _pattern(glob: str) -> str:
    return _with_signs(glob, ".")


def _name_pattern(glob: str, name: str) -> str:
    if glob == "*":
        return _pattern(glob)
    if "://" in name:
        return _with_signs(glob, "[^/]")
    return f"(?i){_with_signs(glob, '[^.]')}"


def _with_signs(glob: str, one: str) -> str:
    """A pattern in whose place of `*` stands any number of what `one` matches, of `?` one."""
    wild = {"**": ".*", "*": f"{one}*", "?": one}
    return "(?s)" + "".join(wild.get(part) or re2.escape(part) for part in _SIGNS.split(glob))
