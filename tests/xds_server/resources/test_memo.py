"""What is kept between compilations, and for how long."""

from __future__ import annotations

import pytest

from xds_server.resources.memo import KEPT_COMPILATIONS, Memo


class Counted:
    """A builder that counts how often it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, name: str) -> str:
        self.calls.append(name)
        return name.upper()


def test_the_same_inputs_are_built_once() -> None:
    memo, build = Memo(), Counted()
    assert [memo.of(build, "a"), memo.of(build, "a"), memo.of(build, "b")] == ["A", "A", "B"]
    assert build.calls == ["a", "b"]


def test_builders_are_told_apart() -> None:
    memo = Memo()
    assert memo.of(str.upper, "a") == "A"
    assert memo.of(str.title, "ab") == "Ab"


def test_what_is_asked_for_is_kept_and_the_rest_forgotten() -> None:
    memo, build = Memo(), Counted()
    memo.of(build, "used")
    memo.of(build, "unused")
    for _ in range(KEPT_COMPILATIONS + 1):
        memo.begin()
        memo.of(build, "used")
    assert build.calls == ["used", "unused"]
    assert len(memo) == 1
    memo.of(build, "unused")
    assert build.calls == ["used", "unused", "unused"]


def test_inputs_have_an_order() -> None:
    with pytest.raises(TypeError):
        Memo().of(Counted(), name="a")
