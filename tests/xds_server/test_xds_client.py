"""Asking a management server, which another kind of server is here: it knows nothing of ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import envoy_api
import pytest
from envoy_api.dial import Server
from envoy_api.discovery import Variant
from envoy_api.subscriber import News, Subscriber

from tests.kit.management_server import SECONDS, managing
from xds_server.snapshot import CLUSTER, ENDPOINTS
from xds_server.xds_client import Asker, NoAnswer, get, silent_about, type_url_of, watch

NODE = Asker("me", envoy=(1, 37, 2)).node()


def cluster(name: str) -> Any:
    return envoy_api.message("envoy.config.cluster.v3.Cluster")(name=name)


@pytest.mark.parametrize(
    ("text", "type_url"),
    [
        ("cds", CLUSTER),
        ("EDS", ENDPOINTS),
        ("configuration", "type.googleapis.com/dragoman.v1.Configuration"),
        ("envoy.config.cluster.v3.Cluster", CLUSTER),
        (CLUSTER, CLUSTER),
        ("clusters", None),
    ],
)
def test_types_have_short_names(text: str, type_url: str | None) -> None:
    assert type_url_of(text) == type_url


def test_the_asker_says_for_what_version_of_envoy_it_asks() -> None:
    version = NODE.user_agent_build_version.version
    assert (version.major_number, version.minor_number, version.patch) == (1, 37, 2)


@pytest.mark.parametrize("variant", list(Variant))
def test_the_first_answer_is_taken_and_acknowledged(tmp_path: Path, variant: Variant) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(variant, address) as server, asyncio.TaskGroup() as tasks:
            subscriber = Subscriber(variant, CLUSTER, [], NODE)
            asking = tasks.create_task(get(Server(address), subscriber, SECONDS))
            hello = await server.asked()
            assert hello.node.id == "me"
            nonce = await server.send("a", "1", cluster("a"))
            (item,) = (await asking).updated
            assert item.name == "a"
            assert (await server.asked()).response_nonce == nonce

    asyncio.run(run())


def no_answer(server: Server, variant: Variant, *names: str, seconds: float = SECONDS) -> str:
    with pytest.raises(NoAnswer) as raised:
        asyncio.run(get(server, Subscriber(variant, ENDPOINTS, names, NODE), seconds))
    return str(raised.value)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    server = Server(f"unix:{tmp_path}/none.sock")
    assert no_answer(server, Variant.DELTA).startswith(f"{server.address}: unavailable")


@pytest.mark.parametrize("variant", list(Variant))
def test_a_server_that_does_not_speak_the_variant_is_no_answer(
    tmp_path: Path, variant: Variant
) -> None:
    other = Variant.SOTW if variant is Variant.DELTA else Variant.DELTA

    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(other, address):
            with pytest.raises(NoAnswer, match="unimplemented"):
                await get(Server(address), Subscriber(variant, CLUSTER, [], NODE), SECONDS)

    asyncio.run(run())


def test_the_asker_says_of_itself_what_node_groups_look_at() -> None:
    node = Asker("me", "edges", user_agent="envoy", metadata={"labels": {"zone": "eu"}}).node()
    assert (node.cluster, node.user_agent_name) == ("edges", "envoy")
    assert node.metadata["labels"]["zone"] == "eu"


def test_silence_says_what_not_every_server_says(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(Variant.SOTW, address):
            with pytest.raises(NoAnswer, match="it may have no x, which not every server says"):
                await get(Server(address), Subscriber(Variant.SOTW, ENDPOINTS, ["x"], NODE), 0.3)

    asyncio.run(run())


@pytest.mark.parametrize("variant", list(Variant))
def test_what_is_asked_for_by_name_may_come_in_several_answers(
    tmp_path: Path, variant: Variant
) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(variant, address) as server, asyncio.TaskGroup() as tasks:
            subscriber = Subscriber(variant, ENDPOINTS, ["a", "b"], NODE)
            asking = tasks.create_task(get(Server(address), subscriber, SECONDS))
            await server.asked()
            for name in ("a", "b"):
                message = envoy_api.message("envoy.config.endpoint.v3.ClusterLoadAssignment")
                await server.send(name, name, message(cluster_name=name))
                await server.asked()
            news = await asking
            assert [item.name for item in news.updated] == ["a", "b"]
            assert silent_about(subscriber, news) == ()

    asyncio.run(run())


@pytest.mark.parametrize("variant", list(Variant))
def test_what_a_server_is_silent_about_is_known_when_the_time_is_over(
    tmp_path: Path, variant: Variant
) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(variant, address) as server, asyncio.TaskGroup() as tasks:
            subscriber = Subscriber(variant, ENDPOINTS, ["a", "b"], NODE)
            asking = tasks.create_task(get(Server(address), subscriber, 1.0))
            await server.asked()
            message = envoy_api.message("envoy.config.endpoint.v3.ClusterLoadAssignment")
            await server.send("a", "1", message(cluster_name="a"))
            news = await asking
            assert [item.name for item in news.updated] == ["a"]
            assert silent_about(subscriber, news) == ("b",)

    asyncio.run(run())


@pytest.mark.parametrize("variant", list(Variant))
def test_watching_tells_each_change_once_and_survives_a_restart(
    tmp_path: Path, variant: Variant
) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        heard: asyncio.Queue[News] = asyncio.Queue()
        subscriber = Subscriber(variant, ENDPOINTS, [], NODE)
        complaints: list[str] = []

        def endpoints(priority: int) -> Any:
            message = envoy_api.message("envoy.config.endpoint.v3.ClusterLoadAssignment")
            return message(cluster_name="a", endpoints=[{"priority": priority}])

        async with asyncio.TaskGroup() as tasks, asyncio.timeout(2 * SECONDS):
            watching = tasks.create_task(
                watch(Server(address), subscriber, heard.put_nowait, complaints.append)
            )
            async with managing(variant, address) as server:
                await server.asked()
                await server.send("a", "1", endpoints(0))
                assert [item.name for item in (await heard.get()).updated] == ["a"]
                await server.asked()
            async with managing(variant, address) as server:
                await server.asked()
                await server.send("a", "1", endpoints(0))
                await server.asked()
                await server.send("a", "2", endpoints(1))
                assert [item.name for item in (await heard.get()).updated] == ["a"]
                await server.asked()
            assert heard.empty()
            assert complaints
            watching.cancel()

    asyncio.run(run())
