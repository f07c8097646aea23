"""Texts cut to what a service takes at once, between words where there are some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from extproc.policies.remote.words import Said

_LOOK_BACK = 0.1
"""How much shorter a part may become to end between words."""


class Part(Struct, frozen=True):
    """A part of a text, and which it is a part of."""

    place: int
    text: str


def parts(texts: Sequence[Said], limit: int) -> list[Part]:
    """Each text, in parts of at most `limit` characters which together are the text."""
    return [
        Part(place, part) for place, said in enumerate(texts) for part in _cut(said.text, limit)
    ]


def batches(found: Sequence[Part], *, most: int, characters: int) -> list[list[Part]]:
    """The parts in order, as many together as may be asked about at once."""
    made: list[list[Part]] = []
    size = 0
    for part in found:
        if not made or len(made[-1]) == most or size + len(part.text) > characters:
            made.append([])
            size = 0
        made[-1].append(part)
        size += len(part.text)
    return made


def _cut(text: str, limit: int) -> Iterator[str]:
    start = 0
    while len(text) - start > limit:
        end = start + limit
        space = text.rfind(" ", end - max(1, int(limit * _LOOK_BACK)), end)
        end = end if space < start else space + 1
        yield text[start:end]
        start = end
    yield text[start:]
