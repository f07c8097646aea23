"""What is known of the lists of servers that are served alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from extproc.mcp.lists import ListKind, Page
from extproc.mcp.requests import Answer, Client
from extproc.mcp.sessions import ServerSession, Session
from extproc.mcp.views import View
from extproc.mcp_serving.alone import ListsAlone
from extproc.mcp_serving.whose import Whose
from extproc.verdict import Deny
from tests.kit.mcp_exchange import ONE, Fake, Servers, fakes, program


class Without:
    """A screen that takes a tool out."""

    def __init__(self, tool: str) -> None:
        self._tool = tool

    async def pages(self, kind: ListKind, pages: Mapping[str, Page]) -> Mapping[str, Page | str]:
        assert kind is ListKind.TOOLS
        denied = {self._tool: Deny(403, "x", "so")}
        return {
            name: msgspec.structs.replace(page, withheld=denied) for name, page in pages.items()
        }


def view() -> View:
    serving = program(ONE).mcp
    assert serving is not None
    found = serving.views.find("/mcp/a")
    assert found is not None
    return found


def whose(scope: str) -> Whose:
    session = Session("a", {"a": ServerSession("s-1", "")}, "", msgspec.Raw(b"{}"), 0, "")
    return Whose(session, scope, Client(), Without("evil"))


def test_they_are_known_for_a_minute_or_until_the_client_asks() -> None:
    now = [0.0]
    lists, of = ListsAlone(fakes(Fake("a")), lambda: now[0]), view()
    assert lists.known(of, "x") is None
    found = asyncio.run(lists.ask(of, whose("x")))
    assert not isinstance(found, Answer)
    assert list(found) == ["evil"]
    assert lists.known(of, "x") == found
    assert lists.known(of, "y") is None
    now[0] = 60.0
    assert lists.known(of, "x") is None
    asyncio.run(lists.ask(of, whose("x")))
    assert lists.known(of, "x") == found
    lists.forget(of, "x")
    assert lists.known(of, "x") is None


def test_a_server_that_is_away_says_nothing_that_is_kept() -> None:
    lists, of = ListsAlone(Servers(), lambda: 0.0), view()
    found = asyncio.run(lists.ask(of, whose("x")))
    assert isinstance(found, Answer)
    assert "nobody is at" in found.why
    assert lists.known(of, "x") is None
