"""A rollout and who is connected, played: what everybody was told, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import envoy_api
from envoy_api.discovery import Variant

from gateway import names
from gateway.config.load import load
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve
from xds_server.audience import Kind, Level, Node
from xds_server.clients import Client, Clients
from xds_server.compile import BrokenSnapshot
from xds_server.offers import EnvoyOffer
from xds_server.release import Release, compiled_release
from xds_server.rollout import Patience, Rollout
from xds_server.snapshot import (
    CLUSTER,
    LISTENER,
    ROUTES,
    Resource,
    Snapshot,
    resource_of,
    snapshot_of,
)
from xds_server.subscription.words import DeltaRequest, DeltaResponse, Response, StateRequest

SECONDS = 5
PATIENT = Patience(SECONDS, SECONDS, SECONDS)
NO_ENVOY = "no Envoy has acknowledged the configuration"
IMPATIENT = Patience(0.05, 0.05, 0.05)
SHORT = {
    CLUSTER: "cluster",
    LISTENER: "listener",
    ROUTES: "routes",
    names.CONFIGURATION_TYPE: "configuration",
}


def text(*providers: str) -> str:
    """A configuration with these providers."""
    blocks = "".join(
        f"    {name}: {{type: openai, key: secret-{name}, url: 'http://127.0.0.1:9/v1'}}\n"
        for name in providers
    )
    models = "".join(f"    {name}: {{provider: {name}, model: m}}\n" for name in providers)
    return f"llm:\n  providers:\n{blocks}  models:\n{models}"


def compiled(gateway: Gateway, *, level: Level = Level.V1_40) -> Snapshot:
    """A cluster for each provider, and routes that name them all."""
    if any(provider.name == "impossible" for provider in gateway.providers):
        raise BrokenSnapshot("routes: no cluster 'impossible'")
    provider_names = [provider.name for provider in gateway.providers]
    clusters = [resource_of(name, CLUSTER, name.encode()) for name in provider_names]
    routes = resource_of("routes", ROUTES, " ".join(provider_names).encode())
    return snapshot_of([*clusters, routes])


def release_of(clients: Clients, new: str) -> Release:
    """What a text is, compiled for who is connected."""
    config = load(new, file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    gateway = resolve(config)
    envoys = EnvoyOffer(gateway, compiled)
    audiences = clients.audiences(Kind.ENVOY, envoys)
    return compiled_release(config, gateway, envoys, audiences)


class Peer:
    """A client that answers everything, as it is told."""

    def __init__(
        self,
        clients: Clients,
        client: Client,
        story: list[str],
        refuses: Callable[[Resource], bool],
    ) -> None:
        self._clients = clients
        self.client = client
        self.story = story
        self.refuses = refuses
        self.reason = "cannot"
        self._wanted: dict[str, tuple[str, ...]] = {}
        self.refuses_removals = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def run(self) -> None:
        try:
            while self.client.ended is None:
                for response in await self.client.next_responses():
                    await self._answer(response)
        finally:
            self._clients.leave(self.client)

    def ask(self, type_url: str, *wanted: str) -> None:
        if self.client.variant is Variant.SOTW:
            self._wanted[type_url] = wanted
            self.client.receive(StateRequest(type_url, wanted))
        else:
            self.client.receive(DeltaRequest(type_url, wanted))

    async def _answer(self, response: Response) -> None:
        refused = [each.name for each in response.resources if self.refuses(each)]
        said = [each.name for each in response.resources]
        if isinstance(response, DeltaResponse):
            said += [f"-{name}" for name in response.removed]
            refused += response.removed if self.refuses_removals else ()
        words = f"{self.client.node.id} {SHORT[response.type_url]} {' '.join(said)}"
        self.story.append(f"{words} refused" if refused else words)
        self._clients.announce()
        await self.may_answer.wait()
        error = self.reason if refused else None
        if isinstance(response, DeltaResponse):
            self.client.receive(DeltaRequest(response.type_url, nonce=response.nonce, error=error))
            return
        wanted = self._wanted[response.type_url]
        self.client.receive(
            StateRequest(response.type_url, wanted, response.version, response.nonce, error)
        )


class World:
    """A rollout, and who is connected."""

    def __init__(self, tasks: asyncio.TaskGroup, expected_workers: int, patience: Patience) -> None:
        self.clients = Clients()
        self.rollout = Rollout(self.clients, expected_workers=expected_workers, patience=patience)
        self.story: list[str] = []
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    async def bring(self, new: str) -> tuple[Problem, ...]:
        return await self.rollout.bring(release_of(self.clients, new))

    def join(
        self,
        kind: Kind,
        node_id: str,
        refuses: Callable[[Resource], bool] = lambda _: False,
        variant: Variant = Variant.DELTA,
    ) -> Peer:
        client = self.clients.join(kind, Node(node_id), variant=variant)
        peer = Peer(self.clients, client, self.story, refuses)
        if kind is not Kind.ENVOY:
            peer.ask(names.CONFIGURATION_TYPE, names.CONFIGURATION_NAME)
        else:
            peer.ask(CLUSTER)
            peer.ask(ROUTES, "routes")
        self._running.append(self._tasks.create_task(peer.run()))
        return peer

    def leave(self, peer: Peer) -> None:
        """As when its process dies."""
        self.clients.leave(peer.client)

    def start(self, new: str) -> asyncio.Task[object]:
        return self._tasks.create_task(self.bring(new))

    async def until(self, claim: Callable[[], bool]) -> None:
        assert await self.clients.wait_until(claim, SECONDS), self.story

    def end(self) -> None:
        for task in self._running:
            task.cancel()


def world(
    scene: Callable[[World], Awaitable[None]],
    *,
    workers: int = 1,
    patience: Patience = PATIENT,
) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            stage = World(tasks, workers, patience)
            async with asyncio.timeout(SECONDS):
                await scene(stage)
            stage.end()

    asyncio.run(run())


def refusing(*versions: str) -> Callable[[Resource], bool]:
    """Refuses configurations that name one of these providers."""

    def refuses(resource: Resource) -> bool:
        message = envoy_api.message("dragoman.v1.Configuration").FromString(resource.body)
        return any(f" {version}:" in message.yaml for version in versions)

    return refuses


def heard(story: Iterable[str], who: str) -> list[str]:
    return [line.removeprefix(f"{who} ") for line in story if line.startswith(who)]
