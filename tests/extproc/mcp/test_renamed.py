from __future__ import annotations

import pytest

from extproc.mcp import renamed
from extproc.mcp.renamed import Renamed, RenamedUris

ONE = Renamed("n", "github", "test://a", "github+test://a")


def test_a_client_hears_of_a_resource_by_the_name_that_it_knows() -> None:
    kept = RenamedUris()
    kept.keep(ONE)
    assert kept.shown("n", "github", "test://a") == "github+test://a"
    assert kept.shown("n", "github", "test://b") == "test://b"
    assert kept.shown("n", "jira", "test://a") == "test://a"
    assert kept.shown("other", "github", "test://a") == "test://a"


def test_what_was_said_longest_ago_is_forgotten() -> None:
    kept = RenamedUris(most=2)
    for number in ("1", "2", "1", "3"):
        kept.keep(Renamed(number, "s", "u", "s+u"))
    assert [kept.shown(number, "s", "u") for number in "123"] == ["s+u", "u", "s+u"]


def test_it_is_told_in_json() -> None:
    assert renamed.decode(renamed.encode(ONE)) == ONE


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"number":1}', b"\xff"])
def test_what_says_nothing_is_none(body: bytes) -> None:
    assert renamed.decode(body) is None
