"""Clients that count what they hear, and scenes for each type in each variant of the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from envoy_api.discovery import Variant

from tests.kit.ads import DeltaClient, Received, StateClient, connected, connected_by_state
from tests.kit.played import Stage, content, played, thing
from xds_server.audience import Kind
from xds_server.server.services import AGGREGATED, service_of

Contents: TypeAlias = Mapping[str, str]


class Peer:
    """A client that counts what it hears."""

    def __init__(self, stage: Stage, client: DeltaClient | StateClient) -> None:
        self.stage = stage
        self.client = client
        self.heard = 0

    async def ask(self, type_url: str, *names: str) -> None:
        await self.client.ask(type_url, names)

    async def hears(
        self, type_url: str, contents: Contents, removed: Sequence[str] = (), *, is_ok: bool = True
    ) -> Received:
        """The next response says exactly this; it is accepted."""
        received = await self.client.read()
        self.heard += 1
        said = {name: content(type_url, body) for name, body in received.bodies.items()}
        assert (received.type_url, said) == (type_url, contents)
        assert sorted(received.removed) == sorted(removed)
        if is_ok:
            await self.client.ack(received)
        return received

    async def hears_no_more(self) -> None:
        """The server has nothing left to say, and has not said more than was heard."""
        (server_side,) = self.stage.clients.of(Kind.ENVOY)
        await self.stage.until(server_side.is_settled)
        assert self.stage.server.traffic.responses.total() == self.heard


@asynccontextmanager
async def peer(
    stage: Stage, variant: Variant, type_url: str, aggregated: bool
) -> AsyncIterator[Peer]:
    service = AGGREGATED if aggregated else service_of(type_url)
    connect = connected if variant is Variant.DELTA else connected_by_state
    async with connect(stage.target, "test-id", service) as client:
        yield Peer(stage, client)


Scene: TypeAlias = Callable[[Peer, str], Awaitable[None]]
Scenario: TypeAlias = Callable[[Variant, str, bool], None]


def scenario(types: Sequence[str], *variants: Variant) -> Callable[[Scene], Scenario]:
    """A scene for each of the types, in each variant, aggregated and not."""

    def of_scene(scene: Scene) -> Scenario:
        @pytest.mark.parametrize("aggregated", [True, False], ids=["aggregated", "alone"])
        @pytest.mark.parametrize("type_url", types, ids=lambda url: url.rpartition(".")[2])
        @pytest.mark.parametrize("variant", variants)
        def test(variant: Variant, type_url: str, aggregated: bool) -> None:
            async def play(stage: Stage) -> None:
                async with peer(stage, variant, type_url, aggregated) as client:
                    await scene(client, type_url)

            played(play)

        return test

    return of_scene


def publish(stage: Stage, type_url: str, **contents: str) -> None:
    """Resources of one type, by name."""
    stage.publish(*(thing(type_url, name, text) for name, text in contents.items()))
