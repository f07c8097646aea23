"""What the annotations of the schema's fields are made of."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from gateway.config.block import Block


def plain(kind: object) -> object:
    """Without its `Annotated` and its `None`."""
    if get_origin(kind) is Annotated:
        return plain(get_args(kind)[0])
    if is_union(kind):
        others = [each for each in get_args(kind) if each is not NoneType]
        return plain(others[0]) if len(others) == 1 else kind
    return kind


def is_union(kind: object) -> bool:
    """Whether it is one of several."""
    return get_origin(kind) in (Union, UnionType)


def fields(kind: object) -> dict[str, object]:
    """What the keys of a block may hold, by the names that are written; none for anything else."""
    if not (isinstance(kind, type) and issubclass(kind, Block)):
        return {}
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def items(kind: object) -> object:
    """What a list holds; None: it is no list."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def values(kind: object) -> object:
    """What stands behind the names of a mapping; None: it has no names of the operator's choice."""
    return get_args(kind)[1] if get_origin(kind) is dict else None
