"""Is Envoy there? Its own word, and a connection to each listener."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx

from gateway.model import Endpoint

PROBE_SECONDS = 1.0
OWN_REQUESTS = "http.admin.downstream_rq_active"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


async def envoy_lacks(client: httpx.AsyncClient, admin: Endpoint) -> str | None:
    """What Envoy's admin interface says is not there yet."""
    try:
        answer = await client.get(f"{url(admin)}/ready", timeout=PROBE_SECONDS)
    except httpx.HTTPError:
        return "Envoy does not answer"
    said = answer.text.strip()
    return None if answer.status_code == 200 and said == "LIVE" else f"Envoy says {said}"


async def listeners_lack(listeners: Iterable[Endpoint]) -> tuple[str, ...]:
    """The listeners that take no connection."""
    asked = [_refusal(each) for each in listeners]
    return tuple(line for line in await asyncio.gather(*asked) if line)


async def _refusal(listener: Endpoint) -> str | None:
    host = ANY_ADDRESS.get(listener.host, listener.host)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, listener.port)
    except (OSError, TimeoutError):
        return f"nobody listens on {listener.host}:{listener.port}"
    writer.close()
    return None


async def requests_end(client: httpx.AsyncClient, admin: Endpoint, seconds: float) -> None:
    """Let Envoy take no new connections, and wait until it has no request, but not for long."""
    try:
        async with asyncio.timeout(seconds):
            await client.post(f"{url(admin)}/drain_listeners")
            while await _active_requests(client, admin):  # noqa: ASYNC110  # it can only be asked
                await asyncio.sleep(0.05)
    except (httpx.HTTPError, TimeoutError):
        return  # it is about to be stopped anyway


async def _active_requests(client: httpx.AsyncClient, admin: Endpoint) -> int:
    query = "filter=^http\\..*\\.downstream_rq_active$&format=json"
    answer = await client.get(f"{url(admin)}/stats?{query}")
    stats = answer.json()["stats"]
    return sum(each["value"] for each in stats if each["name"] != OWN_REQUESTS)


def url(where: Endpoint) -> str:
    """The address of an HTTP server on this machine."""
    host = ANY_ADDRESS.get(where.host, where.host)
    return f"http://[{host}]:{where.port}" if ":" in host else f"http://{host}:{where.port}"
