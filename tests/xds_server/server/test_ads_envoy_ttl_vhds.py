"""Real Envoys of two versions: what lives only while it is told of, and virtual hosts that are
asked for when a request wants them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.scene import (
    ON_DEMAND,
    SECONDS,
    WAYS,
    Scene,
    Way,
    address,
    cluster,
    endpoints,
    listening,
    made,
    manager,
    router,
    runtime,
    typed,
    with_envoy,
)
from xds_server.audience import Kind
from xds_server.snapshot import LISTENER, ROUTES, VIRTUAL_HOST, Resource

pytestmark = pytest.mark.envoy

TTL_SECONDS = 1.0
PROMPT_SECONDS = 2.0


@pytest.mark.parametrize("way", [way for way in WAYS if way.is_aggregated], ids=str)
def test_a_layer_with_a_ttl_stays_while_we_tell_of_it_and_goes_when_we_do_not(
    way: Way, tmp_path: Path
) -> None:
    async def play(scene: Scene) -> None:
        await scene.until(scene.flag, "here")
        end = time.monotonic() + 2.5 * TTL_SECONDS
        while time.monotonic() < end:
            assert await scene.flag() == "here"
            await asyncio.sleep(0.05)
        assert scene.stage.server.traffic.opened == 1
        scene.stage.clients.offer(Kind.ENVOY, None)  # the stream stays, and says nothing more
        silent = time.monotonic()
        await scene.until(scene.flag, "None")
        assert time.monotonic() - silent < 2 * TTL_SECONDS

    fleeting = replace(runtime("here"), ttl_seconds=TTL_SECONDS)
    with_envoy(way, tmp_path, play, begin=lambda scene: scene.stage.publish(fleeting))


@pytest.mark.parametrize("way", [way for way in WAYS if way.is_delta], ids=str)
def test_virtual_hosts_are_found_when_they_are_wanted_and_missed_at_once(
    way: Way, tmp_path: Path
) -> None:
    async def play(scene: Scene) -> None:
        port = await listening(scene, "hosts")
        assert await promptly_from(scene, port, "one.test") == "200 one"
        assert await promptly_from(scene, port, "late.test") == "404 "
        assert await promptly_from(scene, port, "never.test") == "404 "
        scene.stage.publish(*hosting(scene, "one.test", "late.test"))
        await scene.until(lambda: answer_of(scene, port, "late.test"), "200 one")
        assert await promptly_from(scene, port, "never.test") == "404 "

    with_envoy(
        way,
        tmp_path,
        play,
        begin=lambda scene: scene.stage.publish(*hosting(scene, "one.test")),
    )


def hosting(scene: Scene, *hosts: str) -> tuple[Resource, ...]:
    """Routes without virtual hosts: each is to be asked for."""
    source = scene.way.source()
    filters = [{"name": "on_demand", "typed_config": typed(ON_DEMAND)}, router()]
    rds = {"route_config_name": "hosted", "config_source": source}
    chain = {"filters": [manager(rds=rds, http_filters=filters)]}
    return (
        cluster(scene.way, "one"),
        endpoints("one", scene.ports["one"]),
        made(LISTENER, name="hosts", address=address(0), filter_chains=[chain]),
        made(ROUTES, name="hosted", vhds={"config_source": source}),
        *(virtual_host(host) for host in hosts),
    )


def virtual_host(host: str) -> Resource:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "one"}}
    return made(VIRTUAL_HOST, name=f"hosted/{host}", domains=[host], routes=[route])


async def promptly_from(scene: Scene, port: int, host: str) -> str:
    async with asyncio.timeout(PROMPT_SECONDS):
        return await answer_of(scene, port, host)


async def answer_of(scene: Scene, port: int, host: str) -> str:
    url = f"http://127.0.0.1:{port}/"
    answer = await scene.http.get(url, headers={"host": host}, timeout=SECONDS)
    return f"{answer.status_code} {answer.text}"
