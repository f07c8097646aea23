"""Whether a URI comes of a URI template: RFC 6570 up to level 3, and the modifiers of level 4.

A template is a pattern for what its expansions can be, whatever the values; RE2 keeps the time
linear, since templates come from servers and URIs from clients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import re2

_EXPRESSION: Final = re.compile(r"\{([+#./;?&]?)([A-Za-z0-9_.,%:*-]+)\}")
_EXPANSIONS: Final[Mapping[str, str]] = {
    "": r"[^/?#]*",
    "+": r".*",
    "#": r"(?:#.*)?",
    ".": r"(?:\.[^/?#]*)?",
    "/": r"(?:/[^?#]*)?",
    ";": r"(?:;[^/?#]*)?",
    "?": r"(?:\?[^#]*)?",
    "&": r"(?:&[^#]*)?",
}
"""What can stand for an expression, by its operator."""
_LONGEST: Final = 2048
_MOST_EXPRESSIONS: Final = 32


class UriTemplate:
    """A template, made ready."""

    __slots__ = ("_pattern", "literal_length", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        literals: list[str] = []
        pieces: list[str] = []
        position = 0
        for found in _EXPRESSION.finditer(text[:_LONGEST]):
            literals.append(text[position : found.start()])
            pieces += (re2.escape(literals[-1]), _EXPANSIONS[found[1]])
            position = found.end()
        literals.append(text[position:])
        pieces.append(re2.escape(literals[-1]))
        self.literal_length = sum(map(len, literals))
        """How much of it is said: of two that match, the longer says more."""
        is_read = len(text) <= _LONGEST and len(literals) <= _MOST_EXPRESSIONS + 1
        is_read = is_read and not any("{" in each or "}" in each for each in literals)
        self._pattern = re2.compile(f"(?s){''.join(pieces)}") if is_read else None

    def matches(self, uri: str) -> bool:
        """Whether it can expand to that. A template that cannot be read expands to nothing."""
        return self._pattern is not None and self._pattern.fullmatch(uri) is not None
