"""Whatever the pieces are, what goes on is what the whole text would have become."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extproc.policies.finding import replaced
from extproc.policies.steps import Step, Steps
from extproc.policies.window import LONGEST_HELD, Blocked, Channel, Held, Piece
from gateway.model import GuardAction, GuardTerms, Mode, RegexGuard

WINDOW = 12


def step(
    *patterns: str, replacement: str | None = None, mode: Mode = Mode.ENFORCE, window: int = WINDOW
) -> Step:
    action = GuardAction.BLOCK if replacement is None else GuardAction.MASK
    terms = GuardTerms(mode=mode, window=window)
    return Steps([RegexGuard("g", patterns, action, replacement or "", "", terms)]).all[0]


def ignore(step: Step) -> None:
    assert not step.is_audited


def through(steps: Sequence[Step], pieces: Iterable[str], *, is_json: bool = False) -> list[str]:
    """What becomes of each piece, in order."""
    channel = Channel.of(steps, ignore, is_json=is_json)
    gone: list[Piece] = []
    for owner, text in enumerate(pieces):
        gone += channel.feed(Piece(owner, text))
    gone += channel.end()
    assert [piece.owner for piece in gone] == list(range(len(gone)))
    return [piece.text for piece in gone]


def whole(steps: Sequence[Step], text: str) -> str:
    """What becomes of it at once."""
    for each in steps:
        assert each.finder is not None
        if each.rewrite is not None:
            text = replaced(each.finder, each.rewrite, text)
        elif any(each.finder.spans(text)):
            raise Blocked(each.deny)
    return text


PATTERNS = (
    r"\d{3}-\d{2}",
    r"\bcat\b",
    "aa",
    "aba|b+",
    "^a.",
    "b$",
    r"[\w.]+@\w+",
    "[0-9]+",
    r"(?m)^-",
    "é.",
    r"\Bb",
)
texts = st.text("abct12- @.é\n", max_size=60)
cuts = st.lists(st.integers(0, 60), max_size=20)


def cut(text: str, places: Iterable[int]) -> list[str]:
    ends = sorted(place for place in places if place <= len(text))
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4, unique=True), texts, cuts)
@example(["aa"], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", list(range(32)))
@example(["b$"], "b" * 30, list(range(30)))
def test_cuts_do_not_matter_to_what_is_masked(
    patterns: list[str], text: str, places: list[int]
) -> None:
    steps = [step(pattern, replacement="<*>", window=64) for pattern in patterns]
    assert "".join(through(steps, cut(text, places))) == whole(steps, text)


short = st.sampled_from([r"\d{3}-\d{2}", r"\bcat\b", "aa", "b{2,3}", "^a.", "b$", "ab?c?", r"é\W?"])


@given(
    st.lists(short, min_size=1, max_size=3, unique=True),
    st.text("abct12- é", max_size=200),
    st.data(),
)
def test_a_window_as_long_as_what_is_looked_for_is_enough(
    patterns: list[str], text: str, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=60))
    steps = [step(pattern, replacement="*", window=8) for pattern in patterns]
    assert "".join(through(steps, cut(text, places))) == whole(steps, text)


@given(st.sampled_from(PATTERNS), texts, cuts)
def test_nothing_of_what_is_blocked_leaves(pattern: str, text: str, places: list[int]) -> None:
    guard = step(pattern, window=64)
    assert guard.finder is not None
    found = sorted(guard.finder.spans(text))
    channel = Channel.of([guard], ignore)
    gone = ""
    try:
        for piece in cut(text, places):
            gone += "".join(each.text for each in channel.feed(Piece(0, piece)))
        gone += "".join(each.text for each in channel.end())
    except Blocked:
        assert found
        assert text.startswith(gone)
        assert len(gone) <= found[0].start
    else:
        assert not found
        assert gone == text


def test_what_comes_is_let_go_as_soon_as_it_is_out_of_reach() -> None:
    held = Held(step("cat", replacement="*"), WINDOW, ignore)
    assert held.feed(Piece(0, "")) == [Piece(0, "")]
    assert held.feed(Piece(1, "x" * WINDOW)) == []
    assert held.feed(Piece(2, "y")) == []
    assert held.feed(Piece(3, "z" * WINDOW)) == [
        Piece(1, "x" * WINDOW),
        Piece(2, "y"),
    ]
    assert held.size == WINDOW


def test_what_is_found_is_said_where_it_begins() -> None:
    assert through([step("abcd", replacement="<*>")], ["xa", "b", "c", "d!"]) == [
        "x<*>",
        "",
        "",
        "!",
    ]


def test_what_goes_on_is_held_as_long_as_it_does() -> None:
    digits = ["1"] * 50
    guard = step(r"x\d+", replacement="*")
    assert "".join(through([guard], ["ab", "x", *digits, " and so on", "."])) == "ab* and so on."


def test_what_goes_on_for_too_long_is_blocked() -> None:
    guard = step(r"x\d+", replacement="*")
    with pytest.raises(Blocked):
        through([guard], ["x", *["1" * 64] * (LONGEST_HELD // 64 + 2)])


def test_guards_see_what_those_before_them_left() -> None:
    steps = [step("cat", replacement="dog"), step("dog", replacement="cow")]
    assert "".join(through(steps, ["", " c ", " t is ", " c", "t"])) == " c  t is  ct"
    assert "".join(through(steps, list("a cat"))) == "a cow"
    with pytest.raises(Blocked):
        through([step("cat", replacement="dog"), step("dog")], list("a cat"))


def test_audits_change_and_delay_nothing() -> None:
    seen: list[Step] = []
    guards = [step("cat", mode=Mode.AUDIT), step("dog", replacement="x", mode=Mode.AUDIT)]
    channel = Channel.of(guards, seen.append)
    for text in "a cat, a dog":
        assert channel.feed(Piece(0, text)) == (Piece(0, text),)
    assert channel.end() == []
    assert set(map(id, seen)) == set(map(id, guards))


def test_what_goes_on_after_something_else_is_not_found_in_halves() -> None:
    channel = Channel.of([step("cat", replacement="*")], ignore)
    gone = [*channel.feed(Piece(0, "a ca")), *channel.end()]
    assert gone == [Piece(0, "a ca")]
    channel.feed(Piece(1, "t"))
    with pytest.raises(Blocked):
        channel.feed(Piece(2, " and more of it."))
    channel = Channel.of([step("cat", replacement="*")], ignore)
    channel.feed(Piece(0, "a ca"))
    channel.end()
    channel.feed(Piece(1, "r, and a cat"))
    assert [piece.text for piece in channel.end()] == ["r, and a *"]


# --- in JSON ---------------------------------------------------------------------------------


def test_escapes_hide_nothing_wherever_they_are_cut() -> None:
    guard = step("SSN", replacement='"*"')
    for spelled in ("SSN", r"\u0053SN", r"S\u0053\u004e", r"SS\u004E"):
        text = '{"a": "my ' + spelled + r' \\ é"}'
        for size in range(1, 5):
            pieces = [text[i : i + size] for i in range(0, len(text), size)]
            said = "".join(through([guard], pieces, is_json=True))
            assert json.loads(said) == {"a": 'my "*" \\ é'}


def test_numbers_become_strings_in_json() -> None:
    guard = step(r"\b4\d{15}\b", replacement="[card]", window=16)
    said = "".join(through([guard], list('{"card": 4111111111111111, "n": 1}'), is_json=True))
    assert json.loads(said) == {"card": "[card]", "n": 1}


@pytest.mark.parametrize("pattern", ["a.*b", "true", r"\d\d", '": "'])
def test_what_would_leave_no_json_is_blocked(pattern: str) -> None:
    text = '{"a": "x", "b": true, "n": 12345}'
    with pytest.raises(Blocked):
        through([step(pattern, replacement="*", window=40)], list(text), is_json=True)


said_in_json = st.dictionaries(
    st.sampled_from(["a", "b"]), st.text('SN\\"é\n😀u0053 ', max_size=30), max_size=2
)


@given(said_in_json, st.booleans(), st.data())
def test_json_stays_json(value: dict[str, str], is_ascii: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    guard = step("SN", replacement="*")
    said = json.loads("".join(through([guard], cut(text, places), is_json=True)))
    assert said == {key: text.replace("SN", "*") for key, text in value.items()}
