"""What one call consumed: the word that the request path and the ledger share."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens, as the provider reported them (`envoy.data.ai.v3.TokenUsage`)."""

    input_tokens: int
    """All input, with the cached part."""
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens
