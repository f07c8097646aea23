"""Made-up ids are steady, unlike each other, and fit every dialect."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.identifiers import call_id

ACCEPTED_EVERYWHERE = re.compile(r"[A-Za-z0-9_-]{1,40}")


@given(st.text(), st.integers(0))
def test_an_id_is_steady_and_fits_every_dialect(seed: str, number: int) -> None:
    assert call_id(seed, number) == call_id(seed, number)
    assert ACCEPTED_EVERYWHERE.fullmatch(call_id(seed, number))


def test_ids_of_other_answers_and_other_calls_differ() -> None:
    ids = {call_id(seed, number) for seed in ("", "a", "b", "a/0") for number in range(10)}
    assert len(ids) == 40
