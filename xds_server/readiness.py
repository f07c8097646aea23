"""Is Envoy there? Its own word, and a connection to each listener."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import httpx

from gateway import names
from gateway.model import Endpoint

PROBE_SECONDS = 1.0
ACTIVE_REQUESTS = r"^http\..*\.downstream_rq_active$"
HEALTHY_WORKERS = rf"^cluster\.{names.EXTPROC_CLUSTER}\.membership_healthy$"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def envoy_client(admin: Endpoint | Path) -> httpx.AsyncClient:
    """For Envoy's admin interface, at an address or at a Unix socket."""
    if isinstance(admin, Path):
        transport = httpx.AsyncHTTPTransport(uds=str(admin))
        return httpx.AsyncClient(base_url="http://envoy", transport=transport, trust_env=False)
    return httpx.AsyncClient(base_url=url(admin), trust_env=False)


async def envoy_lacks(client: httpx.AsyncClient) -> str | None:
    """What Envoy's admin interface says is not there yet."""
    try:
        answer = await client.get("/ready", timeout=PROBE_SECONDS)
        if answer.status_code != 200:
            return f"Envoy says {answer.text.strip()}"
        if await _sum_of(client, HEALTHY_WORKERS) == 0:
            return "Envoy has found no healthy extproc worker"
    except httpx.HTTPError:
        return "Envoy does not answer"
    return None


async def listeners_lack(listeners: Iterable[Endpoint]) -> tuple[str, ...]:
    """The addresses that take no connection."""
    asked = [_refusal(each) for each in listeners]
    return tuple(line for line in await asyncio.gather(*asked) if line)


async def hub_lacks(target: str) -> tuple[str, ...]:
    """Whether the hub of the MCP gateway takes no connection, at its Unix socket."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_unix_connection(target.removeprefix("unix:"))
    except (OSError, TimeoutError):
        return ("the hub of the MCP gateway does not answer",)
    writer.close()
    return ()


async def _refusal(listener: Endpoint) -> str | None:
    host = ANY_ADDRESS.get(listener.host, listener.host)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, listener.port)
    except (OSError, TimeoutError):
        return f"nobody listens on {listener.host}:{listener.port}"
    writer.close()
    return None


async def requests_end(client: httpx.AsyncClient, seconds: float) -> None:
    """Let Envoy take no new connections, and wait until it has no request, but not for long."""
    try:
        async with asyncio.timeout(seconds):
            await client.post("/drain_listeners")
            while await _sum_of(client, ACTIVE_REQUESTS):  # noqa: ASYNC110  # it can only be asked
                await asyncio.sleep(0.05)
    except (httpx.HTTPError, TimeoutError):
        return  # it is about to be stopped anyway


async def _sum_of(client: httpx.AsyncClient, pattern: str) -> int:
    """The sum of Envoy's statistics with such names, but for those of its admin interface."""
    query = {"filter": pattern, "format": "json"}
    answer = await client.get("/stats", params=query, timeout=PROBE_SECONDS)
    stats = answer.raise_for_status().json()["stats"]
    return sum(each["value"] for each in stats if not each["name"].startswith("http.admin."))


def url(where: Endpoint) -> str:
    """The address of an HTTP server on this machine."""
    host = ANY_ADDRESS.get(where.host, where.host)
    return f"http://[{host}]:{where.port}" if ":" in host else f"http://{host}:{where.port}"
