"""The models of a program, by the names that clients ask for; `*` in one stands for anything."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gateway.model import Model


class Named(Struct, frozen=True):
    """A model, as a request asks for it."""

    model: Model
    matched: str | None
    """What the `*` of its name stands for; None: it has none."""

    def filled(self, name: str) -> str:
        """The name of a target, where `*` is what it is in the model's."""
        return name if self.matched is None else name.replace("*", self.matched, 1)


class Models:
    """Those without `*` come first, the others in their order."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, models: Iterable[Model]) -> None:
        known = tuple(models)
        self._exact = {each.name: Named(each, None) for each in known if "*" not in each.name}
        self._patterns = tuple(_pattern(each) for each in known if "*" in each.name)

    def find(self, asked: str) -> Named | None:
        found = self._exact.get(asked)
        if found is not None:
            return found
        for prefix, suffix, model in self._patterns:
            if (
                len(asked) >= len(prefix) + len(suffix)
                and asked.startswith(prefix)
                and asked.endswith(suffix)
            ):
                return Named(model, asked[len(prefix) : len(asked) - len(suffix)])
        return None


def _pattern(model: Model) -> tuple[str, str, Model]:
    prefix, _, suffix = model.name.partition("*")
    return prefix, suffix, model
