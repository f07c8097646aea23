from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import lists
from extproc.mcp.jsonrpc import INVALID_PARAMS, Fault
from extproc.mcp.lists import BrokenList, Listed, Listing, ListKind, Page, Shown
from extproc.mcp.naming import Target

# --- as servers tell them ------------------------------------------------------------------


def test_entries_stay_as_they_were_written() -> None:
    first = b'{"name": "a", "inputSchema": {"x-mcp-header": "A", "n": 1.10}, "unknown": [ ]}'
    result = b'{"tools": [%s , {"name":"b"}], "nextCursor": "more"}' % first
    page = lists.read_page(ListKind.TOOLS, result)
    assert page.entries == (Listed("a", first), Listed("b", b'{"name":"b"}'))
    assert page.next_cursor == "more"
    assert (page.ttl_ms, page.is_public) == (None, False)


@pytest.mark.parametrize("kind", list(ListKind))
def test_every_kind_has_its_own_words(kind: ListKind) -> None:
    result = json.dumps({kind.member: [{kind.key: "x"}]}).encode()
    assert [each.name for each in lists.read_page(kind, result).entries] == ["x"]
    assert lists.BY_METHOD[kind.method] is kind


def test_what_a_list_says_of_caching_is_read() -> None:
    page = lists.read_page(ListKind.TOOLS, b'{"tools":[],"ttlMs":5000,"cacheScope":"public"}')
    assert (page.ttl_ms, page.is_public) == (5000, True)


@pytest.mark.parametrize("said", ['"ttlMs":-1', '"ttlMs":"5"', '"ttlMs":1.5', '"ttlMs":true'])
def test_a_time_that_is_none_keeps_nothing(said: str) -> None:
    page = lists.read_page(ListKind.TOOLS, b'{"tools":[],%s}' % said.encode())
    assert not page.ttl_ms


def test_entries_without_a_name_are_left_out_and_counted() -> None:
    result = b'{"tools":[{"name":""},{"name":5},{},[],"x",null,{"name":"a"}]}'
    page = lists.read_page(ListKind.TOOLS, result)
    assert [each.name for each in page.entries] == ["a"]
    assert page.unread == 6


@pytest.mark.parametrize(
    "result",
    [
        b"",
        b"[]",
        b"{}",
        b'{"tools":{}}',
        b'{"tools":null}',
        b'{"prompts":[]}',
        b'{"tools":[]',
        b'{"tools":[{"name":"safe","name":"other"}]}',
        b'{"tools":[],"tools":[{"name":"a"}]}',
    ],
)
def test_what_is_no_list_is_told_so(result: bytes) -> None:
    with pytest.raises(BrokenList):
        lists.read_page(ListKind.TOOLS, result)


def test_pages_are_joined() -> None:
    a, b = Listed("a", b"{}"), Listed("b", b"{}")
    assert lists.joined([Page((a,), "next", 5, True), Page((b,), "", 3, True, 1)]) == Page(
        (a, b), "", 3, True, 1
    )
    assert lists.joined([Page((a,), "", 5, True), Page((b,))]) == Page((a, b))
    assert lists.joined([]) == Page(())


# --- as we tell them -----------------------------------------------------------------------


def shown(name: str, server: str = "s") -> Shown:
    return Shown(Target(server, name), name, json.dumps({"name": name}).encode())


def of(*names: str, ttl_ms: int = 0, is_public: bool = False) -> Listing:
    return Listing(ListKind.TOOLS, tuple(map(shown, names)), ttl_ms, is_public)


def told(page: bytes | Fault) -> dict[str, Any]:
    assert isinstance(page, bytes)
    document = json.loads(page)
    assert isinstance(document, dict)
    return document


def names(document: dict[str, Any]) -> list[str]:
    return [each["name"] for each in document["tools"]]


def test_a_list_is_told_whole_unless_pages_are_asked_for() -> None:
    assert lists.page(of("a", "b")) == b'{"tools":[{"name": "a"},{"name": "b"}]}'
    assert lists.page(of()) == b'{"tools":[]}'


