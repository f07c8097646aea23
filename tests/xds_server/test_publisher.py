"""A change, from the text to everybody who is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import envoy_api

from gateway import names
from gateway.model import Gateway
from xds_server.clients import Client, Clients, Kind, Node
from xds_server.compile import BrokenSnapshot
from xds_server.publisher import Patience, Publisher
from xds_server.snapshot import CLUSTER, ROUTES, Resource, Snapshot, resource_of, snapshot_of
from xds_server.subscription import DeltaRequest, DeltaResponse

SECONDS = 5
PATIENT = Patience(worker_seconds=SECONDS, envoy_seconds=SECONDS)
NO_ENVOY = "no Envoy has acknowledged the configuration"
IMPATIENT = Patience(worker_seconds=0.05, envoy_seconds=0.05)
SHORT = {CLUSTER: "cluster", ROUTES: "routes", names.CONFIGURATION_TYPE: "configuration"}


def text(*providers: str) -> str:
    """A configuration with these providers."""
    blocks = "".join(
        f"    {name}: {{type: openai, key: secret-{name}, url: 'http://127.0.0.1:9/v1'}}\n"
        for name in providers
    )
    models = "".join(f"    {name}: {{provider: {name}, model: m}}\n" for name in providers)
    return f"llm:\n  providers:\n{blocks}  models:\n{models}"


def compiled(gateway: Gateway) -> Snapshot:
    """A cluster for each provider, and routes that name them all."""
    if any(provider.name == "impossible" for provider in gateway.providers):
        raise BrokenSnapshot("routes: no cluster 'impossible'")
    provider_names = [provider.name for provider in gateway.providers]
    clusters = [resource_of(name, CLUSTER, name.encode()) for name in provider_names]
    routes = resource_of("routes", ROUTES, " ".join(provider_names).encode())
    return snapshot_of([*clusters, routes])


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
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def run(self) -> None:
        try:
            while True:
                for response in await self.client.next_responses():
                    await self._answer(response)
        finally:
            self._clients.leave(self.client)

    async def _answer(self, response: DeltaResponse) -> None:
        refused = [each.name for each in response.resources if self.refuses(each)]
        said = [each.name for each in response.resources]
        said += [f"-{name}" for name in response.removed]
        words = f"{self.client.node.id} {SHORT[response.type_url]} {' '.join(said)}"
        self.story.append(f"{words} refused" if refused else words)
        self._clients.announce()
        await self.may_answer.wait()
        error = "cannot" if refused else None
        self.client.receive(DeltaRequest(response.type_url, nonce=response.nonce, error=error))


class World:
    """A publisher, and who is connected."""

    def __init__(
        self, tasks: asyncio.TaskGroup, file: Path, expected_workers: int, patience: Patience
    ) -> None:
        self.clients = Clients()
        self.publisher = Publisher(
            self.clients,
            file,
            {},
            compiled,
            expected_workers=expected_workers,
            patience=patience,
        )
        self.story: list[str] = []
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    def join(
        self, kind: Kind, node_id: str, refuses: Callable[[Resource], bool] = lambda _: False
    ) -> Peer:
        client = self.clients.join(kind, Node(node_id, ""))
        peer = Peer(self.clients, client, self.story, refuses)
        if kind is Kind.WORKER:
            client.receive(DeltaRequest(names.CONFIGURATION_TYPE, (names.CONFIGURATION_NAME,)))
        else:
            client.receive(DeltaRequest(CLUSTER))
            client.receive(DeltaRequest(ROUTES, ("routes",)))
        self._running.append(self._tasks.create_task(peer.run()))
        return peer

    def leave(self, peer: Peer) -> None:
        """As when its process dies."""
        self.clients.leave(peer.client)

    def start(self, new: str) -> asyncio.Task[object]:
        return self._tasks.create_task(self.publisher.apply(new))

    async def until(self, claim: Callable[[], bool]) -> None:
        assert await self.clients.wait_until(claim, SECONDS), self.story

    def end(self) -> None:
        for task in self._running:
            task.cancel()


def world(
    tmp_path: Path,
    scene: Callable[[World], Awaitable[None]],
    *,
    workers: int = 1,
    patience: Patience = PATIENT,
) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            stage = World(tasks, tmp_path / "gateway.yaml", workers, patience)
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


def test_workers_have_a_change_before_envoys(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "worker-1")
        stage.join(Kind.WORKER, "worker-2")
        assert await stage.publisher.apply(text("a")) == ()
        assert await stage.publisher.apply(text("a", "b")) == ()
        first, second = stage.story[:4], stage.story[4:]
        assert sorted(first[:2]) == [f"worker-{n} configuration dragoman" for n in (1, 2)]
        assert first[2:] == ["envoy cluster a", "envoy routes routes"]
        assert sorted(second[:2]) == [f"worker-{n} configuration dragoman" for n in (1, 2)]
        assert second[2:] == ["envoy cluster b", "envoy routes routes"]
        assert stage.publisher.missing() == ()

    world(tmp_path, scene)


def test_envoys_get_nothing_while_a_worker_has_not_answered(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        worker = stage.join(Kind.WORKER, "worker")
        worker.may_answer.clear()
        change = stage.start(text("a"))
        await stage.until(lambda: bool(stage.story))
        assert stage.clients.offered(Kind.ENVOY) is None
        worker.may_answer.set()
        assert await change == ()
        assert stage.story[1:] == ["envoy cluster a", "envoy routes routes"]

    world(tmp_path, scene)


def test_envoys_get_nothing_while_an_expected_worker_is_away(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "here")
        change = stage.start(text("a"))
        await stage.until(lambda: stage.publisher.missing() == (NO_ENVOY,))
        for _ in range(5):  # whatever can happen now has happened then
            await asyncio.sleep(0)
        assert stage.clients.offered(Kind.ENVOY) is None
        away = stage.join(Kind.WORKER, "away")
        away.may_answer.clear()
        await stage.until(lambda: bool(heard(stage.story, "away")))
        assert stage.clients.offered(Kind.ENVOY) is None
        away.may_answer.set()
        assert await change == ()
        assert stage.story[2:] == ["envoy cluster a", "envoy routes routes"]

    world(tmp_path, scene, workers=2)


def test_an_expected_worker_that_stays_away_holds_nothing_up_for_long(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "here")
        assert await stage.publisher.apply(text("a")) == ()
        assert heard(stage.story, "envoy") == ["cluster a", "routes routes"]

    world(tmp_path, scene, workers=2, patience=IMPATIENT)


def test_at_the_start_envoys_wait_for_the_first_worker(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        change = stage.start(text("a"))
        await stage.until(lambda: stage.clients.offered(Kind.WORKER) is not None)
        missing = stage.publisher.missing()
        assert [word in line for word, line in zip(("worker", "Envoy"), missing, strict=True)]
        assert not change.done()
        stage.join(Kind.WORKER, "worker")
        await change
        assert stage.story[0] == "worker configuration dragoman"

    world(tmp_path, scene)


def test_without_expected_workers_envoys_wait_for_nobody(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        assert stage.story == ["envoy cluster a", "envoy routes routes"]
        assert stage.publisher.missing() == ()

    world(tmp_path, scene, workers=0)


def test_what_a_change_removes_goes_last(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a", "b"))
        await stage.publisher.apply(text("b", "c"))
        await stage.until(lambda: stage.publisher.missing() == ())
        assert heard(stage.story, "envoy") == [
            "cluster a b",
            "routes routes",
            "cluster c",
            "routes routes",
            "cluster -a",
        ]

    world(tmp_path, scene)


def test_a_broken_text_changes_nothing_and_says_where(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        before = list(stage.story)
        problems = await stage.publisher.apply(text("b") + "modles: {}\n")
        assert [(problem.line, "modles" in str(problem)) for problem in problems] == [(6, True)]
        assert stage.publisher.problems == problems
        assert stage.story == before
        assert stage.publisher.missing() == ()
        assert await stage.publisher.apply(text("a")) == ()
        assert stage.publisher.problems == ()
        assert stage.story == before

    world(tmp_path, scene)


def test_what_cannot_be_compiled_is_a_problem_and_changes_nothing(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        before = list(stage.story)
        problems = await stage.publisher.apply(text("impossible"))
        assert ["no cluster 'impossible'" in str(problem) for problem in problems] == [True]
        assert stage.publisher.problems == problems
        assert stage.story == before

    world(tmp_path, scene)


def test_nothing_is_served_before_a_text_is_right(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        assert await stage.publisher.apply("llm: 3") != ()
        assert stage.publisher.missing() == ("no valid configuration has been loaded",)
        assert stage.clients.offered(Kind.WORKER) is None

    world(tmp_path, scene)


def test_a_workers_refusal_ends_the_change(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "good")
        stage.join(Kind.WORKER, "picky", refusing("b"))
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        problems = await stage.publisher.apply(text("b"))
        assert [str(problem) for problem in problems] == [
            "extproc picky refuses Configuration: cannot"
        ]
        assert stage.publisher.problems == problems
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "good") == ["configuration dragoman"] * 3
        assert heard(stage.story, "picky")[1:] == [
            "configuration dragoman refused",
            "configuration dragoman",
        ]
        assert heard(stage.story, "envoy") == ["cluster a", "routes routes"]
        assert await stage.publisher.apply(text("c")) == ()
        assert stage.publisher.problems == ()

    world(tmp_path, scene)


def test_a_first_configuration_that_workers_refuse_is_withdrawn(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "picky", refusing("b"))
        stage.join(Kind.ENVOY, "envoy")
        assert await stage.publisher.apply(text("b")) != ()
        assert stage.clients.offered(Kind.WORKER) is None
        assert stage.clients.offered(Kind.ENVOY) is None
        assert stage.publisher.missing() != ()
        assert await stage.publisher.apply(text("a")) == ()
        assert stage.publisher.missing() == ()

    world(tmp_path, scene)


def test_a_worker_that_does_not_answer_holds_nothing_up_for_long(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "good")
        stage.join(Kind.WORKER, "stuck").may_answer.clear()
        stage.join(Kind.ENVOY, "envoy")
        assert await stage.publisher.apply(text("a")) == ()
        await stage.until(lambda: heard(stage.story, "envoy") == ["cluster a", "routes routes"])

    world(tmp_path, scene, patience=IMPATIENT)


def test_workers_that_all_died_are_waited_for(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        worker = stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        stage.leave(worker)
        change = stage.start(text("b"))
        await stage.until(lambda: stage.publisher.missing() != ())
        assert heard(stage.story, "envoy") == ["cluster a", "routes routes"]
        stage.join(Kind.WORKER, "again")
        assert await change == ()
        await stage.until(lambda: stage.publisher.missing() == ())
        assert heard(stage.story, "envoy")[2:] == ["cluster b", "routes routes", "cluster -a"]

    world(tmp_path, scene)


def test_who_joins_late_gets_what_is_served_at_once(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        await stage.publisher.apply(text("a"))
        stage.join(Kind.ENVOY, "late-envoy")
        stage.join(Kind.WORKER, "late-worker")
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "late-envoy") == ["cluster a", "routes routes"]
        assert heard(stage.story, "late-worker") == ["configuration dragoman"]

    world(tmp_path, scene)


def test_an_envoys_refusal_takes_everybody_back(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy", lambda each: each.type_url == CLUSTER and each.name == "b")
        await stage.publisher.apply(text("a"))
        problems = await stage.publisher.apply(text("b"))
        assert [str(problem) for problem in problems] == ["envoy envoy refuses Cluster: cannot"]
        assert stage.publisher.problems == problems
        await stage.until(lambda: stage.publisher.missing() == ())
        assert heard(stage.story, "worker") == ["configuration dragoman"] * 3
        assert heard(stage.story, "envoy")[2:] == ["cluster b refused", "cluster -b"]
        accepted = stage.publisher.accepted
        assert accepted is not None
        assert [provider.name for provider in accepted.gateway.providers] == ["a"]
        assert await stage.publisher.apply(text("c")) == ()
        await stage.until(lambda: stage.publisher.missing() == ())
        assert heard(stage.story, "envoy")[4:] == ["cluster c", "routes routes", "cluster -a"]

    world(tmp_path, scene)


def test_a_first_configuration_that_envoy_refuses_is_not_ready(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy", lambda each: each.name == "b")
        assert await stage.publisher.apply(text("b")) != ()
        assert stage.publisher.missing() == (NO_ENVOY,)
        assert await stage.publisher.apply(text("c")) == ()
        await stage.until(lambda: stage.publisher.missing() == ())

    world(tmp_path, scene)


def test_an_envoy_that_does_not_answer_holds_nothing_up_for_long(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stuck = stage.join(Kind.ENVOY, "stuck")
        stage.join(Kind.ENVOY, "good")
        await stage.publisher.apply(text("a"))
        stuck.may_answer.clear()
        assert await stage.publisher.apply(text("b")) == ()
        await stage.until(lambda: heard(stage.story, "good")[-1] == "cluster -a")

    world(tmp_path, scene, patience=IMPATIENT)


def test_the_latest_of_many_changes_wins(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        worker = stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        worker.may_answer.clear()
        changes = [stage.start(text(name)) for name in ("a", "b", "c", "d")]
        await stage.until(lambda: bool(stage.story))
        worker.may_answer.set()
        assert [await change for change in changes] == [(), (), (), ()]
        assert stage.publisher.missing() == ()
        assert heard(stage.story, "envoy") == ["cluster d", "routes routes"]
        accepted = stage.publisher.accepted
        assert accepted is not None
        assert [provider.name for provider in accepted.gateway.providers] == ["d"]

    world(tmp_path, scene)


def test_a_change_does_not_wait_for_the_answers_to_an_earlier_one(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy")
        await stage.publisher.apply(text("a"))
        envoy.may_answer.clear()
        earlier = stage.start(text("b"))
        await stage.until(lambda: "envoy cluster b" in stage.story)
        later = stage.start(text("c"))
        assert await earlier == ()
        envoy.may_answer.set()
        assert await later == ()
        await stage.until(lambda: stage.publisher.missing() == ())
        assert heard(stage.story, "envoy")[-1] == "cluster -a -b"

    world(tmp_path, scene)


def test_secrets_do_not_go_to_workers(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        await stage.publisher.apply(text("a"))
        accepted = stage.publisher.accepted
        assert accepted is not None
        assert "secret-a" not in accepted.yaml
        assert accepted.gateway.providers[0].key == "secret-a"

    world(tmp_path, scene)


def test_a_new_secret_alone_is_a_change_for_envoy(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        await stage.publisher.apply(text("a"))
        await stage.publisher.apply(text("a").replace("secret-a", "rotated"))
        assert heard(stage.story, "worker") == ["configuration dragoman"]
        accepted = stage.publisher.accepted
        assert accepted is not None
        assert accepted.gateway.providers[0].key == "rotated"

    world(tmp_path, scene)


def test_the_file_is_published(tmp_path: Path) -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        file = tmp_path / "gateway.yaml"
        (problem,) = await stage.publisher.publish_file()
        assert str(file) in problem.file
        file.write_text(text("a"))
        assert await stage.publisher.publish_file() == ()
        assert heard(stage.story, "worker") == ["configuration dragoman"]

    world(tmp_path, scene)
