"""The agents before this one, in W3C baggage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import chain

_names = st.from_regex(r"[A-Za-z][A-Za-z0-9.-]{0,20}", fullmatch=True)


@given(st.lists(_names, min_size=1, max_size=20))
def test_what_is_written_is_read(agents: list[str]) -> None:
    written = chain.written("user=ada;secret, x=y", tuple(agents))
    assert chain.read(written) == tuple(agents)
    assert "user=ada;secret,x=y" in written


@pytest.mark.parametrize(
    ("baggage", "agents"),
    [
        ("", ()),
        ("x=y", ()),
        ("dragoman-agents=a", ("a",)),
        ("x=y, dragoman-agents = a/b ;p=1,z=1", ("a", "b")),
        ("dragoman-agents=a,dragoman-agents=b", ("a", "b")),
        ("dragoman-agents=a//1x/%20/b c/d", ("a", "d")),
        ("xdragoman-agents=a", ()),
    ],
)
def test_members_are_found_whatever_is_around_them(baggage: str, agents: tuple[str, ...]) -> None:
    assert chain.read(baggage) == agents


def test_one_chain_takes_the_place_of_another() -> None:
    assert chain.written("dragoman-agents=a,x=y", ("a", "b")) == "dragoman-agents=a/b,x=y"


def test_a_header_that_would_be_too_long_says_the_chain_alone() -> None:
    assert chain.written(f"x={'y' * 9000}", ("a",)) == "dragoman-agents=a"
    assert len(chain.read("dragoman-agents=" + "a/" * 1000)) == 64
