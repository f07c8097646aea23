"""Whether an expression is always true, or never, whatever the request is.

What is compared with constants takes each of them and, where its domain lets it, another value;
what is neither a comparison nor made of `&&`, `||`, `!` and `?:` may be true or false. So what is
found is so, and what is not found may still be so. Errors are left out: what errs is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TypeAlias

from gateway.cel_syntax import Kind, Node, Syntax, dotted_name

_MOST_CASES = 5_000
_OTHER_TEXT = "/another"
"""No constant: it is made longer until it is none."""

_Value: TypeAlias = bool | float | str
_Term: TypeAlias = tuple[object, ...]
"""An expression by its structure: two that are written alike have one value."""

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "_<_": lambda one, other: one < other,
    "_<=_": lambda one, other: one <= other,
    "_>_": lambda one, other: one > other,
    "_>=_": lambda one, other: one >= other,
}
_KINDS = frozenset({"llm", "mcp", "a2a", "http"})
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "getHours": (0, 23),
    "getMinutes": (0, 59),
    "getSeconds": (0, 59),
    "getMilliseconds": (0, 999),
    "getDate": (1, 31),
    "getDayOfMonth": (0, 30),
    "getDayOfWeek": (0, 6),
    "getDayOfYear": (0, 365),
    "getMonth": (0, 11),
    "size": (0, 2**63 - 1),
}
"""What functions give: of timestamps, not of durations."""
_ANY = (-(2**63), 2**63 - 1)
_COUNTED: Mapping[str, tuple[int, int]] = {
    "llm.max_output_tokens": (0, _ANY[1]),
    "llm.estimated_input_tokens": (0, _ANY[1]),
    "response.status": (100, 599),
}
"""Variables that are whole numbers."""


@dataclass(slots=True)
class _Found:
    """What an expression depends on."""

    terms: dict[_Term, set[_Value]] = field(default_factory=dict)
    """What is compared, and the constants with which it is."""
    nodes: dict[_Term, Node] = field(default_factory=dict)
    free: dict[_Term, None] = field(default_factory=dict)
    """What is true or false."""


def constant(syntax: Syntax) -> bool | None:
    """What it always is; None: it depends, or nobody knows."""
    found = _Found()
    _look(syntax.root, found)
    domains = {term: _domain(found.nodes[term], said) for term, said in found.terms.items()}
    choices = [[(term, value) for value in domain] for term, domain in domains.items()]
    choices += [[(term, value) for value in (True, False)] for term in found.free]
    cases = list(islice(product(*choices), _MOST_CASES + 1))
    if len(cases) > _MOST_CASES or not cases:
        return None
    outcomes = {_holds(syntax.root, dict(case)) for case in cases}
    return outcomes.pop() if len(outcomes) == 1 else None


def _look(node: Node, found: _Found) -> None:
    if node.kind is Kind.CALL and node.name in ("_&&_", "_||_", "!_", "_?_:_"):
        for child in node.children:
            _look(child, found)
        return
    if node.kind is Kind.CONSTANT and isinstance(node.value, bool):
        return
    compared = _compared(node)
    if compared is None:
        found.free[_term(node)] = None
        return
    of, constants = compared
    term = _term(of)
    found.nodes[term] = of
    found.terms.setdefault(term, set()).update(constants)


def _compared(node: Node) -> tuple[Node, tuple[_Value, ...]] | None:
    """What is compared, and with which constants, all texts or all whole numbers."""
    if node.kind is not Kind.CALL or len(node.children) != 2:
        return None
    one, other = node.children
    if node.name == "@in" and other.kind is Kind.LIST:
        values = [each.value for each in other.children if each.kind is Kind.CONSTANT]
        if len(values) != len(other.children) or not all(type(each) is str for each in values):
            return None
        return None if one.kind is Kind.CONSTANT else (one, tuple(map(str, values)))
    if node.name not in ("_==_", "_!=_", *_COMPARISONS):
        return None
    for of, said in ((one, other), (other, one)):
        if said.kind is Kind.CONSTANT and of.kind is not Kind.CONSTANT:
            if type(said.value) is int:
                return of, (said.value,)
            if type(said.value) is str and node.name not in _COMPARISONS:
                return of, (said.value,)
    return None


def _domain(node: Node, constants: set[_Value]) -> Iterator[_Value]:
    texts = {each for each in constants if isinstance(each, str)}
    numbers = {each for each in constants if not isinstance(each, str)}
    name = dotted_name(node) or ""
    if texts:
        if name == "resource.kind":
            yield from _KINDS
        else:
            yield from (each for each in texts if _may_be(name, each))
            other = _OTHER_TEXT
            while other in texts:
                other += "/"
            yield other
    if numbers:
        lowest, highest = _range(node, name)
        is_whole = name in _COUNTED or (lowest, highest) != _ANY
        steps = (-1, 0, 1) if is_whole else (-1, -0.5, 0, 0.5, 1)
        around = {each + step for each in numbers for step in steps} | {lowest, highest}
        yield from sorted(each for each in around if lowest <= each <= highest)


def _may_be(name: str, text: str) -> bool:
    if name == "request.method":
        return text == text.upper()
    return name != "request.path" or (text[:1] in ("", "/", "*") and "?" not in text)


def _range(node: Node, name: str) -> tuple[int, int]:
    if node.kind is Kind.CALL and node.name in _NUMBERS and _is_of_a_time(node):
        return _NUMBERS[node.name]
    return _COUNTED.get(name, _ANY)


def _is_of_a_time(node: Node) -> bool:
    """The same names give other numbers of a duration."""
    if node.name == "size":
        return True
    of = node.children[0]
    return dotted_name(of) == "context.request_time"


def _holds(node: Node, case: Mapping[_Term, _Value]) -> bool:
    if node.kind is Kind.CONSTANT:
        return node.value is True
    if node.kind is Kind.CALL:
        children = node.children
        match node.name:
            case "_&&_":
                return all(_holds(each, case) for each in children)
            case "_||_":
                return any(_holds(each, case) for each in children)
            case "!_":
                return not _holds(children[0], case)
            case "_?_:_":
                return _holds(children[1 if _holds(children[0], case) else 2], case)
            case _:
                compared = _compared(node)
                if compared is not None:
                    return _is_so(node, compared[0], case[_term(compared[0])])
    return bool(case[_term(node)])


def _is_so(node: Node, of: Node, value: _Value) -> bool:
    one, other = node.children
    if node.name == "@in":
        return value in [each.value for each in other.children]
    left, right = (value, other.value) if of is one else (one.value, value)
    if node.name in _COMPARISONS:
        # a term that is compared with texts and with numbers is both; only numbers have an order
        if isinstance(left, str | None) or isinstance(right, str | None):
            return False
        return _COMPARISONS[node.name](left, right)
    return (left == right) is (node.name == "_==_")


def _term(node: Node) -> _Term:
    plain = replace(node, id=0, children=())
    return (plain, *map(_term, node.children))
