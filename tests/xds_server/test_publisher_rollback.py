"""Going back to what was in force before, and back again to what the file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.schema import Config
from gateway.credentials import StaticKey
from gateway.imported import Imported
from gateway.problem import Problem
from tests.kit.bench import DIFFERS, Bench, saved, served
from tests.kit.publishing import World, heard, refusing, text
from xds_server.history import FOLDER, Origin
from xds_server.publisher import Publisher, Written, first_config


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_going_back_lasts_until_the_file_says_something_else(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        told = len(heard(stage.story, "worker"))
        assert await publisher.roll_back(bench.history.entries[1]) == DIFFERS
        assert served(publisher) == ["a"]
        assert len(heard(stage.story, "worker")) == told + 1
        assert bench.history.pin is not None
        assert publisher.origin is Origin.ROLLBACK
        os.utime(bench.file, (0, 0))  # times are no content
        await publisher.publish_file()
        assert served(publisher) == ["a"]
        await saved(bench, publisher, "c")
        assert served(publisher) == ["c"]
        assert bench.history.pin is None

    bench.play(scene)
    expected = [
        ("c", Origin.CHANGE),
        ("a", Origin.ROLLBACK),
        ("b", Origin.CHANGE),
        ("a", Origin.START),
    ]
    assert bench.versions() == expected


def test_a_file_that_breaks_does_not_end_a_rollback(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        await publisher.roll_back(bench.history.find("1"))
        bench.file.write_text("llm: 3")
        assert await publisher.publish_file() != ()
        assert served(publisher) == ["a"]
        assert bench.history.pin is not None
        bench.file.unlink()
        assert await publisher.publish_file() != ()
        assert served(publisher) == ["a"]
        await saved(bench, publisher, "b")
        assert served(publisher) == ["a"], "that is what was gone back from"

    bench.play(scene)


def test_going_back_lasts_over_a_start(bench: Bench) -> None:
    async def before(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        await publisher.roll_back(bench.history.find("1"))

    async def after(stage: World, publisher: Publisher) -> None:
        config = first_config(bench.written, bench.history)
        assert isinstance(config, Config)
        assert list(config.llm.providers) == ["a"]
        assert await publisher.publish_file() == ()
        assert served(publisher) == ["a"]
        assert publisher.origin is Origin.ROLLBACK

    async def after_a_change(stage: World, publisher: Publisher) -> None:
        bench.file.write_text(text("c"))
        config = first_config(bench.written, bench.history)
        assert isinstance(config, Config)
        assert list(config.llm.providers) == ["c"]
        await publisher.publish_file()
        assert served(publisher) == ["c"]
        assert bench.history.pin is None

    for scene in (before, after, after, after_a_change):
        bench.play(scene)
    assert len(bench.history.entries) == 4


def test_going_back_from_a_broken_file_lasts_over_a_start(bench: Bench) -> None:
    async def before(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        bench.file.write_text("llm: 3")
        assert await publisher.publish_file() != ()
        assert (await publisher.roll_back(bench.history.find("1"))).is_in_force
        assert publisher.problems != (), "what is wrong with the file is told all the same"

    async def after(stage: World, publisher: Publisher) -> None:
        assert isinstance(first_config(bench.written, bench.history), Config)
        await publisher.publish_file()
        assert served(publisher) == ["a"]

    bench.play(before)
    bench.play(after)


def test_back_to_what_the_file_says_is_no_rollback(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        for wanted in (bench.history.find("2"), None):
            await publisher.roll_back(bench.history.find("1"))
            assert bench.history.pin is not None
            assert (await publisher.roll_back(wanted)).is_in_force
            assert served(publisher) == ["b"]
            assert bench.history.pin is None

    bench.play(scene)


def test_variables_and_referenced_files_are_those_of_today(bench: Bench) -> None:
    bench.written = Written(bench.file, {"KEY": "today"})

    async def scene(stage: World, publisher: Publisher) -> None:
        bench.file.write_text(text("a").replace("secret-a", '"${KEY}"'))
        await publisher.publish_file()
        await saved(bench, publisher, "b")
        first = bench.history.find("1")
        assert first is not None
        assert "today" not in str(first.sources.texts)
        await publisher.roll_back(first)
        assert publisher.in_force is not None
        credential = publisher.in_force.gateway.providers[0].credential
        assert credential == StaticKey("authorization", "Bearer ", "today")

    bench.play(scene)


def test_a_refused_rollback_changes_nothing(bench: Bench) -> None:
    async def before(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "impossible-later")
        await saved(bench, publisher, "b")
        await publisher.roll_back(bench.history.find("1"))

    async def after(stage: World, publisher: Publisher) -> None:
        await publisher.publish_file()
        entries, pin = bench.history.entries, bench.history.pin
        outcome = await publisher.roll_back(bench.history.find("2"))
        assert not outcome.is_in_force
        assert "cannot" in str(outcome.problems[0])
        assert served(publisher) == ["a"]
        assert (bench.history.entries, bench.history.pin) == (entries, pin)
        assert publisher.problems == (), "nothing is wrong with the file"

    bench.play(before)
    bench.play(after, refusing("impossible-later"))


def test_what_is_wrong_with_the_file_is_told_while_it_is_gone_back_from(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        await saved(bench, publisher, "b")
        problems = await saved(bench, publisher, "bad")
        assert (await publisher.roll_back(bench.history.find("1"))).is_in_force
        assert publisher.problems == problems != ()
        outcome = await publisher.roll_back(None)
        assert (outcome.problems, outcome.is_in_force) == (problems, False)
        assert served(publisher) == ["a"]
        assert bench.history.pin is not None
        await saved(bench, publisher, "b")
        assert (served(publisher), publisher.problems) == (["b"], ())

    bench.play(scene, refusing("bad"))


def test_a_folder_is_published_missed_and_gone_back_to(bench: Bench) -> None:
    folder = bench.folder / "conf"
    bench.written = Written(folder, {})

    async def scene(stage: World, publisher: Publisher) -> None:
        folder.mkdir()
        (folder / "a.yaml").write_text(text("a"))
        assert await publisher.publish_file() == ()
        (folder / "b.yaml").write_text(text("b"))
        assert await publisher.publish_file() == ()
        assert served(publisher) == ["a", "b"]
        folder.rename(bench.folder / "elsewhere")
        (problem,) = await publisher.publish_file()
        assert str(folder) in str(problem)
        assert served(publisher) == ["a", "b"]
        assert (await publisher.roll_back(bench.history.find("1"))).is_in_force
        assert served(publisher) == ["a"]

    bench.play(scene)


def test_a_remembered_text_that_is_no_longer_valid_is_refused_with_its_problems(
    bench: Bench,
) -> None:
    bench.written = Written(bench.file, {"HOST": "127.0.0.1"})

    async def before(stage: World, publisher: Publisher) -> None:
        bench.file.write_text(text("a").replace("127.0.0.1", "${HOST}"))
        assert await publisher.publish_file() == ()
        await saved(bench, publisher, "b")

    async def after(stage: World, publisher: Publisher) -> None:
        bench.written = Written(bench.file, {})
        publisher = bench.publisher(stage)
        await publisher.publish_file()
        outcome = await publisher.roll_back(bench.history.find("1"))
        assert "HOST" in str(outcome.problems[0])
        assert served(publisher) == ["b"]
        assert bench.history.pin is None
        assert publisher.problems == ()

    bench.play(before)
    bench.play(after)


def test_a_full_disk_keeps_nobody_from_serving_or_going_back(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        await saved(bench, publisher, "a")
        (bench.folder / "state" / FOLDER / "unfinished").symlink_to("/dev/full")
        await saved(bench, publisher, "b")
        assert served(publisher) == ["b"]
        assert "no space left on device" in bench.history.trouble[0]
        assert publisher.problems == ()
        assert (await publisher.roll_back(bench.history.find("1"))).is_in_force
        assert served(publisher) == ["a"]

    bench.play(scene)


def test_ports_are_secured_before_anything_is_offered_and_back_when_it_is_refused(
    bench: Bench,
) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        limits = (5, 6, 7)
        for limit, provider in zip(limits, ("a", "bad", "c"), strict=True):
            bench.file.write_text(f"xds: {{history: {limit}}}\n" + text(provider))
            bench.tls_problems = (Problem("xds", "no key"),) if provider == "c" else ()
            problems = await publisher.publish_file()
            assert bool(problems) is (provider != "a")
        assert [each.history_limit for each in bench.secured] == [5, 6, 5, 7]
        assert served(publisher) == ["a"]
        assert "no key" in str(publisher.problems[0])

    bench.play(scene, refusing("bad"))


def test_only_so_many_are_remembered_as_the_file_says(bench: Bench) -> None:
    async def scene(stage: World, publisher: Publisher) -> None:
        for provider in ("a", "b", "c"):
            bench.file.write_text("xds: {history: 2}\n" + text(provider))
            await publisher.publish_file()

    bench.play(scene)
    assert len(bench.history.entries) == 2


def test_anothers_file_is_remembered_as_it_is_and_can_be_gone_back_to(bench: Bench) -> None:
    def convert(theirs: str, file: str) -> Imported | tuple[Problem, ...] | None:
        return Imported("other", text(theirs.split()[1]), ()) if "theirs" in theirs else None

    bench.written = Written(bench.file, {}, convert)

    async def scene(stage: World, publisher: Publisher) -> None:
        for theirs in ("theirs: a", "theirs: b"):
            bench.file.write_text(theirs)
            assert await publisher.publish_file() == ()
        entry = bench.history.entries[1]
        assert entry.sources.texts == {str(bench.file): "theirs: a"}
        assert (await publisher.roll_back(entry)).is_in_force
        assert served(publisher) == ["a"]

    bench.play(scene)
