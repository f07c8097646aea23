"""Changes of files, from what is read to what is in force, remembered and gone back to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import envoy_api
import pytest

from gateway.config.schema import Config
from gateway.credentials import StaticKey
from gateway.model import Gateway
from tests.kit.bench import DIFFERS, Bench, saved, served
from tests.kit.publishing import World, heard, refusing, text, world
from xds_server.audience import Kind, Level
from xds_server.history import History, Origin
from xds_server.offers import EVERYBODY
from xds_server.publisher import Outcome, Publisher
from xds_server.release import Release
from xds_server.snapshot import (
    CLUSTER,
    LISTENER,
    DuplicateResource,
    Snapshot,
    all_resources,
    resource_of,
    snapshot_of,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_file_is_published_and_remembered(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        assert await saved(bench, publisher, "a") == ()
        assert await saved(bench, publisher, "b") == ()
        assert heard(stage.story, "worker") == ["configuration dragoman"] * 2
        assert publisher.missing() == ()

    bench.play(scene)
    assert bench.versions() == [("b", Origin.CHANGE), ("a", Origin.START)]


def test_a_broken_file_changes_nothing_and_says_where(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        before = list(stage.story)
        bench.file.write_text(text("b") + "modles: {}\n")
        problems = await publisher.publish_file()
        assert [(problem.line, "modles" in str(problem)) for problem in problems] == [(6, True)]
        assert publisher.problems == problems
        assert stage.story == before
        assert await saved(bench, publisher, "a") == ()
        assert publisher.problems == ()
        assert stage.story == before

    bench.play(scene)
    assert bench.versions() == [("a", Origin.START)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_text(""),
        lambda file: file.write_bytes(text("b").encode()[:37]),
        lambda file: file.write_bytes(b"\xff\xfe\x00"),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), file.symlink_to(file)),
    ],
    ids=["deleted", "emptied", "half written", "not text", "a folder", "a circle"],
)
def test_what_happens_to_the_file_is_told_and_the_last_good_one_stays(
    bench: Bench, spoil: Callable[[Path], object]
) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        before = list(stage.story)
        spoil(bench.file)
        assert await publisher.publish_file() != ()
        assert str(bench.folder) in str(publisher.problems[0])
        assert served(publisher) == ["a"]
        assert stage.story == before
        assert publisher.missing() == ()

    bench.play(scene)


def test_what_cannot_be_compiled_is_a_problem_and_changes_nothing(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        problems = await saved(bench, publisher, "impossible")
        assert ["no cluster 'impossible'" in str(problem) for problem in problems] == [True]
        assert publisher.problems == problems
        assert served(publisher) == ["a"]

    bench.play(scene)


def test_a_resource_with_the_name_of_one_of_ours_is_a_problem(bench: Bench) -> None:
    async def scene(stage: World) -> None:
        def make(config: Config) -> Release:
            raise DuplicateResource(CLUSTER, "llm/a")

        history = History(bench.folder / "state", bench.now)
        publisher = Publisher(stage.rollout, bench.written, make, history, bench.secure)
        (problem,) = await saved(bench, publisher, "a")
        assert str(problem) == "xds: a resource has the name of another: Cluster 'llm/a'"

    world(scene)


def test_a_fault_of_ours_is_told_and_changes_nothing(bench: Bench) -> None:
    async def scene(stage: World) -> None:
        def make(config: Config) -> Release:
            raise ZeroDivisionError("secret-a")

        history = History(bench.folder / "state", bench.now)
        publisher = Publisher(stage.rollout, bench.written, make, history, bench.secure)
        (problem,) = await saved(bench, publisher, "a")
        assert "by a fault of ours (ZeroDivisionError)" in str(problem)
        assert "secret-a" not in str(problem)

    world(scene)


def test_what_workers_refuse_is_not_remembered(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        problems = await saved(bench, publisher, "bad")
        assert publisher.problems == problems != ()
        assert served(publisher) == ["a"]

    bench.play(scene, refusing("bad"))
    assert bench.versions() == [("a", Origin.START)]


def test_nothing_is_served_before_a_file_is_right(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        bench.file.write_text("llm: 3")
        assert await publisher.publish_file() != ()
        assert publisher.missing() == ("no valid configuration has been loaded",)
        assert stage.clients.offered(Kind.WORKER) is None

    bench.play(scene)


def test_secrets_do_not_go_to_workers_and_a_new_one_alone_is_a_change(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        for key in ("secret-a", "rotated"):
            bench.file.write_text(text("a").replace("secret-a", key))
            await publisher.publish_file()
            assert publisher.in_force is not None
            (told,) = all_resources(publisher.in_force.workers.snapshot(EVERYBODY))
            assert key.encode() not in told.body
            credential = publisher.in_force.gateway.providers[0].credential
            assert credential == StaticKey("authorization", "Bearer ", key)
        assert heard(stage.story, "worker") == ["configuration dragoman"]

    bench.play(scene)
    assert len(bench.history.entries) == 2


def test_times_say_when_something_was_read_taken_and_new(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        first = publisher.times
        assert first.attempted is not None
        assert first.taken is not None
        assert first.attempted < first.taken
        assert first.since == first.taken
        await publisher.publish_file()
        again = publisher.times
        assert again.taken is not None
        assert (again.since, again.taken > first.taken) == (first.since, True)
        bench.file.write_text("x: 1")
        await publisher.publish_file()
        assert publisher.times.attempted != again.attempted
        assert (publisher.times.taken, publisher.times.since) == (again.taken, again.since)

    bench.play(scene)


def test_included_files_are_remembered_and_watched(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        assert publisher.watched() == {}
        part = bench.folder / "parts" / "b.yaml"
        part.parent.mkdir()
        part.write_text(text("b"))
        bench.file.write_text("include: [parts/*.yaml]\n" + text("a"))
        assert await publisher.publish_file() == ()
        assert {bench.file, part, part.parent} <= set(publisher.watched())
        (entry,) = bench.history.entries
        assert entry.sources.texts[str(part)] == text("b")
        part.write_text(text("c"))
        await publisher.publish_file()
        assert await publisher.roll_back(entry) == DIFFERS
        assert served(publisher) == ["a", "b"]
        assert {bench.file, part} <= set(publisher.watched())

    bench.play(scene)


def test_a_later_change_takes_the_place_of_one_that_is_under_way(bench: Bench) -> None:
    async def whole(stage: World) -> None:
        publisher = bench.publisher(stage)
        worker = stage.join(Kind.WORKER, "worker")
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        worker.may_answer.clear()
        going_back = asyncio.ensure_future(publisher.roll_back(bench.history.find("1")))
        await stage.until(lambda: len(heard(stage.story, "worker")) == 3)
        later = asyncio.ensure_future(saved(bench, publisher, "c"))
        await stage.until(
            lambda: (
                stage.rollout.wanted is not None
                and [each.name for each in stage.rollout.wanted.gateway.providers] == ["c"]
            )
        )
        worker.may_answer.set()
        assert await going_back == Outcome()
        assert await later == ()
        assert served(publisher) == ["c"]
        assert bench.history.pin is None

    world(whole)


def test_nothing_is_in_force_before_envoy_has_it(bench: Bench) -> None:
    async def whole(stage: World) -> None:
        publisher = bench.publisher(stage)
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy")
        await saved(bench, publisher, "a")
        before = len(heard(stage.story, "envoy"))
        envoy.may_answer.clear()
        change = asyncio.ensure_future(saved(bench, publisher, "b"))
        await stage.until(lambda: len(heard(stage.story, "envoy")) > before)
        assert served(publisher) == ["a"]
        assert publisher.wanted is not None
        assert publisher.wanted is not publisher.in_force
        envoy.may_answer.set()
        assert await change == ()
        assert served(publisher) == ["b"]
        assert publisher.wanted is publisher.in_force

    world(whole)


def listening(gateway: Gateway, *, level: Level) -> Snapshot:
    """A listener for each gateway, and nothing else."""
    message = envoy_api.message("envoy.config.listener.v3.Listener")
    return snapshot_of(
        resource_of(
            each.name,
            LISTENER,
            message(
                name=each.name,
                address={"socket_address": {"address": each.address, "port_value": each.port}},
            ).SerializeToString(deterministic=True),
        )
        for each in gateway.listeners
    )


def ports(**gateways: int) -> str:
    blocks = (f"{name}: {{port: {port}}}" for name, port in gateways.items())
    return f"gateways: {{{', '.join(blocks)}}}\n"


@pytest.mark.parametrize("is_refused", [False, True])
def test_listeners_that_take_each_others_ports_are_closed_first(
    bench: Bench, is_refused: bool
) -> None:
    bench.compile = listening

    async def whole(stage: World) -> None:
        publisher = bench.publisher(stage)
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy", lambda each: is_refused and each.name == "new")
        envoy.ask(LISTENER)
        bench.file.write_text(ports(a=1, b=2, c=3))
        assert await publisher.publish_file() == ()
        before, start = publisher.in_force, len(heard(stage.story, "envoy"))
        bench.file.write_text(ports(a=2, b=1, c=3, new=4))
        problems = await publisher.publish_file()
        told = [line for line in heard(stage.story, "envoy")[start:] if "listener" in line]
        assert told[0] == "listener -a -b"
        if is_refused:
            assert told[1:] == [
                "listener a b new refused",
                "listener -a -b -new",
                "listener a b",
            ]
            assert [str(each) for each in problems] == ["envoy envoy refuses Listener: cannot"]
            assert publisher.in_force is before
            assert stage.rollout.missing() == ()
        else:
            assert told[1:] == ["listener a b new"]
            assert problems == ()
            assert publisher.in_force is publisher.wanted is not before

    world(whole)


def test_what_is_refused_is_told_with_its_place(bench: Bench) -> None:
    bench.compile = listening

    async def whole(stage: World) -> None:
        publisher = bench.publisher(stage)
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy", lambda each: each.name == "b")
        envoy.reason = "no/gateway/bc, gateway/b: cannot bind"
        envoy.ask(LISTENER)
        bench.file.write_text("gateways:\n  bc: {port: 1}\n  b: {port: 2}\n")
        (problem,) = await publisher.publish_file()
        assert str(problem) == (
            f"{bench.file}:3: gateways.b: envoy envoy refuses Listener: {envoy.reason}"
        )

    world(whole)
