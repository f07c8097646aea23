"""A change, from the text to a release."""

from __future__ import annotations

from pathlib import Path

from tests.kit.publishing import World, heard, text, world
from xds_server.audience import Kind


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
