"""How many tokens the bytes of a stream stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.stream_sizes import (
    BYTES_PER_TOKEN,
    FARTHEST,
    FEWEST_TOKENS,
    FIRST_LOOKS,
    MOST_KEPT,
    ONE_IN,
    REMEMBERED_TOKENS,
    StreamSizes,
)
from gateway.model import Dialect
from tests.kit.long_streams import SPOKEN

TARGET = ("a", "m")
CHAT = Dialect.OPENAI_CHAT
DIALECTS = {
    "chat": Dialect.OPENAI_CHAT,
    "messages": Dialect.ANTHROPIC,
    "gemini": Dialect.GEMINI,
}


@pytest.mark.parametrize("name", SPOKEN)
def test_an_unknown_target_is_taken_for_one_that_keeps_to_the_documented_format(name: str) -> None:
    spoken = SPOKEN[name]
    found = StreamSizes().tokens(TARGET, DIALECTS[name], len(spoken.event) * 1000)
    assert spoken.tokens * 1000 / 1.6 < found < spoken.tokens * 1000 * 1.6


def test_every_dialect_has_a_size() -> None:
    assert set(BYTES_PER_TOKEN) == set(Dialect)


def test_what_was_seen_counts() -> None:
    sizes = StreamSizes()
    sizes.observe(TARGET, CHAT, 50_000, 1000)
    assert sizes.tokens(TARGET, CHAT, 5_000) == 100
    assert sizes.tokens(("a", "other"), CHAT, 5_000) == 25


def test_long_streams_count_for_more_and_new_ones_in_the_end_for_most() -> None:
    sizes = StreamSizes()
    sizes.observe(TARGET, CHAT, 300_000, 1_000)
    sizes.observe(TARGET, CHAT, 900_000, 9_000)
    assert sizes.tokens(TARGET, CHAT, 1_200_000) == 10_000
    for _ in range(8):
        sizes.observe(TARGET, CHAT, 50 * REMEMBERED_TOKENS, REMEMBERED_TOKENS)
    assert sizes.tokens(TARGET, CHAT, 50_000) == pytest.approx(1_000, rel=0.02)


@pytest.mark.parametrize(
    ("sent_bytes", "tokens"),
    [
        (200 * (FEWEST_TOKENS - 1), FEWEST_TOKENS - 1),
        (0, 1000),
        (200_000 // FARTHEST - 1, 1000),  # it thought unseen
        (200_000 * FARTHEST + 1, 1000),
        (200_000, 0),
    ],
)
def test_what_is_no_measure_teaches_nothing(sent_bytes: int, tokens: int) -> None:
    sizes = StreamSizes()
    sizes.observe(TARGET, CHAT, sent_bytes, tokens)
    assert sizes.tokens(TARGET, CHAT, 200_000) == 1000


@given(
    st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 31))),
    st.sampled_from(list(Dialect)),
    st.integers(1, 1 << 40),
)
def test_whatever_was_seen_the_estimate_stays_within_bounds(
    seen: list[tuple[int, int]], dialect: Dialect, sent_bytes: int
) -> None:
    sizes = StreamSizes()
    for told in seen:
        sizes.observe(TARGET, dialect, *told)
    usual = sent_bytes / BYTES_PER_TOKEN[dialect]
    assert max(1, usual / FARTHEST - 1) <= sizes.tokens(TARGET, dialect, sent_bytes)
    assert sizes.tokens(TARGET, dialect, sent_bytes) <= usual * FARTHEST + 1


def test_few_streams_are_looked_at() -> None:
    sizes = StreamSizes()
    looks = [sizes.is_due(*TARGET) for _ in range(FIRST_LOOKS + 3 * ONE_IN)]
    assert sum(looks) == FIRST_LOOKS + 3
    assert all(looks[:FIRST_LOOKS])


def test_names_that_clients_choose_do_not_fill_the_memory() -> None:
    sizes = StreamSizes()
    for number in range(MOST_KEPT + 1):
        sizes.observe(("a", f"m{number}"), CHAT, 50_000, 1000)
    assert sizes.tokens(("a", "m0"), CHAT, 200_000) == 1000, "the oldest is forgotten"
    assert sizes.tokens(("a", f"m{MOST_KEPT}"), CHAT, 50_000) == 1000
