from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.tokens import LONGEST_TOKEN, Tokens
from gateway.kinds import Kind


def test_a_value_has_one_token_and_a_token_one_value() -> None:
    tokens = Tokens()
    assert not tokens.is_any
    assert tokens.token("email", "a@b.example") == "<EMAIL_1>"
    assert tokens.token("email", "c@d.example") == "<EMAIL_2>"
    assert tokens.token("email", "a@b.example") == "<EMAIL_1>"
    assert tokens.token("phone", "a@b.example") == "<PHONE_1>"
    assert tokens.is_any
    assert tokens.value("<EMAIL_2>") == "c@d.example"
    assert tokens.value("<EMAIL_3>") == "<EMAIL_3>"


def test_what_the_client_says_itself_stands_for_nothing_else() -> None:
    tokens = Tokens(["what does <EMAIL_1> mean?", "and <EMAIL_3>"])
    assert [tokens.token("email", value) for value in "ab"] == ["<EMAIL_2>", "<EMAIL_4>"]
    assert list(tokens.places("<EMAIL_1> <EMAIL_2>")) == [(10, 19)]


def test_only_our_tokens_have_places() -> None:
    tokens = Tokens()
    tokens.token("email", "a@b.example")
    text = "<EMAIL_1>, <EMAIL_2>, <b>, <<EMAIL_1>>"
    assert [text[start:end] for start, end in tokens.places(text)] == ["<EMAIL_1>", "<EMAIL_1>"]
    assert list(tokens.places(text, 1)) == [(28, 37)]


def test_every_kind_has_a_token_that_is_found() -> None:
    tokens = Tokens()
    for kind in Kind:
        token = tokens.token(kind, "x")
        assert list(tokens.places(token)) == [(0, len(token))]
        assert len(f"{token[:-2]}999999>") <= LONGEST_TOKEN


@given(st.lists(st.sampled_from(["a@b.example", "x", "+1", ""])))
def test_what_is_said_again_gets_the_same_tokens(values: list[str]) -> None:
    first, again = Tokens(), Tokens()
    said = [first.token("email", value) for value in values]
    assert [again.token("email", value) for value in values] == said
    assert [again.value(token) for token in said] == values
