"""Both spellings of a field are one field."""

from __future__ import annotations

import pytest

from extproc.llm.gemini.names import SpelledTwice, both, canonical, known
from extproc.llm.shapes import FREE, Fields, Parts, Unread

SHAPE: Fields = {
    "genConfig": {"maxTokens": Unread.ALL, "freeForm": FREE},
    "contents": {"parts": Parts({"inlineData": {"mimeType": FREE}})},
}
NAMES = known(SHAPE, frozenset({"contents", "parts"}))


def test_underscores_become_capitals_wherever_names_are_known() -> None:
    said = {"gen_config": {"max_tokens": 1}, "contents": [{"parts": [{"inline_data": {}}]}]}
    assert canonical(said, NAMES) == {
        "genConfig": {"maxTokens": 1},
        "contents": [{"parts": [{"inlineData": {}}]}],
    }


def test_names_of_clients_own_stay() -> None:
    said = {"genConfig": {"freeForm": {"max_tokens": 1}}, "my_field": 2}
    assert canonical(said, NAMES) is said


def test_what_has_our_names_stays_the_same_object() -> None:
    said = {"genConfig": {"maxTokens": 1}, "contents": [{"parts": [{"inlineData": {}}]}]}
    assert canonical(said, NAMES) is said


def test_a_lone_object_is_a_list_of_one() -> None:
    assert canonical({"contents": {"parts": {"inlineData": {}}}}, NAMES) == {
        "contents": [{"parts": [{"inlineData": {}}]}]
    }


@pytest.mark.parametrize(
    "said",
    [
        {"gen_config": {}, "genConfig": {}},
        {"genConfig": {"maxTokens": 1, "max_tokens": 1}},
        {"contents": [{"parts": [{"inlineData": {"mimeType": "a", "mime_type": "a"}}]}]},
    ],
)
def test_both_spellings_at_once_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(SpelledTwice, match="are the same field"):
        canonical(said, NAMES)


def test_a_shape_for_bodies_lists_both_spellings() -> None:
    shape = both(SHAPE)
    assert set(shape) == {"genConfig", "gen_config", "contents"}
    contents = shape["contents"]
    assert isinstance(contents, dict)
    assert type(contents["parts"]) is Parts
    assert set(contents["parts"]) == {"inlineData", "inline_data"}


def test_names_are_known_without_regard_to_case() -> None:
    assert NAMES.folded["genconfig"] == "genConfig"
