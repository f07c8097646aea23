"""Files that the configuration names by their path, and whose content is part of what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias, get_args

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from gateway.config.block import Block, refusal
from gateway.config.finding import Path
from gateway.config.kinds import fields, is_union, items, plain, values

Pattern: TypeAlias = tuple[str | None, ...]
"""A path of the schema; None is any name or position."""


@dataclass(frozen=True, slots=True)
class FileText:
    """A file that was read."""

    path: str
    """As it was written."""
    text: str = field(repr=False)
    """May be a secret."""


def _was_read(value: object) -> FileText:
    if not isinstance(value, FileText):
        raise refusal("must be the path of a file", "relative to the file it is written in")
    return value


def _written(file: FileText) -> str:
    return file.path


TextFile: TypeAlias = Annotated[
    FileText,
    PlainValidator(_was_read),
    PlainSerializer(_written),
    WithJsonSchema({"type": "string", "format": "file"}),
]
"""A path, relative to the file in which it is written. The loader puts the content in its place."""


def named_files(kind: object, value: object) -> Iterator[tuple[Path, str]]:
    """Every path of a file in a value of the type `kind`, and where it stands."""
    yield from places(kind, value, FileText)


def places(kind: object, value: object, wanted: type) -> Iterator[tuple[Path, str]]:
    """Every text in a value of the type `kind` that will be a `wanted`, and where it stands."""
    for pattern in _patterns(kind, wanted):
        yield from _matching(pattern, value, ())


def at(value: object, path: Path) -> dict[str, object]:
    """The block at a path; empty: there is none."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return {}
    return value if isinstance(value, dict) else {}


def put(value: object, path: Path, item: object) -> object:
    """The value with something else at a path. What is not on the way is shared."""
    if not path:
        return item
    key, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, key: put(value[key], rest, item)}
    if isinstance(value, list) and isinstance(key, int):
        return [*value[:key], put(value[key], rest, item), *value[key + 1 :]]
    raise KeyError(key)


def _patterns(kind: object, wanted: type, around: tuple[object, ...] = ()) -> Iterator[Pattern]:
    """`around` are the kinds that it is within: what holds itself names files once at most."""
    kind = plain(kind)
    if kind in around:
        return
    within = (*around, kind)
    if kind is wanted:
        yield ()
    if isinstance(kind, type) and issubclass(kind, Block) and kind.is_named_by_file:
        yield from [()] if wanted is FileText else ()
    for name, inner in fields(kind).items():
        yield from ((name, *rest) for rest in _patterns(inner, wanted, within))
    inner = items(kind) or values(kind)
    if inner is not None:
        yield from ((None, *rest) for rest in _patterns(inner, wanted, within))
    if is_union(kind):
        for each in get_args(kind):
            yield from _patterns(each, wanted, within)


def _matching(pattern: Pattern, value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if not pattern:
        if isinstance(value, str):
            yield path, value
        return
    key, rest = pattern[0], pattern[1:]
    if isinstance(value, dict):
        for name in value if key is None else [key] if key in value else []:
            yield from _matching(rest, value[name], (*path, name))
    elif isinstance(value, list) and key is None:
        for index, item in enumerate(value):
            yield from _matching(rest, item, (*path, index))
