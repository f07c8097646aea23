"""Blocks of lists that were valid when they were last read: they are not validated again.

An item is known by its identity: the documents of files that have not changed are the same objects,
and nobody changes what is in them.
"""

from __future__ import annotations

from pydantic import ValidationError

from gateway.config.block import Block
from gateway.config.kinds import fields, items, plain
from gateway.config.schema import Config


class KeptBlocks:
    """Items as they were read → the blocks that they are."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, Block]] = {}
        """By `id` of the item, which lives as long as it stands here."""

    def put_in(self, document: object) -> object:
        """The document with blocks in the place of the items that are valid. What is not there any
        more is forgotten."""
        known, self._known = self._known, {}
        if not isinstance(document, dict):
            return document
        kinds = {key: items(plain(kind)) for key, kind in fields(Config).items()}
        return {
            key: self._blocks(kinds.get(key), value, known) if isinstance(value, list) else value
            for key, value in document.items()
        }

    def _blocks(
        self, kind: object, values: list[object], known: dict[int, tuple[object, Block]]
    ) -> list[object]:
        if not (isinstance(kind, type) and issubclass(kind, Block)):
            return values
        return [self._block(kind, value, known) for value in values]

    def _block(
        self, kind: type[Block], value: object, known: dict[int, tuple[object, Block]]
    ) -> object:
        found = known.get(id(value))
        if found is None or type(found[1]) is not kind:
            try:
                found = (value, kind.model_validate(value))
            except ValidationError:
                return value  # the whole will say what is wrong, and where
        self._known[id(value)] = found
        return found[1]
