"""Fields are set in bodies, at the top and within objects; all else stays as it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.members import folded, steps_of, with_steps
from extproc.protocols import json_spans
from gateway.shaping import Fields


def shaped(body: bytes, fields: Fields) -> bytes:
    return with_steps(body, json_spans.members(body), steps_of(fields))


def test_defaults_stand_where_there_is_nothing() -> None:
    fields = Fields(defaults=(("a", "1"), ("b", "[true]")))
    assert json.loads(shaped(b'{"a": 2}', fields)) == {"a": 2, "b": [True]}


def test_null_of_the_client_is_something() -> None:
    assert shaped(b'{"a":null}', Fields(defaults=(("a", "1"),))) == b'{"a":null}'


def test_overrides_stand_whatever_there_is_and_null_removes() -> None:
    fields = Fields(overrides=(("a", "1"), ("b", "null"), ("c", '{"d":2}')))
    assert shaped(b'{"x" : 1.50, "a": 7,"b":[3] }', fields) == b'{"x" : 1.50, "a": 1,"c":{"d":2}}'


def test_other_spellings_of_a_field_are_that_field() -> None:
    fields = Fields(overrides=(("safetySettings", "[]"), ("max_tokens", "5")))
    found = shaped(b'{"safety_settings":[1],"max_completion_tokens":9}', fields)
    assert json.loads(found) == {"safetySettings": [], "max_tokens": 5}
    default = Fields(defaults=(("max_tokens", "5"),))
    assert shaped(b'{"max_completion_tokens":9}', default) == b'{"max_completion_tokens":9}'


def test_an_override_wins_over_a_default_of_another_spelling() -> None:
    fields = Fields(defaults=(("maxTokens", "1"),), overrides=(("max_tokens", "2"),))
    assert json.loads(shaped(b"{}", fields)) == {"max_tokens": 2}


def test_of_two_names_for_one_field_the_last_counts() -> None:
    fields = Fields(defaults=(("aB", "1"),), overrides=(("AB", "null"), ("aB", "2")))
    assert json.loads(shaped(b"{}", fields)) == {"aB": 2}


@pytest.mark.parametrize(
    ("body", "override", "found"),
    [
        ('{"a" : {"b" : 1.50, "c":2 }}', ("a.c", "3"), '{"a" : {"b" : 1.50, "c":3 }}'),
        ('{"a" : {"b" : 1.50}, "x":[ ]}', ("a.c", "3"), '{"a" : {"b" : 1.50,"c":3}, "x":[ ]}'),
        ('{"x": 1}', ("a.b.c", "[]"), '{"x": 1,"a":{"b":{"c":[]}}}'),
        ('{"a": null}', ("a.b", "1"), '{"a": {"b":1}}'),
        ('{"a": "text"}', ("a.b", "1"), '{"a": {"b":1}}'),
        ('{"a": [{}]}', ("a.b.c", "1"), '{"a": {"b":{"c":1}}}'),
        ('{"a": {"b": 7}}', ("a.b.c", "1"), '{"a": {"b": {"c":1}}}'),
        ('{"a":{"b":1,"c":2}}', ("a.b", "null"), '{"a":{"c":2}}'),
        ('{"a":{"b":1}}', ("a.b", "null"), '{"a":{}}'),
        ('{"a":{"b":1}}', ("a.c", "null"), '{"a":{"b":1}}'),
        ('{"a":"text"}', ("a.c", "null"), '{"a":"text"}'),
        ('{"x":1}', ("a.b", "null"), '{"x":1}'),
        ('{"a.b":1}', ("a.b", "2"), '{"a.b":1,"a":{"b":2}}'),
        ('{"aB":{"c_d":1,"e":2}}', ("a_b.cD", "3"), '{"aB":{"e":2,"cD":3}}'),
        ('{"aB":{"cD":{"x":1}}}', ("a_b.c_d.y", "3"), '{"aB":{"cD":{"x":1,"y":3}}}'),
    ],
)
def test_a_path_leads_into_objects(body: str, override: tuple[str, str], found: str) -> None:
    assert shaped(body.encode(), Fields(overrides=(override,))).decode() == found


@pytest.mark.parametrize(
    ("body", "default", "found"),
    [
        ('{"a":{"b":1}}', ("a.b", "2"), '{"a":{"b":1}}'),
        ('{"a":{"b":null}}', ("a.b", "2"), '{"a":{"b":null}}'),
        ('{"a":{"x":1}}', ("a.b", "2"), '{"a":{"x":1,"b":2}}'),
        ('{"a":null}', ("a.b", "2"), '{"a":null}'),
        ('{"a":3}', ("a.b.c", "2"), '{"a":3}'),
        ("{}", ("a.b.c", "2"), '{"a":{"b":{"c":2}}}'),
        ('{"a_b":{"c_d":1}}', ("aB.cD", "2"), '{"a_b":{"c_d":1}}'),
        ('{"a_b":{}}', ("aB.cD", "2"), '{"a_b":{"cD":2}}'),
    ],
)
def test_a_default_within_an_object_fills_in_what_is_missing(
    body: str, default: tuple[str, str], found: str
) -> None:
    assert shaped(body.encode(), Fields(defaults=(default,))).decode() == found


def test_what_comes_later_sees_what_was_done_before() -> None:
    fields = Fields(
        defaults=(("a", '{"b":1,"c":2}'), ("d.e", "1")),
        overrides=(("a.b", "null"), ("d", '{"f":2}'), ("g", "null"), ("g.h", "3")),
    )
    found = json.loads(shaped(b'{"g":{"i":1}}', fields))
    assert found == {"a": {"c": 2}, "d": {"f": 2}, "g": {"h": 3}}


def test_of_two_spellings_of_one_object_none_is_left_without_it() -> None:
    found = json.loads(shaped(b'{"a_b":{"x":1},"aB":{"y":2}}', Fields(overrides=(("aB.z", "3"),))))
    assert [each["z"] for each in found.values()] == [3]


keys = st.text(st.characters(exclude_characters=".", codec="utf-8"), max_size=4) | st.sampled_from(
    ["a", "A", "a_b", "aB", "max_tokens"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
written = st.dictionaries(keys, values, max_size=5)


@given(written, written, written, st.sampled_from([None, 1]), st.booleans())
def test_whatever_is_added_the_body_is_json_and_the_rest_stays_as_it_is_written(
    document: dict[str, Any],
    defaults: dict[str, Any],
    overrides: dict[str, Any],
    indent: int | None,
    is_ascii: bool,
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    fields = Fields(
        tuple((name, json.dumps(value)) for name, value in defaults.items() if value is not None),
        tuple((name, json.dumps(value)) for name, value in overrides.items()),
    )
    found = shaped(body, fields)
    document_found = json_spans.decode(found)  # strict: nothing twice
    last = {folded(name): name for name in overrides}
    for name in last.values():
        value = overrides[name]
        alike = [each for each in document_found if folded(each) == folded(name)]
        assert alike == ([] if value is None else [name])
        assert document_found.get(name) == value
    before, after = json_spans.members(body), json_spans.members(found)
    for name, value in before.items():
        if folded(name) not in last:
            assert after[name] == value


paths = st.lists(st.sampled_from(["a", "b", "aB", "a_b", "c"]), min_size=1, max_size=3)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386 §2."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3), paths, st.integers())
def test_an_override_is_a_merge_patch(document: Any, path: list[str], value: int) -> None:
    path = [each[0] for each in path]
    patch: Any = value
    for name in reversed(path):
        patch = {name: patch}
    fields = Fields(overrides=((".".join(path), str(value)),))
    found = json.loads(shaped(json.dumps(document).encode(), fields))
    for name in path:  # where no other spelling is in the way
        if any(folded(each) == folded(name) and each != name for each in keys_of(document)):
            return
    assert found == merged(document, patch)


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()
