"""AgentGateway's variables → ours."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway.variables import Variables
from tests.gateway.importers.agentgateway.imports import config, imported, problems


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("$VAR", "${VAR}"),
        ("${VAR}", "${VAR}"),
        ("${VAR:-a b}", "${VAR:-a b}"),
        ("x$VAR.y", "x${VAR}.y"),
        ("$$VAR", "$VAR"),
        ("$${VAR}", "$${VAR}"),
        ("cost: 5$", "cost: 5$"),
        ("^a$", "^a$"),
        ("${", "$${"),
        ("${not a name}", "$${not a name}"),
    ],
)
def test_a_text_means_the_same(theirs: str, ours: str) -> None:
    variables = Variables()
    assert variables.put_back(variables.take_out(theirs)) == ours


def test_a_variable_may_stand_where_yaml_would_not_have_it() -> None:
    gateway = config(
        "binds: [{port: ${PORT:-80}, listeners: [{routes: [{backends: [{host: $H:1}]}]}]}]"
    )
    assert gateway.gateways["default"].port > 0
    assert gateway.routes[0].backend is not None


def test_lines_are_those_of_the_file() -> None:
    found = imported("# $HOME\nbinds:\n- port: $PORT\n  listeners: []\n")
    assert [(each.path, each.line) for each in found.mappings][:2] == [
        ("binds", 2),
        ("binds.0.port", 3),
    ]


def test_a_variable_is_no_block() -> None:
    assert problems("binds: $BINDS") == ["theirs.yaml:1: binds: must be a list"]
