"""The card of several agents that are asked as one."""

from __future__ import annotations

import json

import pytest

from extproc.a2a.cards import MOST_SKILLS, Card, read_card
from extproc.a2a.group_cards import Part, group_card
from tests.kit.a2a_exchange import card


def skill(name: str, **more: object) -> dict[str, object]:
    return {"id": name, "name": name, "description": name, "tags": [], **more}


def part(name: str, *skills: dict[str, object], only: str = "", **more: object) -> Part:
    said = read_card(json.dumps(card(name, skills=list(skills), **more)).encode())
    assert isinstance(said, Card)
    return Part(said, frozenset(only.split()))


def test_it_has_the_skills_of_all_each_with_its_modes() -> None:
    found = group_card(
        "desk",
        "",
        [
            part("cars", skill("rent"), defaultInputModes=["image/png"]),
            part("hotels", skill("book", inputModes=["text/csv"], tags=["bed"])),
        ],
    )
    assert (found.name, found.description) == ("desk", "Whatever cars and hotels can do")
    rent, book = found.skills
    assert (rent.id, rent.input_modes, rent.output_modes) == (
        "rent",
        ("image/png",),
        ("text/plain",),
    )
    assert (book.id, book.input_modes, book.tags) == ("book", ("text/csv",), ("bed",))
    assert found.input_modes == ("image/png", "text/plain")


def test_a_skill_of_several_is_told_once_as_the_first_has_it() -> None:
    both = [part("a", skill("x", tags=["a"])), part("b", skill("x", tags=["b"]), skill("y"))]
    assert [(each.id, each.tags) for each in group_card("g", "", both).skills] == [
        ("x", ("a",)),
        ("y", ()),
    ]


def test_only_those_that_it_is_asked_for_are_told() -> None:
    found = group_card("g", "what it is", [part("a", skill("x"), skill("y"), only="y z")])
    assert [each.id for each in found.skills] == ["y"]
    assert found.description == "what it is"


def test_who_declares_no_modes_takes_anything() -> None:
    parts = [part("a"), part("b", defaultInputModes=[])]
    assert group_card("g", "", parts).input_modes == ()


def test_it_streams_where_one_does() -> None:
    quiet = part("a", capabilities={"streaming": False})
    assert not group_card("g", "", [quiet]).capabilities.streaming
    assert group_card("g", "", [quiet, part("b")]).capabilities.streaming
    assert not group_card("g", "", [part("b")]).capabilities.extended_card


def test_what_does_not_fit_is_left_out() -> None:
    many = [skill(f"s{place}") for place in range(MOST_SKILLS)]
    found = group_card("g", "", [part("a", *many), part("b", skill("x"))])
    assert len(found.skills) == MOST_SKILLS
    with pytest.raises(ValueError, match="no agents"):
        group_card("g", "", [])
