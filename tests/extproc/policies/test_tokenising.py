from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from extproc.facts import Facts
from extproc.llm import texts
from extproc.llm.openai_chat.reading import READING
from extproc.llm.openai_chat.shapes import REQUEST
from extproc.policies.guard import Guards
from extproc.policies.tokenising import Tokened, restoring
from extproc.policies.window import Channel, Piece
from extproc.protocols import json_spans
from extproc.tokens import Tokens
from extproc.verdict import PASS, Amend
from gateway.guards import DetectionAction, DetectionGuard, GuardTerms
from gateway.kinds import Kind
from gateway.scopes import Mode, Scope


def guard(terms: GuardTerms | None = None) -> DetectionGuard:
    return DetectionGuard(
        name="people",
        type="pii",
        kinds=(Kind.EMAIL, Kind.CREDIT_CARD),
        regions=(),
        action=DetectionAction.TOKENISE,
        masks={},
        message="no",
        terms=terms or GuardTerms(),
    )


def facts_of(*contents: str) -> Facts:
    messages = [{"role": "user", "content": content} for content in contents]
    body = json.dumps({"model": "fast", "messages": messages}).encode()
    document = json_spans.decode(body)
    return Facts(
        now=datetime(2030, 1, 1, tzinfo=UTC),
        model="fast",
        body=body,
        document=document,
        texts=texts.texts(document, REQUEST),
        reword=READING.reword,
    )


def said(verdict: object) -> list[str]:
    assert isinstance(verdict, Amend)
    return [each["content"] for each in json.loads(verdict.body)["messages"]]


def test_each_value_has_its_token_wherever_it_stands() -> None:
    facts = facts_of("a@b.example and c@d.example", "again a@b.example, 4111 1111 1111 1111")
    assert said(Guards([guard()]).on_request(facts)) == [
        "<EMAIL_1> and <EMAIL_2>",
        "again <EMAIL_1>, <CREDIT_CARD_1>",
    ]
    assert facts.tokens is not None
    assert facts.tokens.value("<CREDIT_CARD_1>") == "4111 1111 1111 1111"


def test_two_guards_share_the_tokens_of_an_exchange() -> None:
    facts = facts_of("a@b.example, 4111 1111 1111 1111")
    cards = replace(guard(), kinds=(Kind.CREDIT_CARD,))
    mails = replace(guard(), kinds=(Kind.EMAIL,))
    assert said(Guards([cards, mails]).on_request(facts)) == ["<EMAIL_1>, <CREDIT_CARD_1>"]
    assert facts.tokens is not None
    assert facts.tokens.value("<EMAIL_1>") == "a@b.example"
    assert facts.tokens.value("<CREDIT_CARD_1>") == "4111 1111 1111 1111"


def test_what_the_client_calls_so_is_not_confused() -> None:
    facts = facts_of("<EMAIL_1> is a@b.example")
    assert said(Guards([guard()]).on_request(facts)) == ["<EMAIL_1> is <EMAIL_2>"]


def test_exchanges_share_nothing() -> None:
    guards = Guards([guard()])
    first, second = facts_of("a@b.example"), facts_of("c@d.example")
    assert said(guards.on_request(first)) == said(guards.on_request(second)) == ["<EMAIL_1>"]
    assert first.tokens is not None
    assert first.tokens.value("<EMAIL_1>") == "a@b.example"


def test_tokens_are_made_where_a_guard_masks_with_them() -> None:
    for facts, asked in (
        (facts_of("hello"), guard()),
        (facts_of("a@b.example"), guard(GuardTerms(Scope(model="other")))),
        (facts_of("a@b.example"), guard(GuardTerms(mode=Mode.AUDIT))),
    ):
        assert Guards([asked]).on_request(facts) is PASS
        assert facts.tokens is None
    assert Guards([guard()]).is_tokenising
    assert not Guards([guard(GuardTerms(mode=Mode.AUDIT))]).is_tokenising


def test_only_tokens_of_the_exchange_are_found() -> None:
    tokens = Tokens()
    tokens.token("email", "a@b.example")
    finder = Tokened(tokens)
    assert finder.is_in(["hello", "to <EMAIL_1>"])
    assert not finder.is_in(["hello", "to <EMAIL_2>"])
    assert [tuple(found)[:2] for found in finder.spans("to <EMAIL_1>, <EMAIL_2>")] == [(3, 12)]


ANSWER = "Dear <EMAIL_1>, <b>your</b> card <CREDIT_CARD_1><EMAIL_2> < <EMAIL_9> <EMAIL_"
RESTORED = "Dear a@b.example, <b>your</b> card 4111c@d.example < <EMAIL_9> <EMAIL_"


@given(st.lists(st.integers(0, len(ANSWER)), max_size=20))
def test_cuts_do_not_matter_when_values_are_put_back(cuts: list[int]) -> None:
    tokens = Tokens()
    for kind, value in (
        ("email", "a@b.example"),
        ("email", "c@d.example"),
        ("credit_card", "4111"),
    ):
        tokens.token(kind, value)
    channel = Channel.of([restoring(tokens)], lambda _: None)
    places = sorted({0, *cuts, len(ANSWER)})
    got = ""
    for owner, (start, end) in enumerate(pairwise(places)):
        got += "".join(piece.text for piece in channel.feed(Piece(owner, ANSWER[start:end])))
    got += "".join(piece.text for piece in channel.end())
    assert got == RESTORED


def test_in_arguments_of_tools_values_are_spelled_as_json() -> None:
    tokens = Tokens()
    tokens.token("email", 'say "a"@b.example')
    channel = Channel.of([restoring(tokens)], lambda _: None, is_json=True)
    pieces = [
        *channel.feed(Piece(1, '{"to": "\\u003cEMAIL_1\\u003e", ')),
        *channel.feed(Piece(2, '"cc": "<EMAIL_1>"}')),
    ]
    text = "".join(piece.text for piece in [*pieces, *channel.end()])
    assert json.loads(text) == {"to": 'say "a"@b.example', "cc": 'say "a"@b.example'}
