from __future__ import annotations

import pytest

from extproc.named import Models, Named
from gateway.model import Model


@pytest.mark.parametrize(
    ("asked", "name", "matched"),
    [
        ("a/b", "a/b", None),  # before the pattern that stands before it
        ("a/c", "a/*", "c"),
        ("a/", "a/*", ""),
        ("ba-ba", "ba*a", "-b"),
        ("ba", None, None),  # its ends would share a letter
        ("x", None, None),
    ],
)
def test_a_model_is_found_by_its_name_or_by_what_the_name_stands_for(
    asked: str, name: str | None, matched: str | None
) -> None:
    found = Models(Model(each, ()) for each in ("a/*", "a/b", "ba*a")).find(asked)
    assert (found and (found.model.name, found.matched)) == (name and (name, matched))


def test_the_first_of_several_patterns_counts() -> None:
    found = Models(Model(each, ()) for each in ("a*", "*b")).find("ab")
    assert found == Named(Model("a*", ()), "b")


def test_a_star_stands_for_the_same_in_the_name_of_a_target() -> None:
    assert Named(Model("a/*", ()), "b*").filled("c-*-*") == "c-b*-*"
    assert Named(Model("a", ()), None).filled("c-*") == "c-*"
