"""Asks any management server what it tells its clients: once, or for as long as one looks.

What is asked for is accepted, so that the server goes on; nothing is configured by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import envoy_api
import grpc
from envoy_api.dial import Server, follow, stream
from envoy_api.discovery import WILDCARD
from envoy_api.subscriber import Garbage, News, Subscriber

from gateway import names
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    RUNTIME,
    SCOPED_ROUTES,
    SECRET,
    VIRTUAL_HOST,
)

SHORT_TYPES: dict[str, str] = {
    "cds": CLUSTER,
    "eds": ENDPOINTS,
    "lds": LISTENER,
    "rds": ROUTES,
    "srds": SCOPED_ROUTES,
    "vhds": VIRTUAL_HOST,
    "sds": SECRET,
    "ecds": FILTER,
    "rtds": RUNTIME,
    "configuration": names.CONFIGURATION_TYPE,
}
"""The discovery services of Envoy, and our own type."""
USER_AGENT = "dragoman-cli"
RECONNECT_SECONDS = 1.0
TYPE_URL_PREFIX = "type.googleapis.com/"


class NoAnswer(Exception):
    """The server says nothing, or will not talk to us; why."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the server's answer may depend on it."""

    node_id: str
    cluster: str = ""
    envoy: tuple[int, int, int] = (1, 40, 0)
    """As what version of Envoy it wants to be told."""
    user_agent: str = USER_AGENT
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def node(self) -> Any:
        major, minor, patch = self.envoy
        return envoy_api.message("envoy.config.core.v3.Node")(
            id=self.node_id,
            cluster=self.cluster,
            user_agent_name=self.user_agent,
            user_agent_build_version={
                "version": {"major_number": major, "minor_number": minor, "patch": patch}
            },
            metadata=self.metadata,
        )


def type_url_of(text: str) -> str | None:
    """The type URL of a discovery service, a message's name, or a type URL."""
    if text.lower() in SHORT_TYPES:
        return SHORT_TYPES[text.lower()]
    if "." not in text:
        return None
    return text if "/" in text else TYPE_URL_PREFIX + text


async def get(server: Server, subscriber: Subscriber, timeout_seconds: float) -> News:
    """The first answer; where names are asked for, what was said of each before the time was over.

    Raises `NoAnswer`, and `BadCredential`.
    """
    told: News | None = None
    try:
        async with asyncio.timeout(timeout_seconds), stream(server, subscriber.variant) as call:
            await call.write(subscriber.hello())
            while told is None or silent_about(subscriber, told):
                response = await call.read()
                if response is grpc.aio.EOF:
                    raise NoAnswer(f"{server.address}: {await _ending(call)}")
                news = _news(server, subscriber, response)
                told = news if told is None else _together(told, news)
                await call.write(subscriber.accept(response, news))
    except TimeoutError as error:
        if told is None:
            raise NoAnswer(_silence(server, subscriber, timeout_seconds)) from error
    except grpc.aio.AioRpcError as error:
        raise NoAnswer(f"{server.address}: {_said(error)}") from error
    except asyncio.InvalidStateError as error:  # what writing to an ended stream raises
        raise NoAnswer(f"{server.address}: the stream broke") from error
    return told


def silent_about(subscriber: Subscriber, told: News) -> tuple[str, ...]:
    """Names that were asked for, and of which nothing was told."""
    heard = {item.name for item in told.updated}.union(told.removed, (WILDCARD,))
    return tuple(name for name in subscriber.names if name not in heard)


async def watch(
    server: Server,
    subscriber: Subscriber,
    tell: Callable[[News], object],
    complain: Callable[[str], object],
) -> None:
    """Tell all news, over as many streams as it takes. Raises `BadCredential`, and `NoAnswer` when
    the server refuses us or our variant."""

    async def answer(response: Any) -> Any:
        news = _news(server, subscriber, response)
        if news.updated or news.removed:
            tell(news)
        return subscriber.accept(response, news)

    while True:
        try:
            await follow(server, subscriber, answer)
            complain(f"{server.address}: the server ended the stream; asking again")
        except grpc.aio.AioRpcError as error:
            if error.code() in _FINAL:
                raise NoAnswer(f"{server.address}: {_said(error)}") from error
            complain(f"{server.address}: {_said(error)}; asking again")
        except asyncio.InvalidStateError:  # what writing to an ended stream raises
            complain(f"{server.address}: the stream broke; asking again")
        await asyncio.sleep(RECONNECT_SECONDS)


_FINAL = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)


def _together(before: News, after: News) -> News:
    """Both, of which the later counts."""
    again = {item.name for item in after.updated}.union(after.removed)
    return News(
        (*(item for item in before.updated if item.name not in again), *after.updated),
        (*(name for name in before.removed if name not in again), *after.removed),
    )


def _news(server: Server, subscriber: Subscriber, response: Any) -> News:
    try:
        return subscriber.news(response)
    except Garbage as error:
        raise NoAnswer(f"{server.address}: {error}") from error


def _silence(server: Server, subscriber: Subscriber, seconds: float) -> str:
    what = f"no answer from {server.address} in {seconds:g} s"
    if subscriber.names:
        return f"{what}: it may have no {', '.join(subscriber.names)}, which not every server says"
    return what


async def _ending(call: Any) -> str:
    code, details = await call.code(), await call.details()
    if code is grpc.StatusCode.OK:
        return "the server ended the stream without an answer"
    return f"{code.name.lower()}: {details}"


def _said(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name.lower()}: {error.details()}"
