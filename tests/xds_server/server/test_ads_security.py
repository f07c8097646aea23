"""Who is let in over real TLS, by certificate or token, as which node, and who is told secrets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from gateway.model import Gateway, NodeGroup, NodeMatch, ServerTls, Xds, XdsClient
from tests.kit.ads import Credentials, connected, connected_by_state
from tests.kit.certificates import Authority
from tests.kit.gateways import gateway_of
from tests.kit.offers import offer_of
from tests.kit.played import Stage, played, thing
from xds_server.audience import Kind, Level
from xds_server.clients import Clients
from xds_server.offers import EnvoyOffer
from xds_server.server import AddressInUse, AdsServer, Security, UnusableTls, security_of
from xds_server.server.ads import token_digest
from xds_server.snapshot import CLUSTER, SECRET, Snapshot, snapshot_of

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE

GATEWAY = gateway_of("gateways: {default: {port: 8080}}")
SERVERS, CLIENTS = Authority("servers"), Authority("clients")
TLS = ServerTls(*SERVERS.server())
MUTUAL = replace(TLS, client_ca=CLIENTS.pem)
TOKEN = "t0ken-of-the-desk"
EDGE = XdsClient("edges", sans=("spiffe://prod/edge/*",), node_ids=("edge-*",))
DESK = XdsClient(
    "desk", token_digest=hashlib.sha256(TOKEN.encode()).hexdigest(), may_have_secrets=True
)
BOTH = Xds(tls=MUTUAL, clients=(EDGE, DESK))


class Turned(Exception):
    """Away: code and details."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details


def compiled(_: Gateway, *, level: Level) -> Snapshot:
    return snapshot_of([thing(CLUSTER, "c", level.value), thing(SECRET, "s")])


def shows(*uris: str) -> Credentials:
    return Credentials(SERVERS.pem, CLIENTS.client(*uris))


def sends(token: str) -> Credentials:
    return Credentials(SERVERS.pem, token=token)


async def told(target: str, node_id: str, credentials: Credentials) -> set[str]:
    """The names of all that a client is told."""
    heard: set[str] = set()
    async with connected(target, node_id, credentials=credentials) as client:
        try:
            for type_url in (CLUSTER, SECRET):
                await client.ask(type_url)
                heard |= (await client.take()).resources.keys()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, AssertionError):
            raise Turned(*await client.end()) from None
    return heard


def under(xds: Xds, play: Callable[[Stage], Awaitable[None]]) -> None:
    """A conversation with a server that follows these rules."""

    async def offering(stage: Stage) -> None:
        stage.clients.offer(Kind.ENVOY, EnvoyOffer(replace(GATEWAY, xds=xds), compiled))
        await play(stage)

    played(offering, security=security_of(xds))


@pytest.mark.parametrize(
    ("node_id", "credentials", "heard"),
    [
        ("edge-1", shows("spiffe://prod/edge/1"), {"c"}),
        ("edge-1", shows("spiffe://prod/other", "spiffe://prod/edge/1"), {"c"}),
        ("anyone", sends(TOKEN), {"c", "s"}),
    ],
)
def test_clients_are_known_by_certificate_or_token_and_have_secrets_if_they_may(
    node_id: str, credentials: Credentials, heard: set[str]
) -> None:
    async def play(stage: Stage) -> None:
        assert await told(stage.target, node_id, credentials) == heard

    under(BOTH, play)


@pytest.mark.parametrize(
    ("node_id", "credentials", "code"),
    [
        ("edge-1", Credentials(SERVERS.pem), UNAUTHENTICATED),
        ("edge-1", shows("spiffe://prod/other"), UNAUTHENTICATED),
        ("edge-1", sends("another"), UNAUTHENTICATED),
        ("edge-1", sends(DESK.token_digest or ""), UNAUTHENTICATED),
        ("core-1", shows("spiffe://prod/edge/1"), PERMISSION_DENIED),
        ("edge-1", Credentials(SERVERS.pem, SERVERS.client("spiffe://prod/edge/1")), UNAVAILABLE),
        ("edge-1", Credentials(), UNAVAILABLE),
    ],
)
def test_all_others_are_turned_away_with_a_reason_that_tells_nothing(
    node_id: str, credentials: Credentials, code: grpc.StatusCode
) -> None:
    async def play(stage: Stage) -> None:
        with pytest.raises(Turned) as turned:
            await told(stage.target, node_id, credentials)
        assert turned.value.code is code
        for secret in ("spiffe", "desk", "edges", TOKEN, DESK.token_digest):
            assert str(secret) not in turned.value.details
        await stage.until(lambda: stage.clients.states() == ())

    under(BOTH, play)


def test_without_tokens_a_certificate_is_demanded() -> None:
    async def play(stage: Stage) -> None:
        assert await told(stage.target, "edge-1", shows("spiffe://prod/edge/1")) == {"c"}
        with pytest.raises(Turned) as turned:
            await told(stage.target, "edge-1", Credentials(SERVERS.pem))
        assert turned.value.code is UNAVAILABLE

    under(replace(BOTH, clients=(EDGE,)), play)


def test_without_clients_whoever_trusts_the_certificate_comes_in() -> None:
    async def play(stage: Stage) -> None:
        assert await told(stage.target, "anyone", Credentials(SERVERS.pem)) == {"c", "s"}

    under(Xds(tls=TLS), play)


