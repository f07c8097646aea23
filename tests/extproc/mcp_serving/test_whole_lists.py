"""Lists of servers, page after page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from extproc.mcp.lists import ListKind, Page
from extproc.mcp.requests import Answer
from extproc.mcp_serving.whole_lists import whole, why_none


def asked(*answers: Answer) -> tuple[Page | Answer, Sequence[bytes]]:
    """What comes of a server that says these, one after the other, and then the last again."""
    said: list[bytes] = []

    async def ask(params: bytes) -> Answer:
        said.append(params)
        return answers[min(len(said), len(answers)) - 1]

    return asyncio.run(whole(ListKind.TOOLS, ask)), said


def page(name: str, cursor: str = "") -> Answer:
    more = {"nextCursor": cursor} if cursor else {}
    return Answer(200, result=json.dumps({"tools": [{"name": name}], **more}).encode())


def test_all_pages_are_one() -> None:
    found, said = asked(page("a", "x"), page("b"))
    assert isinstance(found, Page)
    assert [each.name for each in found.entries] == ["a", "b"]
    assert said == [b"{}", b'{"cursor":"x"}']


def test_a_list_without_end_ends() -> None:
    found, said = asked(page("a", "x"))
    assert isinstance(found, Page)
    assert len(said) == 2  # the same cursor twice
    endless = [page(f"t{at}", f"c{at}") for at in range(100)]
    assert len(asked(*endless)[1]) == 64


def test_who_has_none_lists_nothing() -> None:
    for code in (-32601, -32602):
        found, _ = asked(Answer(200, error=b'{"code":%d}' % code))
        assert found == Page(())


def test_what_is_no_list_is_told() -> None:
    failing = Answer(500, error=b'{"code":-32603}')
    assert asked(page("a", "x"), failing)[0] == failing
    assert why_none(failing) == "error -32603"
    odd, _ = asked(Answer(200, result=b'{"tools": 1}'))
    assert isinstance(odd, Answer)
    assert odd.result is None
    assert why_none(odd) == "the list has no 'tools'"
