"""The official SDK's client, over any URL, with a person and a model behind it who answer servers
at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    ListToolsResult,
    Root,
    TextContent,
    Tool,
)

T = TypeVar("T")
ROOT = "file:///home/ann"
SECONDS = 30.0


@dataclass(slots=True)
class Ann:
    """She answers with her name, her model says what it was asked in capitals; and all that came
    unasked is kept."""

    notified: list[Any] = field(default_factory=list)
    progress: list[tuple[float, float | None, str | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def sample(self, _context: Any, asked: CreateMessageRequestParams) -> CreateMessageResult:
        self.asked.append("sampling")
        content = asked.messages[0].content
        assert isinstance(content, TextContent)
        text = TextContent(type="text", text=content.text.upper())
        return CreateMessageResult(role="assistant", content=text, model="loud")

    async def elicit(self, _context: Any, asked: ElicitRequestParams) -> ElicitResult:
        self.asked.append("elicitation")
        return ElicitResult(action="accept", content={"name": "Ann"})

    async def roots(self, _context: Any) -> ListRootsResult:
        self.asked.append("roots")
        return ListRootsResult(roots=[Root(uri=ROOT)])

    async def hear(self, message: Any) -> None:
        self.notified.append(message)
        self.news.set()

    async def step(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))

    def heard(self, method: str) -> list[Any]:
        return [each for each in self.notified if getattr(each, "method", "") == method]

    def client(self, url: str, mode: str = "auto", **headers: str) -> Client:
        server: Any = url
        if headers:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            timeout = httpx2.Timeout(SECONDS, read=None)
            http = httpx2.AsyncClient(headers=named, timeout=timeout)
            server = streamable_http_client(url, http_client=http)
        return Client(
            server,
            mode=mode,
            read_timeout_seconds=SECONDS,
            sampling_callback=self.sample,
            elicitation_callback=self.elicit,
            list_roots_callback=self.roots,
            message_handler=self.hear,
            cache=None,
        )

    async def until(self, claim: Callable[[], bool], what: str) -> None:
        """Wait for what she is told; fail naming it when it does not come."""
        try:
            async with asyncio.timeout(SECONDS):
                while not claim():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {SECONDS} s: {what}") from None


def text(result: Any) -> str:
    """What a tool said."""
    said: str = result.content[0].text
    return said


async def all_tools(client: Client) -> list[Tool]:
    """Of all pages."""
    found: list[Tool] = []
    cursor: str | None = None
    while True:
        page: ListToolsResult = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            return found


def talk(conversation: Callable[[], Awaitable[T]]) -> T:
    """One conversation in a loop of its own, which ends in time."""

    async def timed() -> T:
        async with asyncio.timeout(2 * SECONDS):
            return await conversation()

    return asyncio.run(timed())
