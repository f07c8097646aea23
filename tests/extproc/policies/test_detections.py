from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detectors import samples, unseen
from extproc.policies.detections import Detections, masking
from extproc.policies.finding import Found, replaced, replaced_across
from extproc.policies.steps import Step
from extproc.policies.window import Channel, Piece
from extproc.verdict import Deny
from gateway.guards import SECRETS_WINDOW, Mask, MaskStyle
from gateway.kinds import PII_GROUPS, Kind

NO = Deny(400, "content_policy_violation", "no")
FINDER = Detections(PII_GROUPS["all"], ("US",))
TEXT = "Écris à jane@example.com ☎ +49 30 901820, carte 4111 1111 1111 1111"


def said(text: str, start: int = 0) -> list[tuple[str, str]]:
    return [(found.kind, text[found.start : found.end]) for found in FINDER.spans(text, start)]


def test_places_are_in_characters() -> None:
    assert said(TEXT) == [
        ("email", "jane@example.com"),
        ("phone", "+49 30 901820"),
        ("credit_card", "4111 1111 1111 1111"),
    ]


def test_what_stands_before_the_start_is_context_alone() -> None:
    assert said(TEXT, TEXT.index("☎")) == said(TEXT)[1:]
    text = "my SSN is 536228726"
    assert said(text, len("my SSN is ")) == [("us_ssn", "536228726")]


def test_texts_are_not_run_together() -> None:
    assert FINDER.is_in(["hello", "jane@example.com"])
    assert not FINDER.is_in(["jane@", "example.com", "4111 1111", "1111 1111"])
    assert not FINDER.is_in([])


def test_what_is_split_over_pieces_is_masked_in_each() -> None:
    mask = masking({})
    assert replaced_across(FINDER, mask, ["jane@exa", "mple.com is she"]) == [
        "[EMAIL]",
        "[EMAIL] is she",
    ]


def test_a_mask_is_the_label_unless_it_is_said_otherwise() -> None:
    masks = {
        Kind.CREDIT_CARD: Mask(MaskStyle.LAST_4),
        Kind.PHONE: Mask(text="(a number)"),
    }
    assert replaced(FINDER, masking(masks), TEXT) == (
        "Écris à [EMAIL] ☎ (a number), carte **** **** **** 1111"
    )


def test_of_what_is_short_nothing_is_shown() -> None:
    rewrite = masking({Kind.PASSWORD: Mask(MaskStyle.LAST_4)})
    assert rewrite(Found(0, 7, Kind.PASSWORD), "abc-123") == "***-***"
    assert rewrite(Found(0, 8, Kind.PASSWORD), "abcd1234") == "****1234"


@given(st.lists(st.sampled_from(["a@b.example", "é", " ", "☎", "4111111111111111", "x"])))
def test_spans_are_the_same_from_the_beginning_and_are_not_empty(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = FINDER.spans(text)
    assert all(0 <= one.start < one.end <= len(text) for one in spans)
    assert FINDER.is_in([text]) is bool(spans)


SAMPLES = [each.text.decode() for each in [*samples(), *unseen()]]


@pytest.mark.parametrize("size", [5, 31])
def test_in_streams_the_same_is_masked_whatever_the_chunks(size: int) -> None:
    finder = Detections(Kind, ("US", "GB", "DE"))
    step = Step("all", NO, finder, masking({}), window=SECRETS_WINDOW)
    for sample in SAMPLES:
        text = f"{'word ' * 60}\n{sample}\n{'word ' * 80}"
        channel = Channel.of([step], lambda _: None)
        cut = [text[place : place + size] for place in range(0, len(text), size)]
        said = [piece for each in enumerate(cut) for piece in channel.feed(Piece(*each))]
        streamed = "".join(piece.text for piece in [*said, *channel.end()])
        assert streamed == replaced(finder, masking({}), text)
