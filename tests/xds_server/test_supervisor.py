"""The tree: what stops it from starting, and one real run. More of those are in tests/e2e."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.model import Endpoint
from tests.kit import web
from tests.kit.stack import COMMAND, Stack, eventually, free_ports, running
from xds_server import supervisor
from xds_server.processes import SOCKET_LIMIT_BYTES
from xds_server.supervisor import Options, socket_directory

ONE_GATEWAY = 'gateways: {default: {port: "${DRAGOMAN_PORT}", address: 127.0.0.1}}\n'


def options(tmp_path: Path, text: str, ports: list[int]) -> Options:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    gateway, admin, envoy_admin, demo = ports
    return Options(
        file=file,
        is_demo=True,
        port=None,
        admin=Endpoint("127.0.0.1", admin),
        envoy_admin=Endpoint("127.0.0.1", envoy_admin),
        demo=Endpoint("127.0.0.1", demo),
        xds=None,
        workers=1,
        concurrency=1,
        state_dir=tmp_path / "state",
        drain_seconds=60,
        log_level="error",
        environment={"DRAGOMAN_PORT": str(gateway)},
    )


def test_an_invalid_file_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = options(tmp_path, "gatways: {}\nllmm: {}\n", free_ports(4))
    assert supervisor.run(chosen) == 1
    said = capsys.readouterr()
    assert "gateway.yaml:1:" in said.err
    assert "gateway.yaml:2:" in said.err
    assert said.out == ""
    assert not chosen.state_dir.exists()


@pytest.mark.parametrize(
    ("taken", "remedy"),
    [
        (0, "--port or DRAGOMAN_PORT"),
        (1, "--admin or DRAGOMAN_ADMIN_PORT"),
        (2, "--envoy-admin or DRAGOMAN_ENVOY_ADMIN_PORT"),
        (3, "--demo-port or DRAGOMAN_DEMO_PORT"),
    ],
)
def test_a_taken_port_is_named_with_its_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: int, remedy: str
) -> None:
    ports = free_ports(4)
    with socket.create_server(("127.0.0.1", ports[taken])):
        assert supervisor.run(options(tmp_path, ONE_GATEWAY, ports)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"127.0.0.1:{ports[taken]} " in line
    assert remedy in line


def test_a_taken_port_that_the_file_fixes_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = free_ports(4)
    text = f"gateways:\n  default:\n    address: 127.0.0.1\n    port: {ports[0]}\n"
    chosen = dataclasses.replace(options(tmp_path, text, ports), environment={})
    with socket.create_server(("127.0.0.1", ports[0])):
        assert supervisor.run(chosen) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"gateways.default.port in {chosen.file}, line 4" in line
    assert "--port" not in line


def test_a_variable_that_the_file_takes_no_notice_of_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = free_ports(4)
    chosen = options(tmp_path, f"gateways: {{default: {{port: {ports[0]}}}}}\n", ports)
    with socket.create_server(("127.0.0.1", ports[1])):
        assert supervisor.run(chosen) == 1
    warning, taken = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: DRAGOMAN_PORT ")
    assert f"{chosen.file}, line 1" in warning
    assert "admin API" in taken


def test_sockets_have_a_short_private_place_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with socket_directory() as directory:
        assert len(bytes(directory / "extproc.9999.sock")) <= SOCKET_LIMIT_BYTES
        assert directory.stat().st_mode & 0o077 == 0
        (directory / "some.sock").touch()
    assert not directory.exists()
    assert list(deep.iterdir()) == []


SECRET = "sk-this-is-for-envoy-alone"
ONE_PROVIDER = (
    ONE_GATEWAY
    + "llm:\n"
    + "  providers: {a: {type: openai, key: '${PROVIDER_KEY}', url: 'http://127.0.0.1:9/v1'}}\n"
)


@contextmanager
def run_with_a_secret(tmp_path: Path) -> Iterator[Stack]:
    """`dragoman run` with its defaults for all that may be left out, and a key to keep."""
    port, admin, demo = free_ports(3)
    file, log = tmp_path / "gateway.yaml", tmp_path / "log"
    file.write_text(ONE_PROVIDER)
    command = [
        *(str(COMMAND), "run", str(file), "--demo", "--workers", "1"),
        *("--port", str(port), "--admin", str(admin), "--demo-port", str(demo)),
        *("--state-dir", str(tmp_path / "state")),
    ]
    environment = {"PATH": os.environ["PATH"], "PROVIDER_KEY": SECRET, "OTHER": SECRET}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    stack = Stack(process, port, admin, demo, file, tmp_path / "state", log)
    try:
        stack.wait_ready()
        yield stack
    finally:
        stack.stop()


def listening_ports(pid: int) -> set[int]:
    """The TCP ports that a process listens on."""
    sockets = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[1].rpartition(":")[2], 16)
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    }


@pytest.mark.envoy
def test_keys_reach_no_child_and_envoys_admin_no_port(tmp_path: Path) -> None:
    with run_with_a_secret(tmp_path) as stack:
        children = stack.descendants()
        assert len(children) == 3
        for pid, line in children.items():
            assert SECRET not in line
            assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        (envoy,) = stack.envoys()
        assert listening_ports(envoy) == {stack.port}
        os.kill(envoy, signal.SIGKILL)
        eventually(lambda: stack.envoys() not in ([], [envoy]), "a new Envoy runs")
        stack.wait_ready()
        stack.config.write_text(ONE_PROVIDER + "nothing: here\n")
        eventually(lambda: stack.status()["problems"] != [], "the problem is there")
        stack.config.write_text(ONE_PROVIDER + "budgets: []\n")
        eventually(lambda: "| applied: " in stack.log.read_text(), "the change is told")
        assert stack.stop() == 0
    said = stack.log.read_text()
    assert [":4: nothing" in line for line in said.splitlines()].count(True) == 1
    assert SECRET not in said


@pytest.mark.envoy
def test_the_tree_gets_ready_with_one_worker_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(ONE_GATEWAY)

    def says(*parts: str) -> bool:
        lines = stack.log.read_text().splitlines()
        return any(all(part in line for part in parts) for line in lines)

    with running(file, tmp_path / "state", workers=1) as stack:
        processes = stack.status()["processes"]
        assert [each["name"] for each in processes] == ["demo", "extproc.0", "envoy"]
        assert {each["pid"] for each in processes} <= set(stack.descendants())
        assert web.get(f"{stack.url}/nowhere", trust_env=False).status_code == 404
        file.write_text(ONE_GATEWAY + "nothing: here\n")
        eventually(lambda: says("not applied: ", ":2: nothing"), "the problem is told")
        file.write_text(ONE_GATEWAY + "llm: {}\nbudgets: []\n# other\n")
        eventually(lambda: stack.status()["problems"] == [], "the problem is gone")
        pids = stack.descendants()
        sockets = [part for line in pids.values() for part in line.split() if "unix:" in part]
        assert stack.stop() == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []
        assert [path for path in sockets if Path(path.removeprefix("unix:")).parent.exists()] == []
        assert says("| ready")
