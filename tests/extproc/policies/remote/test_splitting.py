from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.remote.splitting import batches, parts
from extproc.policies.remote.words import Said
from gateway.guards import TextScope

texts = st.lists(st.text(alphabet="ab \n", max_size=60), max_size=6)


@given(texts, st.integers(1, 20))
def test_parts_are_short_and_together_the_text(said: list[str], limit: int) -> None:
    found = parts([Said(TextScope.USER, text) for text in said], limit)
    assert all(len(part.text) <= limit for part in found)
    whole = ["".join(part.text for part in found if part.place == at) for at in range(len(said))]
    assert whole == said


@given(texts, st.integers(1, 5), st.integers(5, 40))
def test_batches_are_bounded_and_in_order(said: list[str], most: int, characters: int) -> None:
    found = parts([Said(TextScope.USER, text) for text in said], 5)
    made = batches(found, most=most, characters=characters)
    assert [part for batch in made for part in batch] == found
    assert all(len(batch) <= most for batch in made)
    assert all(sum(len(part.text) for part in batch) <= characters for batch in made)


def test_words_stay_whole_where_they_are_short() -> None:
    found = parts([Said(TextScope.USER, "aaaa bbbb cccc dddd eeee")], 21)
    assert [part.text for part in found] == ["aaaa bbbb cccc dddd ", "eeee"]
