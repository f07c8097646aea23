"""Lists and instructions as clients may see them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from extproc.facts import Facts, McpCall
from extproc.mcp.lists import Listed, ListKind, Page
from extproc.mcp.merging import Hello
from extproc.mcp_serving.definitions import Definitions
from extproc.mcp_serving.guarding import read
from extproc.mcp_serving.screening import Screening, screened
from extproc.policies.inquiry import Inquiry
from extproc.verdict import Deny
from gateway.guards import Guard, GuardAction, GuardTerms, Phase, RegexGuard
from gateway.scopes import Scope
from tests.kit.opinions import Webhooks, objecting, webhook_guard

TERMS = GuardTerms(Scope(mcp="a"), Phase.RESPONSE)
BLOCK = RegexGuard("r", ("bad",), GuardAction.BLOCK, "", "", TERMS)
MASK = RegexGuard("m", ("secret",), GuardAction.MASK, "*", "", TERMS)
WEBHOOK = webhook_guard("w", terms=TERMS)


def definitions(*of: Guard) -> Definitions:
    return Definitions(of, None, lambda texts: sum(map(len, texts)))


def facts_of(server: str = "a") -> Facts:
    return Facts(now=datetime(2026, 11, 26, tzinfo=UTC), mcp=McpCall("", server))


def message(result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def shown(result: object, *of: Guard) -> Any:
    """What a client sees of a result."""
    text = message(result)
    document = read(text)
    assert not isinstance(document, Deny)
    found = screened(definitions(*(of or (BLOCK, MASK))), facts_of(), text, document)
    if isinstance(found, Inquiry):
        found = asyncio.run(Webhooks({"w": objecting("bad")}).inquirer.settled(found))
    if isinstance(found, Deny):
        return found
    return json.loads(found)["result"]


def test_what_is_fine_stays_as_it_is() -> None:
    text = message({"tools": [{"name": "t"}], "nextCursor": "x"})
    document = read(text)
    assert not isinstance(document, Deny)
    assert screened(definitions(BLOCK), facts_of(), text, document) is text
    assert screened(definitions(BLOCK), facts_of(), b"{}", {}) == b"{}"


def test_entries_are_left_out_or_masked_and_nothing_else_changes() -> None:
    one, bad = {"name": "one", "description": "a secret"}, {"name": "two", "description": "bad"}
    for member, key in (
        ("tools", "name"),
        ("prompts", "name"),
        ("resources", "uri"),
        ("resourceTemplates", "uriTemplate"),
    ):
        entries = [{**each, key: each["name"]} for each in (one, bad)]
        result = {member: entries, "nextCursor": "next", "ttlMs": 5}
        masked = {**entries[0], "description": "a *"}
        assert shown(result) == {member: [masked], "nextCursor": "next", "ttlMs": 5}


def test_entries_without_a_name_are_left_out() -> None:
    assert shown({"tools": [{"description": "fine"}, 7, {"name": ""}]}) == {"tools": []}


def test_instructions_are_masked_or_none() -> None:
    assert shown({"instructions": "a secret", "x": 1}) == {"instructions": "a *", "x": 1}
    assert shown({"instructions": "bad"}) == {"instructions": ""}
    assert shown({"instructions": ""}) == {"instructions": ""}


def test_services_are_asked() -> None:
    result = {"tools": [{"name": "one"}, {"name": "two", "description": "bad"}]}
    assert shown(result, WEBHOOK) == {"tools": [{"name": "one"}]}


def test_what_cannot_be_judged_is_not_shown() -> None:
    def said(result: object) -> bytes | Deny:
        text = message(result)
        document = read(text)
        assert not isinstance(document, Deny)
        found = screened(definitions(WEBHOOK), facts_of(), text, document)
        assert isinstance(found, Inquiry)
        return asyncio.run(Webhooks({}).inquirer.settled(found))

    denied = said({"tools": [{"name": "one"}]})
    assert isinstance(denied, Deny)
    assert denied.code == "guardrail_unavailable"
    greeting = said({"instructions": "fine", "capabilities": {}})
    assert isinstance(greeting, bytes)
    assert json.loads(greeting)["result"] == {"instructions": "", "capabilities": {}}


def screening(*of: Guard, services: Webhooks | None = None) -> Screening:
    return Screening(definitions(*of), (services or Webhooks({})).inquirer, facts_of)


def page(*texts: str) -> Page:
    entries = [{"name": f"t{place}", "description": each} for place, each in enumerate(texts)]
    return Page(tuple(Listed(each["name"], json.dumps(each).encode()) for each in entries))


def names(page: Page | str) -> list[str]:
    assert isinstance(page, Page)
    return [each.name for each in page.entries]


def test_lists_of_several_servers_are_screened_where_a_guard_is_for_them() -> None:
    pages = {"a": page("fine", "bad"), "b": page("bad")}
    found = asyncio.run(screening(BLOCK).pages(ListKind.TOOLS, pages))
    assert names(found["a"]) == ["t0"]
    assert found["b"] is pages["b"]


def test_tasks_have_no_definitions() -> None:
    pages = {"a": page("bad")}
    assert asyncio.run(screening(BLOCK).pages(ListKind.TASKS, pages)) == pages


def test_lists_that_cannot_be_judged_are_none() -> None:
    pages = {"a": page("fine"), "b": page("fine")}
    found = asyncio.run(screening(WEBHOOK).pages(ListKind.TOOLS, pages))
    assert found == {**pages, "a": "the guard 'w' could not be asked"}
    services = Webhooks({"w": objecting("bad")})
    pages = {"a": page("fine", "bad")}
    known = asyncio.run(screening(WEBHOOK, services=services).pages(ListKind.TOOLS, pages))
    assert names(known["a"]) == ["t0"]


def test_what_servers_say_of_themselves_is_screened() -> None:
    hellos = {
        "a": Hello("2025-06-18", {}, "a secret"),
        "b": Hello("2025-06-18", {}, "bad"),
        "c": Hello("2025-06-18", {}),
    }
    found = asyncio.run(screening(BLOCK, MASK).hellos(hellos))
    assert found == {**hellos, "a": Hello("2025-06-18", {}, "a *")}
    bad = {"a": Hello("2025-06-18", {}, "so bad")}
    services = Webhooks({"w": objecting("bad")})
    assert asyncio.run(screening(BLOCK).hellos(bad))["a"].instructions == ""
    asked = asyncio.run(screening(WEBHOOK, services=services).hellos(bad))
    assert asked["a"].instructions == ""
