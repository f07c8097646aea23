"""Names are such that every model can say them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openapi.tool_names import argument_name, generated_name, tool_name, unique


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("listPets", "listPets"),
        ("repos/get-content", "repos_get-content"),
        ("pets.list", "pets_list"),
        ("Größe ändern", "Gr_e_ndern"),
        ("???", ""),
        (
            "x" * 65,
            "x" * 55 + "_" + "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"[:8],
        ),
    ],
)
def test_operation_ids_become_names(text: str, name: str) -> None:
    assert tool_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("X-Rate.Limit", "X-Rate.Limit"),
        ("filter[name]", "filter_name"),
        ("$top", "top"),
        ("[]", "argument"),
    ],
)
def test_parameters_become_arguments(text: str, name: str) -> None:
    assert argument_name(text) == name


def test_operations_without_a_name_get_one() -> None:
    assert generated_name("GET", "/pets/{petId}/toys") == "get_pets_by_petId_toys"
    assert generated_name("post", "/") == "post"


@given(st.text(), st.text())
def test_all_names_can_be_said(one: str, other: str) -> None:
    for name in (tool_name(one), argument_name(other)):
        assert re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", name)


def test_names_are_told_apart() -> None:
    assert unique("a", {"b"}) == "a"
    assert unique("a", {"a", "a_2"}) == "a_3"
    assert len(unique("a" * 64, {"a" * 64})) == 64
