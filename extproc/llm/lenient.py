"""Members of documents that are read leniently: what is not of its kind is as if it were not there.

Those of requests that are refused instead: `fields`.
"""

from __future__ import annotations

from collections.abc import Mapping


def string(parent: Mapping[str, object], name: str) -> str:
    """Empty when it is none."""
    value = parent.get(name)
    return value if type(value) is str else ""


def mapping(parent: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object; empty when it is none."""
    value = parent.get(name)
    return value if type(value) is dict else {}


def objects(value: object) -> list[dict[str, object]]:
    """Those of an array that are objects."""
    return [each for each in value if type(each) is dict] if type(value) is list else []
