"""AgentGateway's variables → ours.

It replaces `$VAR`, `${VAR}` and `${VAR:-default}` over the whole text before YAML reads it, `$$`
stands for `$`. So they are taken out before YAML reads the text, and put back into each value.
"""

from __future__ import annotations

import re

from gateway.config.environment import escape

_OPEN, _CLOSE = "\ue000", "\ue001"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_THEIRS = re.compile(rf"\$\$|\$\{{({_NAME})(?::-([^}}\n]*))?\}}|\$({_NAME})")
_PLACE = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class Variables:
    """The variables of one text."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def take_out(self, text: str) -> str:
        """The text with a mark for each variable, which YAML reads as a piece of any text."""
        for mark in (_OPEN, _CLOSE):
            text = text.replace(mark, "\ufffd")
        return _THEIRS.sub(self._mark, text)

    def put_back(self, text: str) -> str:
        """A value as our language writes it."""
        return _PLACE.sub(lambda match: self._found[int(match[1])], escape(text))

    def _mark(self, match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match[1] or match[3], match[2]
        self._found.append(f"${{{name}}}" if default is None else f"${{{name}:-{default}}}")
        return f"{_OPEN}{len(self._found) - 1}{_CLOSE}"
