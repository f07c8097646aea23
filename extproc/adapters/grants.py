"""How large a slice of a budget a worker gets: a lot while there is a lot, exact at the end."""

from __future__ import annotations

from collections.abc import Sequence

DEMANDS_KEPT = 2
"""A busy worker keeps so many times what was asked of it since its last visit to the store."""
CALLS_AHEAD = 8
"""Who comes for one call gets room for so many, and need not come for each."""


def wanted(demand: int, needs: Sequence[int]) -> int:
    """How much a worker would like to have free."""
    return max(DEMANDS_KEPT * demand, CALLS_AHEAD * sum(needs))


def fair_share(remaining: int, workers: int) -> int:
    """How much one worker may hold idle: together they leave at least half in the store."""
    return max(0, remaining) // (2 * max(1, workers))


def fitting(needs: Sequence[int], available: int) -> int:
    """The sum of those needs that can all be met, first come first served."""
    total = 0
    for need in needs:
        if total + need <= available:
            total += need
    return total


def grant(remaining: int, needed: int, wish: int, share: int) -> int:
    """What to add to a worker's slice, never more than `remaining`.

    What is needed is added in full, whatever lies in the slice, while there is enough: calls that
    come in the meantime may take that.
    """
    return max(0, min(remaining, max(needed, min(wish, share))))
