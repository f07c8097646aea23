"""The official SDK's OAuth client, with ann's browser, over any URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.kit import web
from tests.kit.mcp_clients import SECONDS

REDIRECT = "http://127.0.0.1:9/callback"


@dataclass(slots=True)
class Shelf(TokenStorage):
    """What the client keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass(slots=True)
class Browser:
    """Goes where it is sent, and comes back with what it was given; nobody types."""

    visited: list[str] = field(default_factory=list)
    came_back: dict[str, str] = field(default_factory=dict)

    async def go(self, url: str) -> None:
        while not url.startswith(REDIRECT):
            self.visited.append(url)
            answer = web.get(url, follow_redirects=False)
            assert answer.status_code == 302, (url, answer.status_code, answer.text)
            url = answer.headers["location"]
        self.came_back = {name: each[0] for name, each in parse_qs(urlsplit(url).query).items()}

    async def back(self) -> AuthorizationCodeResult:
        assert "code" in self.came_back, self.came_back
        return AuthorizationCodeResult(
            code=self.came_back["code"],
            state=self.came_back.get("state"),
            iss=self.came_back.get("iss"),
        )


@asynccontextmanager
async def signed_in(
    url: str, browser: Browser, shelf: Shelf, mode: str = "auto"
) -> AsyncIterator[Client]:
    """A client that gets its tokens as the specification says."""
    metadata = OAuthClientMetadata(
        redirect_uris=[AnyUrl(REDIRECT)],
        client_name="ann's agent",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    auth = OAuthClientProvider(url, metadata, shelf, browser.go, browser.back)
    timeout = httpx2.Timeout(SECONDS, read=None)
    async with httpx2.AsyncClient(auth=auth, timeout=timeout) as http:
        server: Any = streamable_http_client(url, http_client=http)
        async with Client(server, mode=mode, read_timeout_seconds=SECONDS, cache=None) as client:
            yield client
