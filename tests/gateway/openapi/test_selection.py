"""Globs over names, tags, methods and paths."""

from __future__ import annotations

from gateway.openapi.selection import Candidate, is_chosen, is_of
from gateway.openapi.values import Selection, Terms

PETS = Candidate(("pets/list", "pets_list"), ("pets", "public"), "GET", "/pets/{id}")


def test_a_selection_wants_all_its_kinds() -> None:
    assert is_of(Selection(), PETS)
    assert is_of(Selection(names=("pets/*",), methods=("get",)), PETS)
    assert is_of(Selection(names=("pets_*",), tags=("x", "pub*")), PETS)
    assert not is_of(Selection(names=("pets/*",), methods=("post",)), PETS)
    assert not is_of(Selection(tags=("private",)), PETS)
    assert not is_of(Selection(paths=("/pets",)), PETS)


def test_what_is_excluded_is_out_whatever_includes_it() -> None:
    pets = (Selection(tags=("pets",)),)
    assert is_chosen(Terms(), PETS)
    assert is_chosen(Terms(include=pets), PETS)
    assert not is_chosen(Terms(include=(Selection(tags=("x",)),)), PETS)
    assert not is_chosen(Terms(include=pets, exclude=pets), PETS)
