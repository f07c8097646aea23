"""Reads the tree of a compiled CEL expression.

The compiler shows its tree only as a serialised message, `cel.expr.CheckedExpr` or `ParsedExpr`
(https://github.com/google/cel-spec/tree/master/proto/cel/expr). What we need of it is small: which
names the checker resolved to variables, where, and how they are used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class Kind(Enum):
    """What a node is; the values are the field numbers of `cel.expr.Expr`."""

    CONSTANT = 3
    IDENTIFIER = 4
    SELECT = 5
    CALL = 6
    LIST = 7
    STRUCT = 8
    COMPREHENSION = 9


@dataclass(frozen=True, slots=True)
class Node:
    """One node of an expression."""

    id: int
    kind: Kind
    name: str = ""
    """The identifier, the selected field, the called function or the accumulator."""
    text: str | None = None
    """The value, when the node is a string constant."""
    size: int = 0
    """Of a constant: its bytes."""
    value: bool | int | str | None = None
    """Of a constant that is one of these."""
    double: float | None = None
    """Of a constant that is one."""
    is_presence_test: bool = False
    """`has(a.b)` rather than `a.b`."""
    children: tuple[Node, ...] = ()
    """Operand, target and arguments, or elements; of a comprehension: range, initial, condition,
    step and result."""
    loop_names: frozenset[str] = frozenset()
    """What a comprehension binds in its condition and step."""

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Syntax:
    """The tree of an expression."""

    root: Node
    variables: Mapping[int, str]
    """Node id → the variable that it stands for; empty when the expression was not checked."""
    offsets: Mapping[int, int]
    """Node id → where it begins, in code points."""


def read_checked(serialised: bytes) -> Syntax:
    """The tree of an expression that was compiled with type checks."""
    message = _message(_bytes(_message(serialised), 2))
    root = _node(_bytes(message, 4))
    return Syntax(
        root=root,
        variables=dict(_globals(root, frozenset())),
        offsets=_offsets(_bytes(message, 5)),
    )


def read_parsed(serialised: bytes) -> Syntax:
    """The tree of an expression that was compiled without type checks: macros as written."""
    message = _message(_bytes(_message(serialised), 2))
    return Syntax(_node(_bytes(message, 2)), variables={}, offsets=_offsets(_bytes(message, 3)))


_Message = dict[int, list[int | bytes]]


def _message(data: bytes) -> _Message:
    """The fields of a message in protobuf's wire format, by number."""
    fields: _Message = {}
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire_type = key & 7
        value: int | bytes
        if wire_type == _VARINT:
            value, position = _varint(data, position)
        else:
            if wire_type == _LENGTH:
                size, position = _varint(data, position)
            else:
                size = {_FIXED64: 8, _FIXED32: 4}[wire_type]
            value = data[position : position + size]
            position += size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _bytes(message: _Message, number: int) -> bytes:
    value = message.get(number, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def _int(message: _Message, number: int) -> int:
    value = message.get(number, [0])[-1]
    return value if isinstance(value, int) else 0


def _text(message: _Message, number: int) -> str:
    return _bytes(message, number).decode()


def _globals(node: Node, local: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Node id and name of each variable that no comprehension around it binds."""
    if node.kind is Kind.IDENTIFIER and node.name not in local:
        yield node.id, node.name.removeprefix(".")
    if node.kind is Kind.COMPREHENSION:
        source, initial, condition, step, result = node.children
        inner = local | node.loop_names | {node.name}
        scopes = ((source, local), (initial, local), (condition, inner), (step, inner))
        for child, names in (*scopes, (result, local | {node.name})):
            yield from _globals(child, names)
    else:
        for child in node.children:
            yield from _globals(child, local)


def _offsets(source_info: bytes) -> Mapping[int, int]:
    entries = (
        _message(entry) for entry in _message(source_info).get(4, ()) if isinstance(entry, bytes)
    )
    return {_int(entry, 1): _int(entry, 2) for entry in entries}


def _node(data: bytes) -> Node:
    message = _message(data)
    kind = next(kind for kind in Kind if kind.value in message)
    body = _message(_bytes(message, kind.value))
    node = partial(Node, _int(message, 2), kind)
    match kind:
        case Kind.CONSTANT:
            return node(
                text=_text(body, 6) if 6 in body else None,
                size=max(len(_bytes(body, 6)), len(_bytes(body, 7)), 1),
                value=_value(body),
                double=_double(body),
            )
        case Kind.IDENTIFIER:
            return node(name=_text(body, 1))
        case Kind.SELECT:
            return node(
                name=_text(body, 2),
                is_presence_test=bool(_int(body, 3)),
                children=_nodes(body, 1),
            )
        case Kind.CALL:
            return node(name=_text(body, 2), children=_nodes(body, 1, 3))
        case Kind.LIST:
            return node(children=_nodes(body, 1))
        case Kind.STRUCT:
            entries = (_message(entry) for entry in body.get(2, ()) if isinstance(entry, bytes))
            return node(
                name=_text(body, 1),
                children=tuple(child for entry in entries for child in _nodes(entry, 3, 4)),
            )
        case Kind.COMPREHENSION:
            return node(
                name=_text(body, 3),
                children=_nodes(body, 2, 4, 5, 6, 7),
                loop_names=frozenset((_text(body, 1), _text(body, 8))),
            )


def _value(constant: _Message) -> bool | int | str | None:
    """Of a `cel.expr.Constant`; unsigned numbers, doubles and bytes are not told."""
    if 2 in constant:
        return bool(_int(constant, 2))
    if 3 in constant:
        number = _int(constant, 3)
        return number - (1 << 64) if number >> 63 else number
    return _text(constant, 6) if 6 in constant else None


def _double(constant: _Message) -> float | None:
    data = _bytes(constant, 5)
    return struct.unpack("<d", data)[0] if data else None


def keys_read(syntax: Syntax, variable: str) -> Iterator[tuple[Node, str | None]]:
    """The keys with which a map variable is read, and where; None when it is not a constant."""
    yield from _keys_read(syntax.root, syntax, variable)


def _keys_read(node: Node, syntax: Syntax, variable: str) -> Iterator[tuple[Node, str | None]]:
    if syntax.variables.get(node.id) == variable:
        yield node, None
        return
    source_and_key = _source_and_key(node)
    if source_and_key is not None:
        source, key = source_and_key
        if key is not None and syntax.variables.get(source.id) == variable:
            yield node, key
            return
    for child in node.children:
        yield from _keys_read(child, syntax, variable)


def _source_and_key(node: Node) -> tuple[Node, str | None] | None:
    match node:
        case Node(kind=Kind.SELECT, children=(source,)):
            return source, node.name
        case Node(kind=Kind.CALL, name="_[_]" | "_[?_]" | "_?._", children=(source, key)):
            return source, key.text
        case Node(kind=Kind.CALL, name="@in", children=(key, source)):
            return source, key.text
    return None


def dotted_name(node: Node) -> str | None:
    """`a.b.c`, when the node is nothing but names."""
    if node.kind is Kind.IDENTIFIER:
        return node.name
    if node.kind is Kind.SELECT:
        above = dotted_name(node.children[0])
        return f"{above}.{node.name}" if above is not None else None
    return None


def _nodes(message: _Message, *numbers: int) -> tuple[Node, ...]:
    return tuple(
        _node(data)
        for number in numbers
        for data in message.get(number, ())
        if isinstance(data, bytes)
    )
