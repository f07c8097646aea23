"""How large a value an expression can make, for what it reads: known before it is asked.

Each value is bounded by a sum: a number of characters, so many times what the expression reads, and
so many times what a loop goes through. Loops go through 10,000 items at most, all together: the
library stops there. It keeps all that was made until it has answered, so what is made in a loop
counts as often. What is a bool or a number is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from gateway.cel_secrets import UNREDACTED
from gateway.cel_syntax import Kind, Node, Syntax
from gateway.cel_variables import VARIABLES

MOST_STEPS = 10_000
"""Of all loops of one evaluation."""
MOST_LOOPS = 3
"""One within another."""
MOST_TIMES = 100
MOST_CHARACTERS = 1_000_000

_STEPPED, _CHARACTERS, _READ = -3, -2, -1
"""The parts of a bound: characters of all steps together, characters, what is read; from 0 on, what
the loop of this depth goes through."""
_Bound: TypeAlias = Mapping[int, float]
_Known: TypeAlias = Mapping[str, _Bound]
"""Of names that loops and bindings have made."""

_NOTHING: _Bound = {}
"""Of what is no text, list or map: what is added to it is none, either."""
_EMPTY: _Bound = {_CHARACTERS: 1.0}
_DIGEST: _Bound = {_CHARACTERS: 128.0}
_CALLERS = ("principal.name", "principal.user", "principal.team", "apiKey.name")
_CHOSEN = (
    "request.method",
    "source.address",
    "resource.kind",
    "resource.namespace",
    "llm.provider",
    "response.provider",
)
_NAMES = frozenset((*_CALLERS, *_CHOSEN))
"""Variables that are short: operators, issuers of tokens or protocols choose them."""
_NAME: _Bound = {_CHARACTERS: 50.0}
_NUMBERS = frozenset(
    variable.name for variable in VARIABLES if variable.type in ("bool", "int", "timestamp")
)
_READINGS = frozenset(("_?_:_", "_[_]", "_[?_]", "_?._", UNREDACTED))
"""Calls that make nothing: they give what there is."""
_HINT = "make it before the loop: cel.bind(name, value, expression)"
_UNKNOWN_TEXT = 1000.0
"""How long what is put in the place of something may be, when it is not written there."""
_OPERATORS = ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_")
_ARITHMETIC = ("-_", "_-_", "_*_", "_/_", "_%_", "@in", "@not_strictly_false")
_OF_TEXTS = ("size", "contains", "startsWith", "endsWith", "matches", "indexOf", "lastIndexOf")
_OF_TYPES = (
    "int",
    "uint",
    "double",
    "bool",
    "timestamp",
    "duration",
    "type",
    "hasValue",
    "sum",
    "hash.equal",
)
_OF_BLOCKS = ("isIP", "isCIDR", "containsIP", "containsCIDR", "prefixLength", "family")
_OF_ADDRESSES = ("isLoopback", "isPrivate", "isLinkLocal")
_SMALL = frozenset((*_OPERATORS, *_ARITHMETIC, *_OF_TEXTS, *_OF_TYPES, *_OF_BLOCKS, *_OF_ADDRESSES))
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
    if reader.is_made_in_loops:
        return (
            f"what is made in a loop could be more than {MOST_TIMES} times what is read ({_HINT})"
        )
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
        self.is_made_in_loops = False

    def bound(self, node: Node, known: _Known, depth: int) -> _Bound:
        found = self._bound(node, known, depth)
        # an item is no larger than what the loop goes through
        characters = found.get(_CHARACTERS, 0.0) + found.get(_STEPPED, 0.0)
        self.times = max(self.times, sum(found.values()) - characters)
        self.characters = max(self.characters, characters)
        if depth and node.kind is Kind.CALL and node.name not in _READINGS:
            # all items of the innermost loop are together what it goes through
            again = {part: times for part, times in found.items() if part != depth - 1}
            stepped = again.pop(_CHARACTERS, 0.0) * MOST_STEPS + again.pop(_STEPPED, 0.0)
            self.characters = max(self.characters, stepped)
            self.is_made_in_loops |= sum(again.values()) * MOST_STEPS > MOST_TIMES
        return found

    def _bound(self, node: Node, known: _Known, depth: int) -> _Bound:
        match node.kind:
            case Kind.CONSTANT:
                is_number = isinstance(node.value, bool | int) or (
                    node.value is None and node.size == 1
                )
                return _NOTHING if is_number else {_CHARACTERS: float(node.size + 1)}
            case Kind.IDENTIFIER:
                found = known.get(node.name)
                return self._of_variable(node) if found is None else found
            case Kind.SELECT if node.id in self._variables:
                return self._of_variable(node)
            case Kind.CALL:
                return _of_call(node, [self.bound(each, known, depth) for each in node.children])
            case Kind.COMPREHENSION:
                return self._of_loop(node, known, depth)
            case _:
                return _sum(_EMPTY, *(self.bound(each, known, depth) for each in node.children))

    def _of_variable(self, node: Node) -> _Bound:
        name = self._variables.get(node.id)
        if name in _NUMBERS:
            return _NOTHING
        return _NAME if name in _NAMES else {_READ: 1.0}

    def _of_loop(self, node: Node, known: _Known, depth: int) -> _Bound:
        source, initial, condition, step, result = node.children
        begun = self.bound(initial, known, depth)
        if _is_binding(node):
            return self.bound(result, {**known, node.name: begun}, depth)
        whole = self.bound(source, known, depth)
        items = {name: {depth: 1.0} for name in node.loop_names}
        outside = {name: _as_characters(bound) for name, bound in known.items()}
        inner = {**outside, **items, node.name: _EMPTY}
        self.bound(condition, inner, depth + 1)
        once = self.bound(step, inner, depth + 1)
        others = {part: times for part, times in once.items() if part not in (depth, _STEPPED)}
        again = _times(others, MOST_STEPS)
        stepped = {_STEPPED: again.pop(_CHARACTERS, 0.0) + once.get(_STEPPED, 0.0)}
        made = _sum(begun, stepped, again, _times(whole, once.get(depth, 0.0)))
        return self.bound(result, {**known, node.name: made}, depth)


def _of_call(node: Node, given: list[_Bound]) -> _Bound:
    if node.name in _SMALL or node.name.startswith(("math.", "get")):
        return _NOTHING
    if node.name.startswith("hash."):
        return _DIGEST
    if node.name == "_+_" and not all(given):
        return _NOTHING
    if node.name == "_?_:_":
        return _larger(given[1], given[2])
    if node.name in ("_[_]", "_[?_]", "_?._", UNREDACTED):
        return given[0]
    if node.name in ("replace", "regex.replace"):
        return _times(given[0], _length(node.children[2]) + 1)
    if node.name == "join":
        between = _length(node.children[1]) if len(node.children) > 1 else 0.0
        return _times(given[0], between + 1)
    if node.name == "format":
        return _sum(_times(given[0], 1000.0), given[1])  # a precision is 1,000 digits at most
    return _times(_sum(*given), _ESCAPING.get(node.name, 1.0))


def _as_characters(bound: _Bound) -> _Bound:
    """Of what was made before a loop, in whose steps it is whole each time."""
    whole = bound.get(_STEPPED, 0.0)
    if not whole:
        return bound
    others = {part: times for part, times in bound.items() if part != _STEPPED}
    return _sum(others, {_CHARACTERS: whole})


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


def _times(bound: _Bound, factor: float) -> dict[int, float]:
    return {part: times * factor for part, times in bound.items()}
