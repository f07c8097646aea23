"""What becomes of the members of a body when fields of it are set, at its top or within objects.

Members are JSON as it is written, and spliced: what is not named stays. As in RFC 7386, null
removes, and what is to be within something that is no object takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from extproc.protocols import json_spans
from gateway.shaping import NULL, Fields, path_of

_NULL: Final = NULL.encode()
_ALIKE: Mapping[str, str] = {"maxcompletiontokens": "maxtokens"}
"""Two names of what is one limit, in OpenAI's chat dialect."""


class Step(Struct, frozen=True):
    """One field that is to be something."""

    path: tuple[str, ...]
    value: bytes
    """`null`: the field is removed."""
    is_default: bool = False
    """Only where there is none."""


def folded(name: str) -> str:
    """Names that some reader takes for one: no default beside them, no override that leaves one."""
    plain = name.replace("_", "").casefold()
    return _ALIKE.get(plain, plain)


def steps_of(fields: Fields) -> tuple[Step, ...]:
    """In the order in which they are taken."""
    return (
        *(Step(path_of(name), text.encode(), is_default=True) for name, text in fields.defaults),
        *(Step(path_of(name), text.encode()) for name, text in fields.overrides),
    )


def with_steps(body: bytes, names: Iterable[str], steps: Sequence[Step]) -> bytes:
    """The body after these steps; `names` are those of its members."""
    members: Mapping[str, bytes] = {}
    if any(len(each.path) > 1 for each in steps):
        names = members = json_spans.members(body)
    values: dict[str, bytes] = {}
    there = frozenset(map(folded, names))
    for step in steps:
        if len(step.path) > 1:
            _go_within(step, members, values)
        elif not step.is_default or folded(step.path[0]) not in there:
            _put(step.path[0], step.value, values)
    return _with_members(body, names, values)


def _put(name: str, value: bytes, values: dict[str, bytes]) -> None:
    """Behind all others, and in the place of what could be taken for it."""
    for other in [each for each in values if folded(each) == folded(name)]:
        del values[other]
    values[name] = value


def _go_within(step: Step, members: Mapping[str, bytes], values: dict[str, bytes]) -> None:
    """`values` are what the members are to be after the steps before."""
    name, *rest = step.path
    shape = folded(name)
    known = [each for each in values if folded(each) == shape]
    if known:
        (found,) = known
        before = None if values[found] == _NULL else values[found]
        after = _within(before, rest, step)
        if after is not None:
            values[found] = after
        return
    for found in [each for each in members if folded(each) == shape] or [name]:
        before = members.get(found)
        after = _within(before, rest, step)
        if after is not None and after != before:
            _put(found, after, values)


def _within(value: bytes | None, path: list[str], step: Step) -> bytes | None:
    """What a value becomes, of which a part is to be something; None: it is not there."""
    is_removed = step.value == _NULL
    if value is None or not value.startswith(b"{"):
        if is_removed or (step.is_default and value is not None):
            return value
        return _wrapped(path, step.value)
    name, *rest = path
    members = json_spans.members(value)
    alike = [each for each in members if folded(each) == folded(name)]
    if not rest:
        if step.is_default and alike:
            return value
        return _with_members(value, alike, {name: step.value})
    changed: dict[str, bytes] = {}
    for each in alike or [name]:
        inner = _within(members.get(each), rest, step)
        if inner is not None and inner != members.get(each):
            changed[each] = inner
    return json_spans.replace(value, changed) if changed else value


def _wrapped(path: list[str], value: bytes) -> bytes:
    for name in reversed(path):
        value = b"{%s:%s}" % (json_spans.encode(name), value)
    return value


def _with_members(body: bytes, names: Iterable[str], values: Mapping[str, bytes]) -> bytes:
    """The body with these values in the place of all that could be taken for them."""
    if not values:
        return body
    kept = {name: value for name, value in values.items() if value != _NULL}
    shaped = frozenset(map(folded, values))
    gone = [name for name in names if name not in kept and folded(name) in shaped]
    if gone:
        body = json_spans.remove(body, gone)
    return json_spans.replace(body, kept) if kept else body
