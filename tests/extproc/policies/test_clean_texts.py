"""Texts that guards have read: what is known of them, to whom, and for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.clean_texts import LONG, CleanTexts, is_any_long
from gateway.model import TextScope

SYSTEM, USER = TextScope.SYSTEM, TextScope.USER
ADA, BOB = object(), object()
TEXT = "a" * LONG


def keep(clean: CleanTexts, *texts: str) -> None:
    """As they are kept: when they come a second time."""
    clean.keep(ADA, texts, ())
    clean.keep(ADA, texts, ())


def unknown(clean: CleanTexts, *texts: str, caller: object = ADA) -> list[str]:
    return list(clean.unknown(caller, texts, ())[0])


def test_a_long_text_is_read_twice() -> None:
    clean = CleanTexts()
    for _ in range(2):
        assert unknown(clean, "short", TEXT) == ["short", TEXT]
        clean.keep(ADA, ("short", TEXT), ())
    assert unknown(clean, "short", TEXT, "new") == ["short", "new"]
    assert is_any_long(("short", TEXT))
    assert not is_any_long(("short", TEXT[1:]))


def test_nobody_learns_what_others_have_sent() -> None:
    clean = CleanTexts()
    keep(clean, TEXT)
    assert unknown(clean, TEXT, caller=BOB) == [TEXT]


def test_a_text_is_known_where_it_stood() -> None:
    clean = CleanTexts()
    for _ in range(2):
        clean.keep(ADA, [TEXT], [USER])
    left = clean.unknown(ADA, ["short", TEXT, TEXT], [USER, SYSTEM, USER])
    assert left == (["short", TEXT], [USER, SYSTEM])


@given(place=st.integers(0, 3 * LONG - 1), change=st.sampled_from("b\x00é語😀"))
def test_one_other_character_anywhere_is_another_text(place: int, change: str) -> None:
    clean = CleanTexts()
    text = "a" * (3 * LONG)
    keep(clean, text)
    other = text[:place] + change + text[place + 1 :]
    assert unknown(clean, other) == [other]
    assert not unknown(clean, text)


def test_what_was_not_sent_for_long_makes_room() -> None:
    texts = [f"{number:04}" + TEXT for number in range(20)]
    clean = CleanTexts(10 * texts[0].__sizeof__())
    keep(clean, *texts[:10])
    assert not unknown(clean, texts[0])  # sent again
    keep(clean, texts[10])
    assert unknown(clean, *texts[:11]) == [texts[1]]


def test_what_has_no_room_is_not_kept_and_takes_none() -> None:
    clean = CleanTexts(TEXT.__sizeof__())
    keep(clean, TEXT * 2)
    assert unknown(clean, TEXT * 2)
    keep(clean, TEXT)
    assert not unknown(clean, TEXT)


def test_texts_with_the_same_key_take_each_others_room() -> None:
    clean = CleanTexts(3 * TEXT.__sizeof__())
    for number in range(100):
        keep(clean, "a" * 500 + f"{number:03}" + "a" * LONG)
    keep(clean, "b" + TEXT)
    assert not unknown(clean, "b" + TEXT, "a" * 500 + "099" + "a" * LONG)


def test_what_came_once_is_forgotten_among_many() -> None:
    clean = CleanTexts()
    clean.keep(ADA, [TEXT], ())
    for number in range(3000):
        clean.keep(ADA, [f"{number:04}" + TEXT], ())
    clean.keep(ADA, [TEXT], ())
    assert unknown(clean, TEXT) == [TEXT]
    clean.keep(ADA, [TEXT], ())
    assert not unknown(clean, TEXT)
