"""A list of an MCP server, whole: page after page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from extproc.mcp import messages
from extproc.mcp.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND
from extproc.mcp.lists import BrokenList, ListKind, Page, joined, read_page
from extproc.mcp.requests import Answer

_HAS_NONE: Final = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS})
"""Errors of servers that have none of a kind: the second is that of the Python SDK 1.x."""
_MOST_PAGES: Final = 64
_FIRST: Final = b"{}"


async def whole(kind: ListKind, ask: Callable[[bytes], Awaitable[Answer]]) -> Page | Answer:
    """All that it lists; an `Answer` is what it says instead. `ask`: for one page, with these
    parameters."""
    pages: list[Page] = []
    cursor = ""
    while len(pages) < _MOST_PAGES:
        answer = await ask(b'{"cursor":%s}' % messages.text(cursor) if cursor else _FIRST)
        if answer.result is None:
            if answer.code in _HAS_NONE and not pages:
                break
            return answer
        try:
            page = read_page(kind, answer.result)
        except BrokenList as error:
            return replace(answer, result=None, why=str(error))
        pages.append(page)
        if not page.next_cursor or page.next_cursor == cursor:
            break
        cursor = page.next_cursor
    return joined(pages) if pages else Page(())


def why_none(answer: Answer) -> str:
    """Why there is no list, for people."""
    return answer.why or f"error {answer.code}"
