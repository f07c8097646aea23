"""Many lists of tasks as one, in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.task_pages import (
    NO_LIST,
    Misread,
    Place,
    merged,
    page_asked,
    read_token,
    size_of,
    write_token,
)


def task(key: str, at: int) -> dict[str, Any]:
    return {"id": f"{key}{at}", "status": {"timestamp": f"2026-01-01T00:00:00.{at:04}Z"}}


def all_pages(lists: Mapping[str, list[int]], sizes: list[int], own: int) -> list[list[str]]:
    """The pages of these lists, which the agents tell in pages of their own."""

    async def page(key: str, token: str) -> Mapping[str, Any] | Fault:
        start = int(token or 0)
        ahead = start + own
        told = [task(key, at) for at in lists[key][start:ahead]]
        more = str(ahead) if ahead < len(lists[key]) else ""
        return {"tasks": told, "nextPageToken": more, "totalSize": len(lists[key])}

    pages, token = [], ""
    while True:
        size = sizes[len(pages) % len(sizes)]
        found = asyncio.run(merged(read_token(token, lists), size, page))
        assert not isinstance(found, Fault)
        assert found["totalSize"] == sum(map(len, lists.values()))
        pages.append([each["id"] for each in found["tasks"]])
        token = found["nextPageToken"]
        if not token:
            return pages


times = some.lists(some.integers(0, 9999), max_size=12)


@given(times, times, some.lists(some.integers(1, 5), min_size=1, max_size=4), some.integers(1, 5))
def test_each_task_is_told_once_the_latest_first(
    left: list[int], right: list[int], sizes: list[int], own: int
) -> None:
    lists = {"a": sorted({*left}, reverse=True), "b": sorted({*right}, reverse=True)}
    pages = all_pages(lists, sizes, own)
    told = [each for page in pages for each in page]
    wanted = [f"{key}{at}" for key, each in lists.items() for at in each]
    assert sorted(told) == sorted(wanted)
    stamps = [int(each[1:]) for each in told]
    assert stamps == sorted(stamps, reverse=True)
    assert all(len(page) <= 5 for page in pages)


def test_a_page_that_is_shorter_than_what_was_told_of_it_is_left_behind() -> None:
    places = read_token(write_token({"a": Place("", 3)}), ["a"])

    async def page(_: str, token: str) -> Mapping[str, Any]:
        start = int(token or 0)
        told = [task("a", at) for at in range(9, 0, -1)][start : start + 2]
        return {"tasks": told, "nextPageToken": str(start + 2)}

    found = asyncio.run(merged(places, 1, page))
    assert not isinstance(found, Fault)
    assert [each["id"] for each in found["tasks"]] == ["a6"]


@pytest.mark.parametrize("token", ["?", "e30x", "x" * 20000, "eyJhIjpbMSwyXX0"])
def test_what_is_no_token_is_told(token: str) -> None:
    with pytest.raises(Misread):
        read_token(token, ["a"])


def test_lists_that_are_over_or_nobodys_are_not_asked() -> None:
    token = write_token({"a": Place("x", 1), "b": Place(total=4), "gone": Place("y")})
    assert read_token(token, ["a", "b"]) == {"a": Place("x", 1), "b": Place(total=4)}
    assert write_token({"b": Place(total=4)}) == ""

    async def page(key: str, token: str) -> Mapping[str, Any]:
        assert (key, token) == ("a", "x")
        return {"tasks": [task("a", 2), task("a", 1)]}

    found = asyncio.run(merged(read_token(token, ["a", "b"]), 50, page))
    assert not isinstance(found, Fault)
    assert [each["id"] for each in found["tasks"]] == ["a1"]
    assert (found["totalSize"], found["nextPageToken"]) == (6, "")


def test_who_tells_none_ends_it() -> None:
    fault = Fault(ErrorKind.TASK_NOT_FOUND, "no")

    async def page(_: str, token: str) -> Mapping[str, Any] | Fault:
        return fault if token else {"tasks": "x"}

    assert asyncio.run(merged({"a": Place("t")}, 5, page)) is fault
    assert asyncio.run(merged({"a": Place()}, 5, page)) is NO_LIST


def test_an_agent_is_asked_for_a_page_of_its_own() -> None:
    document = {"pageToken": "ours", "contextId": "c~blue", "pageSize": 7, "tenant": ""}
    assert page_asked(document, "c", "theirs") == {
        "pageToken": "theirs",
        "contextId": "c",
        "pageSize": 7,
    }
    assert page_asked({"status": "x"}, "", "") == {"status": "x", "pageSize": 50}
    assert size_of({"pageSize": 101}) == 50
