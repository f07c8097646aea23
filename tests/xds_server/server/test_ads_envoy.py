"""Real Envoys of two versions as clients, in every way in which they can ask: all that they need
comes from us, one resource of each type, written by hand."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import envoy_api
import httpx
import pytest
import yaml

from gateway.model import Gateway, ServerTls, Xds, XdsClient
from tests.kit.certificates import Authority
from tests.kit.envoy import OLDEST, VERSIONS, RunningEnvoy, envoy_binary
from tests.kit.gateways import gateway_of
from tests.kit.played import Stage, played
from xds_server.audience import Kind, Level
from xds_server.offers import EnvoyOffer
from xds_server.server import security_of
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    RUNTIME,
    SCOPED_ROUTES,
    SECRET,
    Resource,
    Snapshot,
    resource_of,
    snapshot_of,
)

pytestmark = pytest.mark.envoy

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
SECONDS = 10
DEMAND_SECONDS = 8
XDS = "xds"
ROOT = Path(__file__).parents[3]
AUTHORITY = Authority()
GATEWAY = gateway_of("gateways: {default: {port: 8080}}")
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
HEADER_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
ON_DEMAND = "envoy.extensions.filters.http.on_demand.v3.OnDemand"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(name: str, **fields: Any) -> Json:
    return {"@type": f"type.googleapis.com/{name}", **fields}


def made(type_url: str, **fields: Any) -> Resource:
    """A resource from its JSON form."""
    message = envoy_api.from_dict(type_url.rpartition("/")[2], fields)
    body = message.SerializeToString(deterministic=True)
    return resource_of(fields.get("name") or fields["cluster_name"], type_url, body)


@dataclass(frozen=True, slots=True)
class Way:
    """How an Envoy asks."""

    version: str
    is_delta: bool
    is_aggregated: bool

    def __str__(self) -> str:
        variant = "delta" if self.is_delta else "sotw"
        return f"{self.version}-{variant}-{'ads' if self.is_aggregated else 'alone'}"

    def api(self) -> Json:
        return {
            "api_type": "DELTA_GRPC" if self.is_delta else "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [{"envoy_grpc": {"cluster_name": XDS}}],
        }

    def source(self) -> Json:
        """Where resources of a type come from."""
        where: Json = {"ads": {}} if self.is_aggregated else {"api_config_source": self.api()}
        return {**where, "resource_api_version": "V3"}

    def bootstrap(self, target: str, *, asks_for_clusters: bool = True) -> Json:
        dynamic: Json = {"lds_config": self.source()}
        if asks_for_clusters:
            dynamic["cds_config"] = self.source()
        if self.is_aggregated:
            dynamic["ads_config"] = self.api()
        flags = {"name": "flags", "rtds_layer": {"name": "flags", "rtds_config": self.source()}}
        return {
            "node": {"id": "test-id", "cluster": "tests"},
            "dynamic_resources": dynamic,
            "layered_runtime": {"layers": [flags]},
            "static_resources": {"clusters": [xds_cluster(target)]},
        }


WAYS = [
    Way(version, is_delta, is_aggregated)
    for version in VERSIONS
    for is_delta in (True, False)
    for is_aggregated in (True, False)
]


def xds_cluster(target: str) -> Json:
    http2 = {"explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": XDS,
        "connect_timeout": "5s",
        "load_assignment": assignment(XDS, int(target.rpartition(":")[2])),
        "typed_extension_protocol_options": {HTTP_OPTIONS: typed(HTTP_OPTIONS, **http2)},
    }


def assignment(cluster: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": address(port)}}
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [endpoint]}]}


def address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(way: Way, name: str) -> Resource:
    source = {"eds_config": way.source()}
    return made(CLUSTER, name=name, type="EDS", connect_timeout="2s", eds_cluster_config=source)


def endpoints(name: str, port: int) -> Resource:
    return made(ENDPOINTS, **assignment(name, port))


def routes(name: str, to_cluster: str) -> Resource:
    route = {"match": {"prefix": "/"}, "route": {"cluster": to_cluster}}
    host = {"name": "all", "domains": ["*"], "routes": [route]}
    return made(ROUTES, name=name, virtual_hosts=[host])


def manager(**fields: Any) -> Json:
    config = typed(HCM, stat_prefix="http", **fields)
    return {"name": "http", "typed_config": config}


def router() -> Json:
    return {"name": "router", "typed_config": typed(ROUTER)}


def listener(way: Way) -> Resource:
    """TLS by SDS, a filter by ECDS, routes by SRDS and RDS."""
    builder = {
        "fragments": [
            {
                "header_value_extractor": {
                    "name": "x-scope",
                    "element_separator": ",",
                    "element": {"separator": "=", "key": "scope"},
                }
            }
        ]
    }
    scoped = {
        "name": "scopes",
        "scope_key_builder": builder,
        "rds_config_source": way.source(),
        "scoped_rds": {"scoped_rds_config_source": way.source()},
    }
    stamp = {
        "name": "stamp",
        "config_discovery": {
            "config_source": way.source(),
            "type_urls": [f"type.googleapis.com/{HEADER_MUTATION}"],
        },
    }
    certificates = [{"name": "certificate", "sds_config": way.source()}]
    tls = typed(TLS, common_tls_context={"tls_certificate_sds_secret_configs": certificates})
    chain = {
        "filters": [manager(scoped_routes=scoped, http_filters=[stamp, router()])],
        "transport_socket": {"name": "tls", "typed_config": tls},
    }
    return made(LISTENER, name="web", address=address(0), filter_chains=[chain])


def scope(key: str, to_routes: str) -> Resource:
    fragments = {"fragments": [{"string_key": key}]}
    name = f"scope-{key}"
    return made(SCOPED_ROUTES, name=name, route_configuration_name=to_routes, key=fragments)


def stamp(text: str) -> Resource:
    header = {"append": {"header": {"key": "x-stamp", "value": text}}}
    config = typed(HEADER_MUTATION, mutations={"response_mutations": [header]})
    return made(FILTER, name="stamp", typed_config=config)


def secret() -> Resource:
    certificate, key = AUTHORITY.server()
    tls = {
        "certificate_chain": {"inline_string": certificate},
        "private_key": {"inline_string": key},
    }
    return made(SECRET, name="certificate", tls_certificate=tls)


CERTIFICATE = secret()


def runtime(value: str) -> Resource:
    return made(RUNTIME, name="flags", layer={"tests.flag": value})


@dataclass(slots=True)
class Scene:
    """An Envoy that has all it knows from us, and two upstreams."""

    way: Way
    stage: Stage
    envoy: RunningEnvoy
    http: httpx.AsyncClient
    ports: Mapping[str, int]

    def world(self, upstream: str, *more: Resource) -> tuple[Resource, ...]:
        """Everything that leads requests to an upstream: each word in it is the upstream's."""
        return (
            cluster(self.way, upstream),
            endpoints(upstream, self.ports[upstream]),
            CERTIFICATE,
            listener(self.way),
            stamp(upstream),
            scope("a", "routes"),
            routes("routes", upstream),
            runtime(upstream),
            *more,
        )

    async def get(self, scope: str = "a") -> str:
        port = await asyncio.to_thread(self.envoy.port, "web")
        headers = {"x-scope": f"scope={scope}"}
        answer = await self.http.get(f"https://localhost:{port}/", headers=headers)
        return f"{answer.status_code} {answer.text} {answer.headers.get('x-stamp')}"

    async def flag(self) -> str:
        entries = json.loads(await asyncio.to_thread(self.envoy.admin, "/runtime?format=json"))
        return str(entries["entries"].get("tests.flag", {}).get("final_value"))

    async def until(self, claim: Callable[[], Awaitable[object]], wanted: object) -> None:
        seen: object = None
        for _ in range(50 * SECONDS):
            seen = await claim()
            if seen == wanted:
                return
            await asyncio.sleep(0.02)
        raise AssertionError((seen, wanted, self.envoy.log.read_text()[-3_000:]))


