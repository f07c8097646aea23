"""The control plane over a real file, with nobody connected yet."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from extproc.adapters.tally import FileTally
from extproc.ports import Verdicts
from gateway.config.load import load
from gateway.config.schema import Config
from gateway.model import Endpoint
from gateway.names import VERDICTS_FOLDER, login_cookie_secret
from tests.kit.certificates import Authority
from tests.kit.golden import GOLDEN
from tests.kit.stack import free_ports
from xds_server import control_plane
from xds_server.control_plane import (
    Options,
    Plane,
    Process,
    admin_serving,
    meant,
    planning,
    tell_changes,
    topology,
)
from xds_server.difference import state_json
from xds_server.resources.topology import Topology
from xds_server.snapshot import SECRET, snapshot_of

VALID = 'gateways: {default: {port: "${PORT}"}}\n'


def options(tmp_path: Path, text: str = VALID, workers: tuple[str, ...] = ()) -> Options:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    return Options(
        file=file,
        environment={"PORT": "8081"},
        target=f"unix:{tmp_path}/xds.sock",
        topology=Topology(workers=workers),
        state_dir=tmp_path,
    )


def test_a_port_that_was_asked_for_is_that_of_the_only_gateway(tmp_path: Path) -> None:
    one = load("gateways: {a: {port: 1}}", file="", environment={})
    two = load("gateways: {a: {port: 1}, b: {port: 2}}", file="", environment={})
    assert isinstance(one, Config)
    assert isinstance(two, Config)
    assert [each.port for each in meant(one, None).listeners] == [1]
    assert [each.port for each in meant(one, 9).listeners] == [9]
    assert [each.port for each in meant(two, 9).listeners] == [1, 2]


@asynccontextmanager
async def running(chosen: Options) -> AsyncIterator[Plane]:
    async with asyncio.timeout(20), planning(chosen) as plane:
        yield plane


async def until(plane: Plane, claim: Callable[[], bool]) -> None:
    """The publisher tells whoever waits on the clients, so that nothing has to be polled."""
    while not claim():
        await plane.overview.clients.wait_until(claim, 0.05)


def test_a_valid_file_is_in_force_when_no_worker_is_expected(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(options(tmp_path)) as plane:
            await until(plane, lambda: plane.publisher.in_force is not None)
            assert [each.port for each in plane.listeners()] == [8081]
            assert plane.overview.status()["problems"] == []
            assert plane.overview.status()["version"]
            assert "gateway/default" in plane.compiled()
            assert await plane.missing() == ("no Envoy has acknowledged the configuration",)

    asyncio.run(scenario())


def test_nothing_is_in_force_before_a_worker_has_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(options(tmp_path, workers=("127.0.0.1:1",))) as plane:
            await until(plane, lambda: len(plane.publisher.missing()) == 2)
            assert (plane.listeners(), plane.compiled()) == ((), "")
            assert plane.overview.status()["version"] is None

    asyncio.run(scenario())


def test_a_file_that_breaks_is_reported_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        chosen = options(tmp_path)
        async with running(chosen) as plane:
            await until(plane, lambda: plane.publisher.in_force is not None)
            before = plane.overview.status()["version"]
            chosen.file.write_text("\ngatewys: {}\n")
            await until(plane, lambda: bool(plane.publisher.problems))
            (row,) = plane_problems(plane)
            assert (row["line"], row["path"]) == (2, "gatewys")
            assert row["text"].startswith(f"{chosen.file}:2: gatewys")
            assert plane.overview.status()["version"] == before

    asyncio.run(scenario())


def test_what_became_of_each_change_is_told_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        chosen, stop = options(tmp_path), asyncio.Event()
        said: asyncio.Queue[str] = asyncio.Queue()
        async with running(chosen) as plane, asyncio.TaskGroup() as tasks:
            tasks.create_task(tell_changes(plane.publisher, said.put_nowait, stop))
            await until(plane, lambda: plane.publisher.in_force is not None)
            for text in ("\ngatewys: {}\n", "\n\ngatewys: {}\n"):
                chosen.file.write_text(text)
                line = len(text.splitlines())
                told = await said.get()
                assert told.startswith(f"not applied: {chosen.file}:{line}: gatewys")
            chosen.file.write_text(VALID + "budgets: []\n")
            told = await said.get()
            assert told == f"applied: configuration {plane.overview.status()['version']}"
            stop.set()
        assert said.empty()

    asyncio.run(scenario())


def test_what_a_change_does_not_do_is_told_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        chosen, stop = options(tmp_path), asyncio.Event()
        said: asyncio.Queue[str] = asyncio.Queue()
        async with running(chosen) as plane, asyncio.TaskGroup() as tasks:
            tasks.create_task(tell_changes(plane.publisher, said.put_nowait, stop))
            await until(plane, lambda: plane.publisher.in_force is not None)
            chosen.file.write_text(
                VALID + "include: [none/*.yaml]\nadmin: {address: '127.0.0.1:1'}\n"
            )
            assert (await said.get()).startswith("applied: ")
            assert (await said.get()).endswith("include.0: no file matches")
            assert await said.get() == (
                "warning: admin.address: read at the start, so the admin API stays where it is"
            )
            chosen.file.write_text(VALID + "include: [none/*.yaml]\nbudgets: []\n")
            assert (await said.get()).startswith("applied: ")
            assert (await said.get()).startswith("warning: admin.address")
            stop.set()
        assert said.empty()

    asyncio.run(scenario())


def test_a_rollback_is_told_as_that_also_at_a_start(tmp_path: Path) -> None:
    async def told(chosen: Options, play: Callable[[Plane], Awaitable[None]]) -> list[str]:
        said: asyncio.Queue[str] = asyncio.Queue()
        stop = asyncio.Event()
        async with running(chosen) as plane, asyncio.TaskGroup() as tasks:
            tasks.create_task(tell_changes(plane.publisher, said.put_nowait, stop))
            await play(plane)
            line = await said.get()
            stop.set()
        return [line]

    async def back(plane: Plane) -> None:
        await until(plane, lambda: plane.publisher.in_force is not None)
        first = plane.overview.status()["version"]
        chosen.file.write_text(VALID + "budgets: []\nadmin: {address: '127.0.0.1:1'}\n")
        await until(plane, lambda: plane.overview.status()["version"] != first)
        assert (await plane.roll_back("1")).status == 200

    async def nothing(_: Plane) -> None:
        pass

    chosen = options(tmp_path)
    asyncio.run(told(chosen, back))
    (line,) = asyncio.run(told(chosen, nothing))
    assert line.startswith("applied: ")
    assert line.endswith(", by a rollback; the file is not in force")


def plane_problems(plane: Plane) -> list[dict[str, Any]]:
    problems: Any = plane.overview.status()["problems"]
    return list(problems)


def test_the_admin_api_shows_the_plane_and_what_is_added(tmp_path: Path) -> None:
    async def scenario() -> None:
        where = Endpoint("127.0.0.1", free_ports(1)[0])
        async with (
            running(options(tmp_path)) as plane,
            admin_serving(plane, where, plane.missing, lambda: (Process("one", 7, 2),)),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{where.port}", trust_env=False) as http,
        ):
            await until(plane, lambda: plane.publisher.in_force is not None)
            status = (await http.get("/api/status")).json()
            assert status["processes"] == [{"name": "one", "pid": 7, "restarts": 2}]
            assert status["clients"] == []
            assert status["audits"] == []
            tally = FileTally(tmp_path / VERDICTS_FOLDER, "0", lambda seconds, what: None)
            tally.add(Verdicts("rule", "night", "deny", "audit", "permission_denied"))
            tally.write()
            status = (await http.get("/api/status")).json()
            assert status["audits"] == [{"kind": "rule", "name": "night", "verdicts": {"deny": 1}}]
            metrics = (await http.get("/metrics")).text
            assert (
                'dragoman_verdicts_total{code="permission_denied",kind="rule",mode="audit",'
                'name="night",verdict="deny"} 1.0'
            ) in metrics
            assert (await http.get("/api/budgets")).json() == {"budgets": [], "counters": []}
            assert (await http.get("/healthz/ready")).status_code == 503

    asyncio.run(scenario())


def test_resources_are_told_without_secrets_and_digests_of_keys(tmp_path: Path) -> None:
    text = (
        "identity: {api_keys: {keys: [{name: alice, key: client-key}]}}\n"
        "llm:\n"
        "  providers: {a: {type: openai, key: provider-key, url: 'http://127.0.0.1:9/v1'}}\n"
        "  models: {a: a/m}\n"
    )

    async def scenario() -> None:
        async with running(options(tmp_path, text)) as plane:
            assert plane.resources() == state_json("", "", "{}", snapshot_of(()))
            await until(plane, lambda: plane.publisher.in_force is not None)
            told: Any = plane.resources()
            assert told["version"] == plane.overview.status()["version"]
            assert "alice" in told["published"]
            assert "llm/a" in {each["name"] for each in told["resources"]}
            for secret in ("client-key", "provider-key", sha256(b"client-key").hexdigest()):
                assert secret not in str(told)

    asyncio.run(scenario())


def test_a_rollback_that_takes_long_goes_on_until_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(options(tmp_path, workers=("127.0.0.1:1",))) as plane:
            await until(plane, lambda: len(plane.publisher.missing()) == 2)
            assert (await plane.roll_back("none")).status == 404
            assert (await plane.roll_back(None, seconds=0.05)).status == 202
            (going_back,) = plane.rollbacks
            assert not going_back.done()
        await asyncio.wait({going_back})
        assert going_back.cancelled()

    asyncio.run(scenario())


def test_the_port_for_clients_has_the_certificate_of_the_configuration_in_force(
    tmp_path: Path,
) -> None:
    authority = Authority()
    certificate, key = authority.server()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    port = free_ports(1)[0]
    with_tls = VALID + "xds: {tls: {cert: cert.pem, key: key.pem}}\n"
    context = ssl.create_default_context(cadata=authority.pem)

    async def has_tls() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except (ssl.SSLError, ConnectionError):
            return False
        writer.close()
        return True

    async def scenario() -> None:
        chosen = replace(options(tmp_path), target=f"127.0.0.1:{port}")
        async with running(chosen) as plane:
            publisher = plane.publisher
            await until(plane, lambda: bool(plane.overview.history.entries))
            assert not await has_tls()
            chosen.file.write_text(with_tls)
            await until(plane, lambda: len(plane.overview.history.entries) == 2)
            assert await has_tls()
            (tmp_path / "key.pem").write_text(authority.server()[1])
            await until(plane, lambda: bool(publisher.problems))
            assert await has_tls(), "a key of another certificate changes nothing"
            assert (await plane.roll_back("1")).status == 200
            assert not await has_tls()

    asyncio.run(scenario())


def test_an_invalid_file_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert control_plane.run_alone(options(tmp_path, "x: 1\n"), None, "error") == 1
    assert "gateway.yaml:1:" in capsys.readouterr().err


def test_a_taken_port_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Endpoint("127.0.0.1", other.getsockname()[1])
        assert control_plane.run_alone(options(tmp_path), taken, "error") == 1
    assert "--admin or DRAGOMAN_ADMIN_PORT" in capsys.readouterr().err


def test_the_certificate_authorities_exist() -> None:
    assert Path(topology(()).ca_bundle).is_file()


def test_what_will_surprise_is_said_before_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    config = load("xds: {clients: [{name: a, token: t0ken}]}", file="a.yaml", environment={})
    assert isinstance(config, Config)
    control_plane.warn(config, "0.0.0.0:18000")
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("warning: a.yaml:1: xds.clients: tokens are sent in the clear")
    assert said[1].startswith("warning: secrets cross the network to 0.0.0.0 in the clear")
    for target in ("127.0.0.1:18000", "unix:/run/xds.sock", None):
        control_plane.warn(config, target)
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_cookies_of_logins_are_encrypted_alike_after_another_start(tmp_path: Path) -> None:
    text = (GOLDEN / "logins.yaml").read_text()

    async def secret() -> str:
        async with running(options(tmp_path, text)) as plane:
            await until(plane, lambda: plane.publisher.in_force is not None)
            assert plane.publisher.in_force is not None
            found = plane.publisher.in_force.snapshot.of(SECRET)
            return found[login_cookie_secret("staff")].version

    first = asyncio.run(secret())
    assert asyncio.run(secret()) == first
    (tmp_path / "login-seed").unlink()
    assert asyncio.run(secret()) != first


def test_without_a_place_for_the_seed_people_log_in_anew(tmp_path: Path) -> None:
    (tmp_path / "login-seed").mkdir()

    async def seeds() -> list[str]:
        found = []
        for _ in range(2):
            async with running(options(tmp_path)) as plane:
                found.append(plane.options.topology.seed)
        return found

    one, other = asyncio.run(seeds())
    assert len(one) >= 32
    assert one != other
