"""A real Envoy, of any version and in every way in which it can ask, that has all it knows from us;
resources for it, written by hand."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import envoy_api
import httpx

from gateway.model import Xds
from tests.kit.certificates import Authority
from tests.kit.envoy import VERSIONS, RunningEnvoy
from tests.kit.played import Stage, played
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
    resource_of,
)

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
SECONDS = 10
XDS = "xds"
AUTHORITY = Authority()
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
HEADER_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
ON_DEMAND = "envoy.extensions.filters.http.on_demand.v3.OnDemand"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
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
    has_roots_apart: bool = False
    """Clusters and listeners come from services of their own."""

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
        roots = replace(self, is_aggregated=self.is_aggregated and not self.has_roots_apart)
        dynamic: Json = {"lds_config": roots.source()}
        if asks_for_clusters:
            dynamic["cds_config"] = roots.source()
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


def are_current(scene: Scene) -> bool:
    """Every stream has accepted all that it asked for."""
    return all(state.is_current for state in scene.stage.clients.states())


async def as_seen(fact: T) -> T:
    return fact


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
