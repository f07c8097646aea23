"""Two documents, field by field: what was added, changed, removed or moved.

Elements of lists are known by their name, address or key where all of them have one, so that an
inserted route is one addition, and not a change of all that follow. Every field that differs is in
exactly one change: its own, or that of the addition or removal that holds it. Pure.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, TypeAlias

TYPE = "@type"
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Kind(StrEnum):
    """What became of a field, or of a resource."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    MOVED = "moved"
    """In a list; what it holds may have changed as well, which is said apart."""


@dataclass(frozen=True, slots=True)
class Field:
    """A step into a message: its field, or a key of a map."""

    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """A step into a list."""

    label: str
    """What it is known by: `name=docs`; empty: by its place alone."""
    old: int | None
    """Its place in the old list; None: it was not there."""
    new: int | None


Step: TypeAlias = Field | Element
Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that is not as it was."""

    kind: Kind
    steps: Steps
    old: Any = None
    new: Any = None
    place: str = ""
    """Of what was added to a list or moved in it: `first`, `after name=docs`."""

    @property
    def path(self) -> str:
        """As people of Envoy write it: `virtual_hosts[name=*].routes[name=docs].timeout`."""
        return path(self.steps)


def path(steps: Steps) -> str:
    """The steps as one text."""
    parts: list[str] = []
    for step in steps:
        match step:
            case Field(name) if _PLAIN_NAME.fullmatch(name):
                parts.append(f".{name}" if parts else name)
            case Field(name):
                parts.append(f"[{name}]")
            case Element(label, old, new):
                parts.append(f"[{label or (old if new is None else new)}]")
    return "".join(parts)


def field_changes(old: Any, new: Any) -> tuple[FieldChange, ...]:
    """Everything that differs, in the order of the fields."""
    return tuple(_changes(old, new, ()))


def _changes(old: Any, new: Any, steps: Steps) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.get(TYPE) == new.get(TYPE):
        yield from _in_mapping(old, new, steps)
    elif _is_list(old) and _is_list(new):
        yield from _in_list(old, new, steps)
    elif not _is_same(old, new):
        yield FieldChange(Kind.CHANGED, steps, old, new)


def _in_mapping(
    old: Mapping[str, Any], new: Mapping[str, Any], steps: Steps
) -> Iterator[FieldChange]:
    for key in dict.fromkeys((*old, *new)):
        here = (*steps, Field(key))
        if key not in new:
            yield FieldChange(Kind.REMOVED, here, old=old[key])
        elif key not in old:
            yield FieldChange(Kind.ADDED, here, new=new[key])
        else:
            yield from _changes(old[key], new[key], here)


def _in_list(old: Sequence[Any], new: Sequence[Any], steps: Steps) -> Iterator[FieldChange]:
    before, after = _labels(old), _labels(new)
    if before is None or after is None:
        before, after = [""] * len(old), [""] * len(new)
        pairs = _aligned(old, new)
    else:
        places = {label: place for place, label in enumerate(after)}
        pairs = [(place, places[label]) for place, label in enumerate(before) if label in places]
    kept = {first for first, _ in pairs}
    for place, item in enumerate(old):
        if place not in kept:
            here = (*steps, Element(before[place], place, None))
            yield FieldChange(Kind.REMOVED, here, old=item)
    staying = _longest_rising(pairs)
    olds = {second: first for first, second in pairs}
    for place, item in enumerate(new):
        first = olds.get(place)
        here = (*steps, Element(after[place], first, place))
        where = _place(after, place)
        if first is None:
            yield FieldChange(Kind.ADDED, here, new=item, place=where)
            continue
        if first not in staying:
            yield FieldChange(Kind.MOVED, here, old=first, new=place, place=where)
        yield from _changes(old[first], item, here)


def _labels(items: Sequence[Any]) -> list[str] | None:
    """What each element is known by; the second with a name is `name=docs#2`. None: unknown."""
    labels: list[str] = []
    seen: Counter[str] = Counter()
    for item in items:
        label = _label(item)
        if label is None:
            return None
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}#{seen[label]}")
    return labels if len(set(labels)) == len(labels) else None


def _label(item: Any) -> str | None:
    if isinstance(item, (str, int, float)):
        return _text(item)
    if not isinstance(item, Mapping):
        return None
    for key in ("name", "key", "cluster_name"):
        if isinstance(item.get(key), str):
            return f"{key}={item[key]}"
    endpoint = item.get("endpoint")
    address = _address(endpoint.get("address") if isinstance(endpoint, Mapping) else item)
    if address is None:
        address = _address(item.get("address"))
    if address is not None:
        return f"address={address}"
    header = item.get("header")
    if isinstance(header, Mapping) and isinstance(header.get("key"), str):
        return f"key={header['key']}"
    return _only_leaf(item)


def _address(value: Any) -> str | None:
    """`10.0.0.1:80` of Envoy's socket addresses, the path of its pipes."""
    if not isinstance(value, Mapping):
        return None
    socket, pipe = value.get("socket_address"), value.get("pipe")
    if isinstance(socket, Mapping):
        return (
            f"{socket.get('address', '')}:{socket.get('port_value', socket.get('named_port', 0))}"
        )
    return str(pipe.get("path", "")) if isinstance(pipe, Mapping) else None


def _only_leaf(item: Mapping[str, Any]) -> str | None:
    """`remove=cookie` of `{remove: cookie}`: there is nothing else by which to know it."""
    names: list[str] = []
    value: Any = item
    while isinstance(value, Mapping):
        if len(value) != 1:
            return None
        ((name, value),) = value.items()
        names.append(name)
    return f"{'.'.join(names)}={_text(value)}" if isinstance(value, (str, int, float)) else None


def _aligned(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int]]:
    """Elements that are equal, and between them those that stand in each other's place."""
    matcher = SequenceMatcher(None, _texts(old), _texts(new), autojunk=False)
    pairs: list[tuple[int, int]] = []
    for _, first, last, start, end in matcher.get_opcodes():
        pairs.extend(zip(range(first, last), range(start, end), strict=False))
    return pairs


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> frozenset[int]:
    """The old places of the most elements that have kept their order; the others have moved."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(place)
            ends.append(index)
        else:
            tails[length], ends[length] = place, index
    staying: set[int] = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        staying.add(pairs[index][0])
        index = before[index]
    return frozenset(staying)


def _place(labels: Sequence[str], place: int) -> str:
    if place == 0:
        return "first"
    return f"after {labels[place - 1] or place - 1}"


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_same(old: Any, new: Any) -> bool:
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _texts(items: Sequence[Any]) -> list[str]:
    return [json.dumps(item, sort_keys=True, default=repr) for item in items]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
