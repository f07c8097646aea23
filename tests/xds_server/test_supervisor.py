"""The tree: what stops it from starting, and one real run. More of those are in tests/e2e."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from gateway.model import Endpoint
from tests.kit.stack import eventually, free_ports, running
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
        assert httpx.get(f"{stack.url}/nowhere", trust_env=False).status_code == 404
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