def test_tokens_count_without_tls_too() -> None:
    async def play(stage: Stage) -> None:
        assert await told(stage.target, "anyone", Credentials(token=TOKEN)) == {"c", "s"}
        with pytest.raises(Turned) as turned:
            await told(stage.target, "anyone", Credentials())
        assert turned.value.code is UNAUTHENTICATED

    under(Xds(clients=(DESK,)), play)


def test_a_unix_socket_is_protected_by_its_folder(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.clients.offer(Kind.ENVOY, EnvoyOffer(replace(GATEWAY, xds=BOTH), compiled))
        assert await told(stage.target, "anyone", Credentials()) == {"c", "s"}

    played(play, security=security_of(BOTH), address=f"unix:{tmp_path}/ads.sock")


def test_a_node_without_a_group_is_refused_by_name() -> None:
    async def play(stage: Stage) -> None:
        assert await told(stage.target, "edge-1", Credentials()) == {"c", "s"}
        with pytest.raises(Turned) as turned:
            await told(stage.target, "core-1", Credentials())
        assert turned.value.code is PERMISSION_DENIED
        assert "'core-1'" in turned.value.details

    under(Xds(groups=(NodeGroup("edges", NodeMatch(ids=("edge-*",)), ()),)), play)


def test_who_loses_its_token_loses_its_stream() -> None:
    async def play(stage: Stage) -> None:
        async with connected_by_state(stage.target, credentials=Credentials(token=TOKEN)) as client:
            await client.ask(SECRET)
            assert set((await client.take()).resources) == {"s"}
            without = Xds(clients=(EDGE,))
            stage.clients.offer(Kind.ENVOY, EnvoyOffer(replace(GATEWAY, xds=without), compiled))
            code, _ = await client.end()
        assert code is UNAUTHENTICATED

    under(Xds(clients=(DESK,)), play)


def test_the_certificate_changes_while_the_server_runs_and_streams_go_on() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot_of([thing(CLUSTER, "c")])))
        others = Authority("others")
        server = AdsServer(clients, Security(TLS))
        (port,) = await server.start(["127.0.0.1:0"])
        target = f"127.0.0.1:{port}"
        async with connected(target, credentials=Credentials(SERVERS.pem)) as before:
            await before.ask(CLUSTER)
            await before.take()
            await server.secure(Security(ServerTls(*others.server())))
            assert await told(target, "new", Credentials(others.pem)) == {"c"}
            with pytest.raises(Turned):
                await told(target, "new", Credentials(SERVERS.pem))
            clients.offer(Kind.ENVOY, offer_of(snapshot_of([thing(CLUSTER, "d")])))
            assert set((await before.take()).resources) == {"d"}
        await server.stop(0)

    asyncio.run(run())


@pytest.mark.parametrize("steps", [(None, TLS), (TLS, None)])
def test_a_port_gets_tls_or_loses_it_and_unix_sockets_do_not_notice(
    steps: tuple[ServerTls | None, ServerTls | None], tmp_path: Path
) -> None:
    first, then = steps

    def credentials(tls: ServerTls | None) -> Credentials:
        return Credentials(None if tls is None else SERVERS.pem)

    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot_of([thing(CLUSTER, "c")])))
        server = AdsServer(clients, Security(first))
        unix = f"unix:{tmp_path}/ads.sock"
        _, port = await server.start([unix, "127.0.0.1:0"])
        target = f"127.0.0.1:{port}"
        async with (
            connected(unix) as private,
            connected(target, "p", credentials=credentials(first)) as public,
        ):
            for client in (private, public):
                await client.ask(CLUSTER)
                await client.take()
            await server.secure(Security(then))
            code, _ = await public.end()
            assert code is not grpc.StatusCode.OK
            assert await told(target, "p", credentials(then)) == {"c"}
            with pytest.raises(Turned):
                await told(target, "p", credentials(first))
            clients.offer(Kind.ENVOY, offer_of(snapshot_of([thing(CLUSTER, "d")])))
            assert set((await private.take()).resources) == {"d"}
        await server.stop(0)

    asyncio.run(run())


def test_tls_that_cannot_be_used_changes_nothing() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot_of([thing(CLUSTER, "c")])))
        server = AdsServer(clients)
        (port,) = await server.start(["127.0.0.1:0"])
        with pytest.raises(UnusableTls):
            await server.secure(Security(ServerTls("nothing", "nothing")))
        assert await told(f"127.0.0.1:{port}", "a", Credentials()) == {"c"}
        await server.stop(0)

    asyncio.run(run())


def test_an_address_that_is_taken_is_named_with_tls_too() -> None:
    async def run() -> None:
        first, second = AdsServer(Clients()), AdsServer(Clients(), Security(TLS))
        (port,) = await first.start(["127.0.0.1:0"])
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}"):
            await second.start([f"127.0.0.1:{port}"])
        await second.stop(0)
        await first.stop(0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ((("authorization", "Bearer abc"),), "abc"),
        ((("authorization", "bearer  abc "), ("x", "y")), "abc"),
        ((("authorization", "Basic abc"),), None),
        ((("authorization", "Bearer abc"), ("authorization", "Bearer def")), None),
        ((("authorization-bin", b"Bearer abc"),), None),
        ((), None),
    ],
)
def test_a_token_is_read_where_there_is_exactly_one(
    headers: tuple[tuple[str, str | bytes], ...], token: str | None
) -> None:
    digest = None if token is None else hashlib.sha256(token.encode()).hexdigest()
    assert token_digest(headers) == digest
