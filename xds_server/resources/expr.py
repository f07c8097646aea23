"""CEL as Envoy takes it: parsed, in the JSON form of `cel.expr.Expr`.

https://github.com/google/cel-spec/blob/master/proto/cel/expr/syntax.proto
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from xds_server.resources.extension import Json


def ident(name: str) -> Json:
    return {"ident_expr": {"name": name}}


def select(operand: Json, *fields: str) -> Json:
    """`operand.field.field`."""
    for field in fields:
        operand = {"select_expr": {"operand": operand, "field": field}}
    return operand


def has(operand: Json, field: str) -> Json:
    return {"select_expr": {"operand": operand, "field": field, "test_only": True}}


def const(value: str | bool | int | float) -> Json:
    match value:
        case bool():
            return {"const_expr": {"bool_value": value}}
        case int():
            return {"const_expr": {"int64_value": str(value)}}
        case float():
            return {"const_expr": {"double_value": value}}
        case str():
            return {"const_expr": {"string_value": value}}


def call(function: str, *args: Json) -> Json:
    return {"call_expr": {"function": function, "args": list(args)}}


def member(target: Json, function: str, *args: Json) -> Json:
    """`target.function(args)`."""
    return {"call_expr": {"target": target, "function": function, "args": list(args)}}


def listed(elements: Sequence[Json]) -> Json:
    return {"list_expr": {"elements": list(elements)}}


def numbered(expression: Json) -> Json:
    """With an id for each node, operands before what is made of them."""
    ids = count(1)
    return _numbered(expression, ids)


def _numbered(node: Json, ids: count[int]) -> Json:
    ((kind, body),) = node.items()
    body = {
        name: _numbered(value, ids)
        if isinstance(value, dict)
        else [_numbered(each, ids) for each in value]
        if isinstance(value, list)
        else value
        for name, value in body.items()
    }
    return {"id": str(next(ids)), kind: body}
