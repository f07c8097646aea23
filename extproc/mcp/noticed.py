"""What operators are told of servers' lists: once, and again when it has changed."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from extproc.mcp.naming import Target

logger = logging.getLogger(__name__)

_MOST: Final = 1024


class Noticed:
    """What was told."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], object] = OrderedDict()

    def unread(self, server: str, what: str, times: int) -> None:
        """Entries of a list have no name, and were left out."""
        if self._is_new((server, what), times, 0):
            logger.warning("the MCP server %s lists %d %s without a name", server, times, what)

    def hidden(self, view: str, targets: Sequence[Target]) -> None:
        """Tools or prompts cannot be reached, since another server has their name."""
        texts = sorted(f"{each.name} of {each.server}" for each in targets)
        if self._is_new(("", view), texts, []):
            shown = ", ".join(texts)
            logger.warning("at /%s, names are taken by servers before: %s", view, shown)

    def _is_new(self, key: tuple[str, str], value: object, nothing: object) -> bool:
        if self._told.get(key, nothing) == value:
            return False
        self._told[key] = value
        self._told.move_to_end(key)
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        return value != nothing
