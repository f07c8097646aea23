"""How large a value an expression can make, for what it reads: known before it is asked.

Each value is bounded by a sum: a number of characters, so many times what the expression reads, and
so many times what a loop goes through. Loops go through 10,000 items at most, all together: the
library stops there. What is a bool or a number is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from gateway.cel_syntax import Kind, Node, Syntax

MOST_STEPS = 10_000
"""Of all loops of one evaluation."""
MOST_LOOPS = 3
"""One within another."""
MOST_TIMES = 100
MOST_CHARACTERS = 1_000_000

_CHARACTERS, _READ = -2, -1
"""The parts of a bound; from 0 on, what the loop of this depth goes through."""
_Bound: TypeAlias = Mapping[int, float]
_Known: TypeAlias = Mapping[str, _Bound]
"""Of names that loops and bindings have made."""

_NOTHING: _Bound = {}
_UNKNOWN_TEXT = 1000.0
"""How long what is put in the place of something may be, when it is not written there."""
_OPERATORS = ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_")
_ARITHMETIC = ("-_", "_-_", "_*_", "_/_", "_%_", "@in", "@not_strictly_false")
_OF_TEXTS = ("size", "contains", "startsWith", "endsWith", "matches", "indexOf", "lastIndexOf")
_OF_TYPES = ("int", "uint", "double", "bool", "timestamp", "duration", "type", "hasValue", "sum")
_OF_BLOCKS = ("isIP", "isCIDR", "containsIP", "containsCIDR", "prefixLength", "family")
_OF_ADDRESSES = ("isLoopback", "isPrivate", "isLinkLocal")
_OF_HASHES = ("hash.equal", "hash.sha256", "hash.sha512", "hash.hmacSha256")
_SMALL = frozenset(
    (*_OPERATORS, *_ARITHMETIC, *_OF_TEXTS, *_OF_TYPES, *_OF_BLOCKS, *_OF_ADDRESSES, *_OF_HASHES)
)
"""What gives a bool, a number, or a few characters."""
_ESCAPING = {"json.encode": 6.0, "strings.quote": 6.0, "base64.encode": 2.0}
"""How much longer writing makes it."""


def loops(node: Node) -> int:
    """How many loops stand one within another."""
    inner = max((loops(child) for child in node.children), default=0)
    return inner + (node.kind is Kind.COMPREHENSION and not _is_binding(node))


def refuse_growth(syntax: Syntax) -> str | None:
    """Why an expression costs too much."""
    deep = loops(syntax.root)
    if deep > MOST_LOOPS:
        return f"{deep} loops stand one within another, more than {MOST_LOOPS}"
    reader = _Reader(syntax)
    reader.bound(syntax.root, {}, 0)
    if reader.times > MOST_TIMES:
        return f"it could make a value of more than {MOST_TIMES} times what it reads"
    if reader.characters > MOST_CHARACTERS:
        return f"it could make a value of more than {MOST_CHARACTERS} characters"
    return None


def _is_binding(node: Node) -> bool:
    """`cel.bind`, `optMap`: a loop over nothing."""
    source = node.children[0]
    return source.kind is Kind.LIST and not source.children


class _Reader:
    """Finds the bound of each value, and keeps the largest."""

    def __init__(self, syntax: Syntax) -> None:
        self._variables = syntax.variables
        self.times = self.characters = 0.0

    def bound(self, node: Node, known: _Known, depth: int) -> _Bound:
        found = self._bound(node, known, depth)
        # an item is no larger than what the loop goes through
        self.times = max(self.times, sum(found.values()) - found.get(_CHARACTERS, 0.0))
        self.characters = max(self.characters, found.get(_CHARACTERS, 0.0))
        return found

    def _bound(self, node: Node, known: _Known, depth: int) -> _Bound:
        match node.kind:
            case Kind.CONSTANT:
                return {_CHARACTERS: float(node.size)}
            case Kind.IDENTIFIER:
                return known.get(node.name, {_READ: 1.0})
            case Kind.SELECT if node.id in self._variables:
                return {_READ: 1.0}
            case Kind.CALL:
                return _of_call(node, [self.bound(each, known, depth) for each in node.children])
            case Kind.COMPREHENSION:
                return self._of_loop(node, known, depth)
            case _:
                return _sum(*(self.bound(each, known, depth) for each in node.children))

    def _of_loop(self, node: Node, known: _Known, depth: int) -> _Bound:
        source, initial, condition, step, result = node.children
        begun = self.bound(initial, known, depth)
        if _is_binding(node):
            return self.bound(result, {**known, node.name: begun}, depth)
        whole = self.bound(source, known, depth)
        items = {name: {depth: 1.0} for name in node.loop_names}
        inner = {**known, **items, node.name: _NOTHING}
        self.bound(condition, inner, depth + 1)
        once = self.bound(step, inner, depth + 1)
        others = {part: times for part, times in once.items() if part != depth}
        made = _sum(begun, _times(others, MOST_STEPS), _times(whole, once.get(depth, 0.0)))
        return self.bound(result, {**known, node.name: made}, depth)


def _of_call(node: Node, given: list[_Bound]) -> _Bound:
    if node.name in _SMALL or node.name.startswith(("math.", "get")):
        return _NOTHING
    if node.name == "_?_:_":
        return _larger(given[1], given[2])
    if node.name in ("_[_]", "_[?_]", "_?._"):
        return given[0]
    if node.name in ("replace", "regex.replace"):
        return _times(given[0], _length(node.children[2]) + 1)
    if node.name == "join":
        between = _length(node.children[1]) if len(node.children) > 1 else 0.0
        return _times(given[0], between + 1)
    if node.name == "format":
        return _sum(_times(given[0], 1000.0), given[1])  # a precision is 1,000 digits at most
    return _times(_sum(*given), _ESCAPING.get(node.name, 1.0))


def _length(node: Node) -> float:
    return _UNKNOWN_TEXT if node.text is None else float(len(node.text))


def _sum(*bounds: _Bound) -> _Bound:
    found: dict[int, float] = {}
    for bound in bounds:
        for part, times in bound.items():
            found[part] = found.get(part, 0.0) + times
    return found


def _larger(one: _Bound, other: _Bound) -> _Bound:
    return {part: max(one.get(part, 0.0), other.get(part, 0.0)) for part in {*one, *other}}


def _times(bound: _Bound, factor: float) -> _Bound:
    return {part: times * factor for part, times in bound.items()}
