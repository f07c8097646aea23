"""What was used last is kept, as much of it as fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.kept import Kept


def test_what_was_used_longest_ago_is_forgotten() -> None:
    kept: Kept[str, str] = Kept(6, len)
    for key in "abc":
        kept.put(key, key * 2)
    assert kept.get("a") == "aa"
    kept.put("d", "dd")
    assert [kept.get(key) for key in "abcd"] == ["aa", None, "cc", "dd"]


def test_the_last_stays_whatever_it_weighs() -> None:
    kept: Kept[str, str] = Kept(6, len)
    kept.put("a", "aa")
    kept.put("b", "b" * 100)
    assert kept.get("a") is None
    assert kept.get("b") == "b" * 100
    kept.put("c", "c")
    assert kept.get("b") is None


_what = st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 9), st.integers(1, 9))


@given(st.lists(_what))
def test_it_never_weighs_more_than_it_may(done: list[tuple[str, int, int]]) -> None:
    kept: Kept[int, str] = Kept(20, len)
    for what, key, weight in done:
        if what == "put":
            kept.put(key, "x" * weight)
            assert kept.get(key) == "x" * weight
        elif what == "drop":
            kept.drop(key)
            assert kept.get(key) is None
        known = [kept.get(each) or "" for each in range(10)]
        assert sum(map(len, known)) <= 20
        assert len(kept) == sum(bool(each) for each in known)
