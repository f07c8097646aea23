"""Providers that Envoy could not ask, told to who reads the log: the client hears of a bare 503."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

_MEANINGS: Mapping[str, str] = {
    "no_healthy_upstream": "its name has no address, or no server of it is well",
    "lua_response": "there is no token for it yet",
}
"""Of details that say little."""
QUIET_SECONDS = 60.0
"""After a line about a provider, until the next."""


class Outages:
    """What is known of them, in one program."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is in seconds, and never goes back."""
        self._now = now
        self._told: dict[str, float] = {}

    def tell(self, provider: str, status: int, details: str) -> bool:
        """Whether it was told. `details` are Envoy's, of an answer that it gave itself."""
        now = self._now()
        last = self._told.get(provider)
        if last is not None and now - last < QUIET_SECONDS:
            return False
        self._told[provider] = now
        meaning = f" ({_MEANINGS[details]})" if details in _MEANINGS else ""
        logger.warning("no answer of provider '%s': %d %s%s", provider, status, details, meaning)
        return True
