"""Our configuration while it is being made."""

from __future__ import annotations

from gateway.importers.agentgateway.draft import OPEN, Door, Names, Rule, Terms, quoted
from tests.gateway.importers.agentgateway.imports import node


def test_names_are_ours_and_unique() -> None:
    names = Names()
    assert [names.unique(each, "route") for each in ("a/b", "a b", "", None, "-x-", "é" * 9)] == [
        "a-b",
        "a-b-2",
        "route",
        "route-2",
        "x",
        "route-3",
    ]
    assert len(names.unique("x" * 100, "x")) <= 64


def test_terms_add_up() -> None:
    rule = Rule("require", "true")
    both = Terms(("a",), (rule,)) + Terms(("a", "b"), (), (Door(("k",), is_strict=True),))
    assert both == Terms(("a", "b"), (rule,), (Door(("k",), is_strict=True),))
    assert both.is_strict
    assert not both.is_open
    assert OPEN.is_open
    assert not Terms(doors=(Door((), is_strict=False),)).is_open


def test_a_rule_has_a_name_of_its_own() -> None:
    _, draft = node("{}")
    assert draft.rule("a", {"route": "a"}, Rule("deny", "true")) == "a"
    assert draft.rule("a", {"route": "a"}, Rule("require", "false")) == "a-2"
    assert draft.rules[1] == {"name": "a-2", "for": {"route": "a"}, "require": "false"}


def test_texts_are_quoted_for_cel() -> None:
    assert quoted(['a"b', "c\\d"]) == r'["a\"b", "c\\d"]'
