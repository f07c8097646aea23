"""What pure builders made of which inputs, kept from one compilation to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar, cast

Inputs = ParamSpec("Inputs")
Made = TypeVar("Made")

KEPT_COMPILATIONS = 64
"""What was not asked for in so many is forgotten: there may be one for each audience."""


class Memo:
    """Remembers; inputs are frozen values, and a builder is a function of them alone."""

    __slots__ = ("_compilation", "_kept")

    def __init__(self) -> None:
        self._compilation = 0
        self._kept: dict[Hashable, list[Any]] = {}
        """Builder and inputs → what was made, and the compilation that last asked for it."""

    def of(
        self, build: Callable[Inputs, Made], *inputs: Inputs.args, **named: Inputs.kwargs
    ) -> Made:
        """What the builder makes of these inputs."""
        if named:
            raise TypeError("inputs are given in order")
        key = (build, inputs)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = [build(*inputs, **named), 0]
        kept[1] = self._compilation
        return cast("Made", kept[0])

    def begin(self) -> None:
        """Another compilation begins: forget what none has asked for lately."""
        self._compilation += 1
        oldest = self._compilation - KEPT_COMPILATIONS
        for key, kept in list(self._kept.items()):  # another thread may be compiling, too
            if kept[1] < oldest:
                self._kept.pop(key, None)

    def __len__(self) -> int:
        return len(self._kept)