@asynccontextmanager
async def upstream(name: str) -> AsyncIterator[int]:
    """An HTTP server that says its name."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n"
                writer.write(f"{head}{name}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def with_envoy(
    way: Way,
    tmp_path: Path,
    play: Callable[[Scene], Awaitable[None]],
    *,
    begin: Callable[[Scene], object] = lambda scene: scene.stage.publish(*scene.world("one")),
    xds: Xds | None = None,
    socket: Json | None = None,
    asks_for_clusters: bool = True,
) -> None:
    """A conversation with an Envoy that has been started with nothing but where we are."""

    async def on_stage(stage: Stage) -> None:
        trusted = ssl.create_default_context(cadata=AUTHORITY.pem)
        bootstrap = way.bootstrap(stage.target, asks_for_clusters=asks_for_clusters)
        if socket is not None:
            bootstrap["static_resources"]["clusters"][0]["transport_socket"] = socket
        envoy = RunningEnvoy(bootstrap, tmp_path, way.version)
        async with (
            upstream("one") as one,
            upstream("two") as two,
            httpx.AsyncClient(verify=trusted) as http,
        ):
            scene = Scene(way, stage, envoy, http, {"one": one, "two": two})
            begin(scene)
            try:
                await asyncio.to_thread(envoy.__enter__)
                await play(scene)
            finally:
                await asyncio.to_thread(envoy.stop)

    played(on_stage, security=None if xds is None else security_of(xds))


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
            await scene.until(lambda: as_seen(are_current(scene)), True)
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


def are_current(scene: Scene) -> bool:
    """Every stream has accepted all that it asked for."""
    return all(state.is_current for state in scene.stage.clients.states())


async def as_seen(fact: T) -> T:
    return fact


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


async def answered(scene: Scene, port: int, path: str) -> str:
    answer = await scene.http.get(f"http://127.0.0.1:{port}{path}")
    return f"{answer.status_code} {answer.text}"


async def listening(scene: Scene, name: str) -> int:
    """The port of a listener, as soon as there is one."""
    found: list[int] = []

    async def look() -> bool:
        try:
            found.append(await asyncio.to_thread(scene.envoy.port, name))
        except KeyError:
            return False
        return True

    await scene.until(look, True)
    return found[-1]


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
