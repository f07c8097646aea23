"""Trees of choices."""

from __future__ import annotations

import pytest

from gateway.choice import (
    Choice,
    One,
    Target,
    by_place,
    described,
    expressions,
    headers_stuck_to,
    is_in_written_order,
    is_timed,
    leaves,
    nodes,
    tries_one_branch,
)
from tests.kit.choosers import models

WRITTEN = """
    routed: {conditional: [{when: llm.is_stream, use: stuck}, {when: 'principal.team == "x"', use:
        cheap}, {use: quick}]},
    stuck: {weighted: {a/x: 3, turns: 1}, sticky: "header:X-Session"},
    own: {weighted: {a/x: 3, stuck: 1}, sticky: principal.name},
    chance: {weighted: {cheap: 3, b/y: 1}},
    turns: {failover: [b/y, c/z]},
    cheap: {cheapest: [a/x, b/y]},
    quick: {fastest: [a/x, b/y]}
"""
CHOICES = {each.name: each.choice for each in models(WRITTEN) if each.choice is not None}


def test_leaves_are_all_targets_and_each_has_its_place() -> None:
    assert [(each.target.model, each.place) for each in leaves(CHOICES["routed"])] == [
        ("x", 1),
        ("y", 2),
        ("z", 3),
        ("x", 1),
        ("y", 2),
        ("x", 1),
        ("y", 2),
    ]
    assert by_place(CHOICES["stuck"]) == (
        (Target("a", "x", 3),),
        (Target("b", "y"),),
        (Target("c", "z"),),
    )
    assert len(list(nodes(CHOICES["stuck"]))) == 5


def test_what_is_read_of_requests_is_known() -> None:
    assert expressions(CHOICES["routed"]) == (("llm.is_stream", 'principal.team == "x"'), ())
    assert expressions(CHOICES["own"]) == ((), ("principal.name",))
    assert headers_stuck_to(CHOICES["own"]) == {"x-session"}
    assert headers_stuck_to(CHOICES["cheap"]) == frozenset()


def test_only_speed_has_to_be_told() -> None:
    timed = {name: is_timed(choice) for name, choice in CHOICES.items()}
    assert [name for name, told in timed.items() if told] == ["routed", "quick"]
    assert not is_timed(None)


@pytest.mark.parametrize(
    ("choice", "one_branch", "written"),
    [
        (CHOICES["routed"], True, True),
        (CHOICES["chance"], True, True),
        (CHOICES["stuck"], False, False),
        (CHOICES["cheap"], False, False),
        (CHOICES["quick"], False, False),
        (One(Target("a", "x"), 1), False, True),
    ],
)
def test_branches_are_tried_alone_in_order_or_in_any(
    choice: Choice, one_branch: bool, written: bool
) -> None:
    assert (tries_one_branch(choice), is_in_written_order(choice)) == (one_branch, written)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "routed",
            "the first that holds of [when llm.is_stream: by header:x-session, weighted [a/x: 3,"
            ' in turn [b/y, c/z]: 1], when principal.team == "x": the cheapest first of [a/x,'
            " b/y], else: the fastest first of [a/x, b/y]]",
        ),
        ("chance", "by chance, weighted [the cheapest first of [a/x, b/y]: 3, b/y: 1]"),
    ],
)
def test_a_choice_is_described_for_people(name: str, text: str) -> None:
    assert described(CHOICES[name]) == text
