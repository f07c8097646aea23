"""Real Envoys of two versions as clients, in every way in which they can ask: all that they need
comes from us, one resource of each type, written by hand."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gateway.model import Gateway, ServerTls, Xds, XdsClient
from tests.kit.certificates import Authority
from tests.kit.envoy import NEWEST, OLDEST, VERSIONS, envoy_binary
from tests.kit.gateways import gateway_of
from tests.kit.scene import (
    AUTHORITY,
    ON_DEMAND,
    SECONDS,
    WAYS,
    Scene,
    Way,
    address,
    answered,
    are_current,
    as_seen,
    cluster,
    endpoints,
    listening,
    made,
    manager,
    router,
    routes,
    scope,
    typed,
    with_envoy,
)
from xds_server.audience import Kind, Level
from xds_server.offers import EnvoyOffer
from xds_server.server import security_of
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    ROUTES,
    Resource,
    Snapshot,
    snapshot_of,
)

pytestmark = pytest.mark.envoy

GATEWAY = gateway_of("gateways: {default: {port: 8080}}")
DEMAND_SECONDS = 8
ROOT = Path(__file__).parents[3]
UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_envoy_has_everything_from_us_and_takes_changes_without_dropping_a_request(
    way: Way, tmp_path: Path
) -> None:
    async def play(scene: Scene) -> None:
        await scene.until(scene.get, "200 one one")
        assert await scene.flag() == "one"
        await takes_an_update(scene)
        await refuses_what_is_bad_and_keeps_the_rest(scene)

    with_envoy(way, tmp_path, play)


@pytest.mark.parametrize("is_delta", [True, False], ids=["delta", "sotw"])
def test_envoy_that_takes_clusters_and_listeners_apart_is_seen_to_have_everything(
    is_delta: bool, tmp_path: Path
) -> None:
    async def play(scene: Scene) -> None:
        await scene.until(scene.get, "200 one one")
        await scene.until(lambda: as_seen(are_current(scene)), True)
        assert scene.stage.clients.number_current(Kind.ENVOY) == 3

    way = Way(NEWEST, is_delta, is_aggregated=True, has_roots_apart=True)
    with_envoy(way, tmp_path, play)


async def has_endpoints(scene: Scene, name: str) -> bool:
    """Whether requests to a cluster find somebody; who asks for them may not have begun to."""
    said = await asyncio.to_thread(scene.envoy.admin, "/clusters")
    return f"{name}::127.0.0.1:{scene.ports[name]}::".encode() in said


async def takes_an_update(scene: Scene) -> None:
    """Everything moves to the other upstream under requests; what is old goes afterwards."""
    answers: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def ask() -> None:
        while not is_over.is_set():
            answers[(await scene.get())[:7]] += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        await scene.until(lambda: as_seen(answers["200 one"] > 0), True)
        old, new = scene.world("one"), scene.world("two")
        kept = [each for each in old if each.type_url in (CLUSTER, ENDPOINTS)]
        if not scene.way.is_aggregated:  # a new cluster opens another stream for its endpoints
            more = (cluster(scene.way, "two"), endpoints("two", scene.ports["two"]))
            scene.stage.publish(*old, *more)
            await scene.until(functools.partial(has_endpoints, scene, "two"), True)
        scene.stage.publish(*new, *kept)
        await scene.until(scene.get, "200 two two")
        scene.stage.publish(*new)
        await scene.until(scene.flag, "two")
        await scene.until(lambda: as_seen(are_current(scene)), True)
        is_over.set()
    assert set(answers) == {"200 one", "200 two"}, answers


async def refuses_what_is_bad_and_keeps_the_rest(scene: Scene) -> None:
    bad = made(CLUSTER, name="bad", type="EDS")
    good = (cluster(scene.way, "one"), endpoints("one", scene.ports["one"]))
    snapshot = scene.stage.publish(*scene.world("two", bad, *good))

    def refused() -> list[str]:
        found = [
            each
            for client in scene.stage.clients.of(Kind.ENVOY)
            for each in client.rejections(snapshot)
        ]
        return [each.name for each in found if each.name == "bad" and "EDS" in each.error]

    await scene.until(lambda: as_seen(refused()), ["bad"])
    assert await scene.get() == "200 two two"
    more = (*good, routes("others", "one"), scope("b", "others"))
    scene.stage.publish(*scene.world("two", *more))
    await scene.until(lambda: scene.get("b"), "200 one two")
    await scene.until(lambda: as_seen(are_current(scene)), True)


def on_demand_listener(way: Way) -> Resource:
    """Routes name clusters that nobody has asked for yet."""
    demand = typed(ON_DEMAND, odcds={"source": way.source(), "timeout": f"{DEMAND_SECONDS}s"})
    filters = [{"name": "on_demand", "typed_config": demand}, router()]
    rds = {"route_config_name": "demanding", "config_source": way.source()}
    chain = {"filters": [manager(rds=rds, http_filters=filters)]}
    return made(LISTENER, name="demand", address=address(0), filter_chains=[chain])


def demanding_routes() -> Resource:
    """A path for each cluster: `/one` leads to `one`."""
    matched = [
        {"match": {"prefix": f"/{name}"}, "route": {"cluster": name}} for name in ("one", "never")
    ]
    host = {"name": "all", "domains": ["*"], "routes": matched}
    return made(ROUTES, name="demanding", virtual_hosts=[host])


DEMANDING = [way for way in WAYS if way.is_delta and (way.is_aggregated or way.version != OLDEST)]
"""Envoy 1.37 that is told by another stream than ADS waits for its timeout all the same."""


@pytest.mark.parametrize("way", DEMANDING, ids=str)
def test_clusters_are_found_on_demand_and_those_that_do_not_exist_at_once(
    way: Way, tmp_path: Path
) -> None:
    async def play(scene: Scene) -> None:
        demand = (on_demand_listener(way), demanding_routes())
        scene.stage.publish(*scene.world("one", *demand))
        port = await listening(scene, "demand")
        began = time.monotonic()
        for path, answer in (("one", "200 one"), ("never", "503 "), ("one", "200 one")):
            got = await scene.http.get(f"http://127.0.0.1:{port}/{path}")
            assert f"{got.status_code} {got.text}".startswith(answer)
        assert time.monotonic() - began < DEMAND_SECONDS / 2
        scene.stage.publish(
            *scene.world(
                "one", *demand, cluster(way, "never"), endpoints("never", scene.ports["two"])
            )
        )
        await scene.until(lambda: answered(scene, port, "/never"), "200 two")

    with_envoy(way, tmp_path, play, asks_for_clusters=False)


@pytest.mark.parametrize("version", VERSIONS)
def test_envoy_comes_in_by_its_certificate_and_has_secrets_if_it_may(
    version: str, tmp_path: Path
) -> None:
    clients = Authority("clients")
    certificate, key = clients.client("spiffe://prod/edge")
    tls = ServerTls(*AUTHORITY.server(), client_ca=clients.pem)
    poor = Xds(tls=tls, clients=(XdsClient("edge", sans=("spiffe://prod/edge",)),))
    rich = replace(poor, clients=(replace(poor.clients[0], may_have_secrets=True),))
    shown = {
        "certificate_chain": {"inline_string": certificate},
        "private_key": {"inline_string": key},
    }
    trusted = {"trusted_ca": {"inline_string": AUTHORITY.pem}}
    context = {"tls_certificates": [shown], "validation_context": trusted}
    socket = {
        "name": "tls",
        "typed_config": typed(UPSTREAM_TLS, sni="localhost", common_tls_context=context),
    }

    def offer(scene: Scene, xds: Xds) -> None:
        def compiled(_: Gateway, *, level: Level) -> Snapshot:
            assert level.value == version
            return snapshot_of(scene.world("one"))

        scene.stage.clients.offer(Kind.ENVOY, EnvoyOffer(replace(GATEWAY, xds=xds), compiled))

    async def play(scene: Scene) -> None:
        (state,) = scene.stage.clients.states()
        assert state.principal.sans == ("spiffe://prod/edge",)
        assert scene.stage.server.traffic.resources["Secret"] == 0
        offer(scene, rich)
        await scene.until(scene.get, "200 one one")
        assert scene.stage.server.traffic.resources["Secret"] == 1
        renewed = replace(rich, tls=ServerTls(*AUTHORITY.server(), client_ca=clients.pem))
        await scene.stage.server.secure(security_of(renewed))
        offer(scene, renewed)
        assert await scene.get() == "200 one one"
        assert scene.stage.server.traffic.opened == 1

    way = Way(version, is_delta=True, is_aggregated=True)
    begin = functools.partial(offer, xds=poor)
    with_envoy(way, tmp_path, play, begin=begin, xds=rich, socket=socket)


def test_the_bootstrap_of_the_documentation_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs/xds.md").read_text("utf-8")
    (written,) = re.findall(r"^```yml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    bootstrap = yaml.safe_load(written)
    certificate, key = AUTHORITY.client("spiffe://prod/ns/a/sa/edge")
    files = {"edge.pem": certificate, "edge.key": key, "xds-ca.pem": AUTHORITY.pem}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    envoy = subprocess.run(
        (envoy_binary(), "--mode", "validate", "--config-yaml", json.dumps(bootstrap)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert envoy.returncode == 0, envoy.stderr