def test_newer_clients_are_told_how_long_it_may_be_kept() -> None:
    listing = of("a", ttl_ms=500, is_public=True)
    document = told(lists.page(listing, is_modern=True))
    assert (document["ttlMs"], document["cacheScope"]) == (500, "public")
    assert document["resultType"] == "complete"
    assert "ttlMs" not in told(lists.page(listing))


def test_what_was_filtered_for_somebody_is_private() -> None:
    listing = of("a", "b", is_public=True)
    document = told(lists.page(listing, is_allowed=lambda each: each.name == "b", is_modern=True))
    assert names(document) == ["b"]
    assert document["cacheScope"] == "private"


def test_a_list_of_several_is_as_short_lived_and_as_private_as_any() -> None:
    both = lists.listing(ListKind.TOOLS, [], [Page((), "", 9, True), Page((), "", 4, True)])
    assert (both.ttl_ms, both.is_public) == (4, True)
    unsaid = lists.listing(ListKind.TOOLS, [], [Page((), "", 9, True), Page(())])
    assert (unsaid.ttl_ms, unsaid.is_public) == (0, False)
    nobody = lists.listing(ListKind.TOOLS, [], [])
    assert (nobody.ttl_ms, nobody.is_public) == (0, False)


def walked(listing: Listing, size: int, allowed: set[str] | None = None) -> list[str]:
    found: list[str] = []
    cursor = ""
    for _ in range(100):
        is_allowed = None if allowed is None else (lambda each: each.name in allowed)
        document = told(lists.page(listing, cursor, size, is_allowed))
        assert len(document["tools"]) <= size
        found += names(document)
        cursor = document.get("nextCursor", "")
        if not cursor:
            return found
        assert len(document["tools"]) == size
    raise AssertionError("the pages do not end")


@given(
    st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=12),
    st.integers(1, 5),
    st.none() | st.sets(st.text(min_size=1, max_size=3)),
)
def test_pages_hold_everything_once(
    everything: list[str], size: int, allowed: set[str] | None
) -> None:
    expected = [each for each in everything if allowed is None or each in allowed]
    assert walked(of(*everything), size, allowed) == expected


def test_a_cursor_outlives_a_change_before_it() -> None:
    cursor = told(lists.page(of("a", "b", "c"), size=2))["nextCursor"]
    assert names(told(lists.page(of("new", "a", "b", "c"), cursor, 2))) == ["c"]
    assert names(told(lists.page(of("b", "c", "d"), cursor, 2))) == ["c", "d"]


def test_a_cursor_whose_place_is_gone_is_refused() -> None:
    cursor = told(lists.page(of("a", "b", "c"), size=2))["nextCursor"]
    fault = lists.page(of("a", "c"), cursor, 2)
    assert isinstance(fault, Fault)
    assert fault.code == INVALID_PARAMS


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "====",
        *(
            base64.urlsafe_b64encode(each).decode()
            for each in (b" ", b"1", b"[]", b'[1,"zzz"]', b'["1","a"]', b'[-1,"b"]', b"\xff")
        ),
    ],
)
def test_a_foreign_cursor_is_refused_or_only_a_place(cursor: str) -> None:
    page = lists.page(of("a", "b"), cursor, 2)
    if isinstance(page, Fault):
        assert page.code == INVALID_PARAMS
    else:
        assert cursor == base64.urlsafe_b64encode(b'[-1,"b"]').decode()
        assert names(told(page)) == []


def test_an_answer_is_left_with_what_may_be_seen() -> None:
    said = (
        b'{"jsonrpc":"2.0","id":1,"result":{"x":1.50,"tools":[{"name":"a"},{"name":"b"},{"x":1}],'
        b'"cacheScope":"public"}}'
    )
    assert lists.filtered(ListKind.TOOLS, said, lambda name: name == "b") == (
        b'{"jsonrpc":"2.0","id":1,"result":{"x":1.50,"tools":[{"name":"b"}],'
        b'"cacheScope":"private"}}'
    )


def test_what_is_no_list_is_left_alone() -> None:
    said = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}'
    assert lists.filtered(ListKind.TOOLS, said, lambda _: False) == said
    with pytest.raises(BrokenList):
        lists.filtered(ListKind.TOOLS, b"<html>", lambda _: True)
