"""The MCP server of an API says of itself what each revision knows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from extproc.mcp.openapi.answers import (
    LEGACY,
    MODERN,
    PAGE_BYTES,
    NoSuchCursor,
    discovered,
    initialized,
    listed,
    pong,
    tools,
)
from gateway.openapi.values import Api, Operation
from tests.kit.openapi_documents import SHOP_31, read

SHOP = read(SHOP_31)


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_it_begins_in_the_revision_that_was_asked_for() -> None:
    assert initialized(SHOP, "shop", "2025-06-18") == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "shop", "version": "1.2.0", "title": "Shop"},
        "instructions": "Sells things.",
    }
    assert initialized(SHOP, "shop", "1999-01-01")["protocolVersion"] == LEGACY[-1]
    assert "title" not in initialized(SHOP, "shop", "2024-11-05")["serverInfo"]
    assert "instructions" not in initialized(Api("", ""), "a", LEGACY[-1])


def test_it_is_discovered() -> None:
    found = discovered(SHOP, "shop")
    assert found["supportedVersions"] == [MODERN, *reversed(LEGACY)]
    assert found["resultType"] == "complete"
    assert (found["cacheScope"], found["ttlMs"] > 0) == ("public", True)
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "shop"


def test_it_answers_pings() -> None:
    assert pong("2025-11-25") == {}
    assert pong(MODERN) == {"resultType": "complete"}


@pytest.mark.parametrize(
    ("revision", "keys"),
    [
        ("2024-11-05", {"name", "description", "inputSchema"}),
        ("2025-03-26", {"name", "description", "inputSchema", "annotations"}),
        (
            "2025-06-18",
            {"name", "title", "description", "inputSchema", "outputSchema", "annotations"},
        ),
        (MODERN, {"name", "title", "description", "inputSchema", "outputSchema", "annotations"}),
    ],
)
def test_tools_are_told_as_each_revision_knows_them(revision: str, keys: set[str]) -> None:
    found = plain(listed(tools(SHOP, revision), revision))
    assert found["tools"][0].keys() == keys
    assert (found.get("resultType"), "ttlMs" in found) == (
        ("complete", True) if revision == MODERN else (None, False)
    )


def test_methods_are_hints() -> None:
    found = plain(listed(tools(SHOP, MODERN), MODERN))["tools"]
    assert [each["annotations"] for each in found] == [
        {"readOnlyHint": True},
        {"readOnlyHint": False, "idempotentHint": False},
        {"readOnlyHint": True},
        {"readOnlyHint": False, "idempotentHint": True, "destructiveHint": True},
    ]


def test_long_lists_have_pages() -> None:
    operations = tuple(
        Operation(str(i), "GET", "/", "", description="x" * 300_000) for i in range(8)
    )
    known = tools(Api("", "", operations=operations), MODERN)
    names, cursor, pages = [], "", 0
    while True:
        page = plain(listed(known, MODERN, cursor))
        pages += 1
        assert sum(len(each["description"]) for each in page["tools"]) <= PAGE_BYTES
        names += [each["name"] for each in page["tools"]]
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
    assert names == [str(i) for i in range(8)]
    assert pages == 3


@pytest.mark.parametrize("cursor", ["x", "99", "0", "-1", "4" * 40])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(NoSuchCursor):
        listed(tools(SHOP, MODERN), MODERN, cursor)
