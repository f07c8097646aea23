"""In which order the targets of a request are tried, how many, and how long each may take."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from extproc.health import Health
from gateway.failover import Failover
from gateway.model import Provider, Target


class Turns:
    """Failover as a program has it."""

    __slots__ = ("_failover", "_health", "_sequences")

    def __init__(
        self,
        failover: Failover,
        health: Health | None = None,
        sequences: Collection[tuple[str, ...]] = (),
    ) -> None:
        """`sequences` are the orders of providers that an Envoy knows which reads no plans."""
        self._failover = failover
        self._health = health
        self._sequences = frozenset(sequences)

    def order(self, targets: Sequence[Target]) -> tuple[int, ...] | None:
        """By health, as indices; None: as they are."""
        return None if self._health is None else self._health.order(targets)

    def is_open(self, target: Target) -> bool:
        """Whether it may be asked, where others can be in its place."""
        return self._health is None or self._health.is_open(target)

    def asked(self, target: Target) -> None:
        """A request goes there and nowhere else, though others were to choose from."""
        if self._health is not None:
            self._health.asked(target)

    def has(self, providers: Sequence[str]) -> bool:
        """Whether an Envoy that reads no plans can try them in this order."""
        return tuple(providers) in self._sequences

    def count(self, targets: int) -> int:
        """How many of so many targets are tried."""
        attempts = self._failover.attempts
        return targets if attempts is None else min(attempts, targets)

    def seconds(self, providers: Sequence[Provider], *, is_stream: bool) -> float | None:
        """Until a try at these has to have begun its answer; None: as long as it may be silent.

        Envoy has one value for all tries of a request: the longest that one of them may take.
        """
        bounds: list[float] = []
        if is_stream and any(each.first_byte_seconds is not None for each in providers):
            bounds.append(max(map(_first_byte, providers)))
        if self._failover.seconds is not None:
            bounds.append(self._failover.seconds / len(providers))
        return min(bounds, default=None)


def _first_byte(provider: Provider) -> float:
    found = provider.first_byte_seconds
    return provider.silence_seconds if found is None else found


AS_WRITTEN = Turns(Failover())
"""All, in the order in which they were chosen."""
