"""CEL in the form that Envoy takes."""

from __future__ import annotations

import envoy_api

from xds_server.resources import expr


def test_every_node_has_a_number_of_its_own_after_those_it_is_made_of() -> None:
    asked = expr.call("_==_", expr.select(expr.ident("a"), "b", "c"), expr.const("x"))
    assert expr.numbered(asked) == {
        "id": "5",
        "call_expr": {
            "function": "_==_",
            "args": [
                {
                    "id": "3",
                    "select_expr": {
                        "operand": {
                            "id": "2",
                            "select_expr": {
                                "operand": {"id": "1", "ident_expr": {"name": "a"}},
                                "field": "b",
                            },
                        },
                        "field": "c",
                    },
                },
                {"id": "4", "const_expr": {"string_value": "x"}},
            ],
        },
    }


def test_all_of_it_is_in_envoys_api() -> None:
    list_of_all = expr.listed(
        [expr.const(True), expr.const(-3), expr.const(2.5), expr.has(expr.ident("a"), "b")]
    )
    whole = expr.member(list_of_all, "contains", expr.const("x"))
    message = envoy_api.from_dict("cel.expr.Expr", expr.numbered(whole))
    elements = message.call_expr.target.list_expr.elements
    assert [each.WhichOneof("expr_kind") for each in elements] == [
        *["const_expr"] * 3,
        "select_expr",
    ]
    assert elements[0].const_expr.bool_value is True
    assert elements[1].const_expr.int64_value == -3
    assert elements[2].const_expr.double_value == 2.5
    assert elements[3].select_expr.test_only
