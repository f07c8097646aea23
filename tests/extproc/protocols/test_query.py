from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.query import AmbiguousQuery, joined, model_of_query, with_model, without

NAMES = st.text("abcxyz", min_size=1)
MEMBERS = st.lists(st.tuples(NAMES, st.text()), max_size=4)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/realtime", ""),
        ("/v1/realtime?", ""),
        ("/v1/realtime?intent=transcription", ""),
        ("/v1/realtime?model=gpt-realtime", "gpt-realtime"),
        ("/v1/realtime?a=b&model=gpt-realtime&c", "gpt-realtime"),
        ("/v1/realtime?model=local%2Fa%20b%C3%A4", "local/a bä"),
        ("/v1/realtime?m%6Fdel=a+b", "a b"),
        ("/v1/realtime?model=a?b=c", "a?b=c"),
        ("/v1/realtime?model", ""),
    ],
)
def test_the_model_is_read(path: str, model: str) -> None:
    assert model_of_query(path) == model


@pytest.mark.parametrize(
    "query",
    [
        "model=a&model=b",
        "model=a&model=a",
        "model=a&m%6fdel=b",
        "model=a&Model=b",
        "model[]=a",
        "a=b;model=c&model=d",
        "model=%FF",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(query: str) -> None:
    with pytest.raises(AmbiguousQuery):
        model_of_query(f"/v1/realtime?{query}")


@given(MEMBERS, st.text(), st.text())
def test_another_model_is_named_and_the_rest_stays(
    members: list[tuple[str, str]], before: str, model: str
) -> None:
    query = urlencode([*members, ("model", before)], quote_via=quote)
    path = with_model(f"/v1/realtime?{query}", model)
    assert model_of_query(path) == model
    assert parse_qsl(path.partition("?")[2], True) == [*members, ("model", model)]


@pytest.mark.parametrize("path", ["/v1/realtime", "/v1/realtime?"])
def test_a_model_is_added_where_there_was_none(path: str) -> None:
    assert with_model(path, "a/b") == "/v1/realtime?model=a%2Fb"
    assert with_model("/v1/realtime?x=y", "m") == "/v1/realtime?x=y&model=m"


def test_azures_name_of_the_model_is_read_where_it_is_asked_for() -> None:
    assert model_of_query("/realtime?deployment=a&api-version=1", "deployment") == "a"
    assert model_of_query("/realtime?deployment=a") == ""
    with pytest.raises(AmbiguousQuery):
        model_of_query("/realtime?deployment=a&model=b", "deployment")


@pytest.mark.parametrize(
    ("path", "rest", "whole"),
    [
        ("/files", "/f?a=b", "/files/f?a=b"),
        ("/files?v=1", "", "/files?v=1"),
        ("/files?v=1", "/f", "/files/f?v=1"),
        ("/files?v=1", "/f?a=b", "/files/f?v=1&a=b"),
        ("/files?v=1", "?v=2&%76=3&a", "/files?v=1&a"),
    ],
)
def test_what_is_asked_below_a_path_does_not_say_its_query_again(
    path: str, rest: str, whole: str
) -> None:
    assert joined(path, rest) == whole


@pytest.mark.parametrize(
    ("rest", "left"),
    [
        ("", ""),
        ("/f", "/f"),
        ("/f?v=1", "/f"),
        ("/f?a=b&v=1", "/f?a=b"),
        ("?%76=1&a", "?a"),
    ],
)
def test_members_of_a_query_are_left_out(rest: str, left: str) -> None:
    assert without(rest, ("v",)) == left
