"""Field by field: every field that differs is in exactly one change, and nothing else is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.field_changes import Element, Field, FieldChange, Kind, Step, field_changes

Json = Any

SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "c.d", ""])
KEYS = st.sampled_from(["name", "key", "route", "a.b", "@type", "timeout"])


def containers(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    named = st.fixed_dictionaries({"name": st.sampled_from("pqrstu")}, optional={"value": inner})
    return (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(named, max_size=6)
    )


DOCUMENTS = st.recursive(SCALARS, containers, max_leaves=25)


def applied(old: Json, changes: list[tuple[tuple[Step, ...], FieldChange]]) -> Json:
    """The old document with the changes made, and nothing else: what a reader understands."""
    here = [change for steps, change in changes if not steps]
    if here:
        (change,) = here
        assert len(changes) == 1, "nothing stands below a field that changed as a whole"
        return copy.deepcopy(change.new)
    grouped: dict[Step, list[tuple[tuple[Step, ...], FieldChange]]] = {}
    for (first, *rest), change in changes:
        grouped.setdefault(first, []).append((tuple(rest), change))
    if isinstance(old, dict):
        return _applied_to_fields(old, grouped)
    if isinstance(old, list):
        return _applied_to_elements(old, grouped)
    assert not changes
    return old


def _applied_to_fields(old: dict[str, Json], grouped: dict[Step, Json]) -> dict[str, Json]:
    new = dict(old)
    for step, inner in grouped.items():
        assert isinstance(step, Field)
        rest, change = inner[0]
        if not rest and change.kind is Kind.REMOVED:
            assert new.pop(step.name) == change.old
        elif not rest and change.kind is Kind.ADDED:
            assert step.name not in new
            new[step.name] = change.new
        else:
            new[step.name] = applied(old[step.name], inner)
    return new


def _applied_to_elements(old: list[Json], grouped: dict[Step, Json]) -> list[Json]:
    kept: dict[int, Json] = dict(enumerate(old))
    placed: dict[int, Json] = {}
    for step, inner in grouped.items():
        assert isinstance(step, Element)
        kinds = [change.kind for rest, change in inner if not rest]
        if kinds == [Kind.ADDED]:
            assert step.new is not None
            placed[step.new] = inner[0][1].new
        elif kinds == [Kind.REMOVED]:
            assert step.old is not None
            assert kept.pop(step.old) == inner[0][1].old
        else:
            assert step.old is not None
            assert step.new is not None
            below = [each for each in inner if each[0] or each[1].kind is not Kind.MOVED]
            value = applied(old[step.old], below)
            if Kind.MOVED in kinds:
                del kept[step.old]
                placed[step.new] = value
            else:
                kept[step.old] = value
    new = [kept[place] for place in sorted(kept)]
    for place in sorted(placed):
        new.insert(place, placed[place])
    return new


def said(old: Json, new: Json) -> list[str]:
    return [f"{each.kind} {each.path}" for each in field_changes(old, new)]


@given(DOCUMENTS)
def test_nothing_differs_from_itself(document: Json) -> None:
    assert field_changes(document, copy.deepcopy(document)) == ()


@given(DOCUMENTS, DOCUMENTS)
def test_the_changes_account_for_everything(old: Json, new: Json) -> None:
    changes = [(change.steps, change) for change in field_changes(old, new)]
    made = applied(old, changes)
    assert repr(_ordered(made)) == repr(_ordered(new))


@given(DOCUMENTS, DOCUMENTS)
def test_no_field_is_reported_twice(old: Json, new: Json) -> None:
    changes = field_changes(old, new)
    whole = [each.steps for each in changes if each.kind is not Kind.MOVED]
    assert len(set(whole)) == len(whole)
    for steps in whole:
        assert not any(other != steps and other[: len(steps)] == steps for other in whole)


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_reported_differs(old: Json, new: Json) -> None:
    for each in field_changes(old, new):
        if each.kind is Kind.CHANGED:  # who moved may have the same place, where others have gone
            assert repr(each.old) != repr(each.new)


def _ordered(value: Json) -> Json:
    """Without the order of fields, which means nothing."""
    if isinstance(value, dict):
        return sorted((key, _ordered(item)) for key, item in value.items())
    return [_ordered(item) for item in value] if isinstance(value, list) else value


ROUTES = [{"name": "api", "route": {"timeout": "1s"}}, {"name": "rest"}]


def test_an_inserted_element_is_one_addition() -> None:
    new = [{"name": "docs"}, *ROUTES]
    (change,) = field_changes({"routes": ROUTES}, {"routes": new})
    assert (change.kind, change.path, change.place) == (Kind.ADDED, "routes[name=docs]", "first")


def test_a_moved_element_is_said_as_moved() -> None:
    old = [{"name": name} for name in "abcde"]
    new = [{"name": name} for name in "eabcd"]
    (change,) = field_changes(old, new)
    assert (change.kind, change.path, change.place) == (Kind.MOVED, "[name=e]", "first")
    assert (change.old, change.new) == (4, 0)


def test_what_moved_may_have_changed_as_well() -> None:
    new = [ROUTES[1], {"name": "api", "route": {"timeout": "2s"}}]
    assert said(ROUTES, new) == ["changed [name=api].route.timeout", "moved [name=api]"][::-1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": [{"key": "k", "value": 1}]}, {"a": [{"key": "k", "value": 2}]}, "a[key=k].value"),
        (
            {"hosts": [{"endpoint": {"address": {"socket_address": {"address": "::1"}}}}]},
            {"hosts": []},
            "hosts[address=::1:0]",
        ),
        ({"removed": ["a", "b"]}, {"removed": ["a"]}, "removed[b]"),
        ({"m": [{"remove": "x"}]}, {"m": []}, "m[remove=x]"),
        ({"filters": {"dragoman.x": 1}}, {"filters": {"dragoman.x": 2}}, "filters[dragoman.x]"),
        ({"a": [[1, 2], [3]]}, {"a": [[1, 2], [4, 5]]}, "a[1][3]"),
        ({"a": [{"name": "x"}, {"name": "x", "b": 1}]}, {"a": [{"name": "x"}]}, "a[name=x#2]"),
    ],
)
def test_paths_name_what_they_lead_to(old: Json, new: Json, expected: str) -> None:
    assert expected in [change.path for change in field_changes(old, new)]


def test_fields_of_another_message_are_not_compared() -> None:
    old, new = {"@type": "A", "x": 1}, {"@type": "B", "x": 1}
    (change,) = field_changes({"typed_config": old}, {"typed_config": new})
    assert (change.kind, change.old, change.new) == (Kind.CHANGED, old, new)


def test_true_is_not_one() -> None:
    assert said({"a": True}, {"a": 1}) == ["changed a"]
