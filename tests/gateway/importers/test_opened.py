"""What is open of the LLM APIs, as rules and as APIs that are switched off."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.apis import DEFAULT_PREFIXES, Family, Found, Paths
from gateway.cel import Expression, compile_expression
from gateway.importers.opened import (
    EVERYTHING,
    LISTS,
    PLACES,
    at,
    condition,
    known_path,
    of_families,
    paths,
)
from gateway.operations import Operation
from tests.gateway.importers.asked import requests

FOUND = Paths(DEFAULT_PREFIXES)
STRANGE = (
    *("/v1/models/a/b:generateContent", "/v1beta/projects/p/models/m:countTokens"),
    *("/model/a/b/converse", "/v1/responses/input_tokens", "/v1/files/m:generateContent"),
    *("/v1/batches/messages", "/v1/messages/batches/b/results", "/v1/chat/completions/x", "/"),
)


def test_each_operation_that_is_no_list_has_its_places() -> None:
    there = {FOUND.find(place.row.methods[0], place.sample).operation for place in PLACES}
    there.add(Operation.MESSAGE_FILES)  # at the path of OpenAI's
    assert there == {place.row.operation for place in PLACES}
    assert there.isdisjoint(LISTS)
    assert all(place.takes(place.sample) for place in PLACES)


def test_where_everything_is_open_nothing_is_said() -> None:
    assert paths(EVERYTHING) == {}
    assert condition(EVERYTHING, EVERYTHING) == ""
    assert of_families(EVERYTHING) == EVERYTHING


def test_where_nothing_is_open_everything_is_refused() -> None:
    switched_off = {each.value: [] for each in Family if DEFAULT_PREFIXES[each]}
    assert paths(frozenset()) == switched_off
    assert condition(frozenset(), EVERYTHING) == "false"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/v1/embeddings", "/v1/embeddings"),
        ("/embeddings", "/v1/embeddings"),
        ("/v2/rerank", "/v2/rerank"),
        ("/v1beta/models/gemini-2.5:generateContent", "/v1beta/models/gemini-2.5:generateContent"),
        ("/v1/models", ""),
        ("/v1/embeddings?x", ""),
        ("/v1/models/${X}:generateContent", ""),
        ("/v1/*", ""),
        ("embeddings", ""),
        ("", ""),
    ],
)
def test_a_path_of_theirs_is_found_with_and_without_its_prefix(text: str, path: str) -> None:
    assert known_path(text) == path
    assert bool(at([path])) is bool(path)


@given(st.sets(st.sampled_from(PLACES)))
@settings(max_examples=200, deadline=None)
def test_a_rule_holds_exactly_where_something_is_open(places: set[object]) -> None:
    served = of_families(frozenset(place for place in PLACES if place in places))
    test = condition(frozenset(places), served)
    rule = compile_expression(test or "true")
    assert isinstance(rule, Expression)
    left = Paths(
        {each: () if each.value in paths(places) else DEFAULT_PREFIXES[each] for each in Family}
    )
    asked = [*requests(), *((method, path, None) for path in STRANGE for method in ("POST", "GET"))]
    for method, path, _ in asked:
        found = left.find(method, path)
        is_open = rule.evaluate({"request.path": path}) is True
        if not isinstance(found, Found) or found.operation in LISTS:
            continue
        expected = any(
            place.row.operation is found.operation
            and place.row.family is found.family
            and method in place.row.methods
            and place.takes(path)
            for place in places
        )
        others = [place for place in places if place.takes(path)]
        assert expected or not is_open or others, path
        is_barred = any(place.path == path for place in EVERYTHING - frozenset(places))
        assert is_open or not expected or is_barred, path
