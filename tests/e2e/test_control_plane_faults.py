"""What happens to the control plane and its files is told, and no request notices it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kit import web
from tests.kit.apart import DRAGOMAN, Apart, running_apart, until
from tests.kit.stack import KEY, Stack

pytestmark = pytest.mark.envoy

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
ASK = {"model": "demo", "messages": [{"role": "user", "content": "say hello"}]}
MODELS = "  models:\n"
BAD_LISTENER = """\
xds:
  resources:
    - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
      name: broken
      address: {socket_address: {address: 127.0.0.1, port_value: 1}}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with running_apart(tmp_path_factory.mktemp("apart"), QUICKSTART.read_text()) as running:
        yield running


@pytest.fixture
def parts(shared: Apart) -> Iterator[Apart]:
    """The shared ones, with the quickstart in force before and after."""
    yield shared
    shared.config.write_text(QUICKSTART.read_text())
    assert command(shared, "rollback", "--release").returncode == 0
    until(lambda: models(shared) == {"demo", "demo-a", "demo-b"}, "all is as it was")


@dataclass(slots=True)
class Load:
    """Requests one after the other, and what became of them."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(headers=headers, timeout=20) as client:
            while not self.is_over.is_set():
                try:
                    answer = client.post(f"{self.url}/v1/chat/completions", json=ASK)
                    self.answers[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    self.answers[repr(error)] += 1

    def until_more(self, count: int) -> None:
        """Until so many more were answered."""
        wanted = self.answers.total() + count
        until(lambda: self.answers.total() >= wanted, "requests are answered")


@contextmanager
def load_on(parts: Apart) -> Iterator[Load]:
    """All are answered with 200, or the test fails."""
    load = Load(parts.url)
    threads = [threading.Thread(target=load.run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.is_over.set()
        for thread in threads:
            thread.join()
    assert load.answers.keys() == {"200"}, load.answers


def add_model(parts: Apart, name: str) -> None:
    text = parts.config.read_text()
    assert MODELS in text
    parts.config.write_text(text.replace(MODELS, f"{MODELS}    {name}: demo-b/demo-b\n"))


def models(parts: Apart) -> set[str]:
    headers = {"authorization": f"Bearer {KEY}"}
    answer = web.get(f"{parts.url}/v1/models", headers=headers, timeout=10)
    return {model["id"] for model in answer.raise_for_status().json()["data"]}


def command(parts: Apart, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that asks the control plane."""
    whole = [DRAGOMAN, *arguments, "--admin", str(parts.admin_port)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)


def history(parts: Apart) -> list[dict[str, Any]]:
    """What has served, newest first."""
    entries: list[dict[str, Any]] = json.loads(command(parts, "history", "--json").stdout)[
        "entries"
    ]
    return entries


def updates(parts: Apart) -> int:
    """How many responses Envoy has taken so far."""
    return parts.envoy_stat(r"\.(cds|lds)\.update_success$|\.(rds|sds|extension_config).*success$")


def test_a_control_plane_that_is_killed_and_comes_back_is_not_noticed(parts: Apart) -> None:
    taken, version = updates(parts), parts.version()
    assert taken > 0
    assert parts.metric("dragoman_xds_resources_total", type="Cluster") > 0
    with load_on(parts) as load:
        for _ in range(2):
            parts.kill_plane()
            load.until_more(20)
            parts.start_plane()
            parts.wait_ready()
            load.until_more(20)
            assert parts.version() == version
            assert parts.metric("dragoman_xds_clients") == 2
            assert parts.metric("dragoman_xds_resources_total") == 0, "nothing had changed"
        assert updates(parts) == taken
        add_model(parts, "added")
        until(lambda: "added" in models(parts), "the change has arrived")
        sent = parts.metric("dragoman_xds_resources_total")
        assert parts.metric("dragoman_xds_resources_total", type="Configuration") == 1
        assert parts.metric("dragoman_xds_resources_total", type="Listener") == 0
        assert sent <= 3, "only what the change is about"


def test_what_changed_while_the_control_plane_was_away_arrives_alone(parts: Apart) -> None:
    with load_on(parts):
        parts.kill_plane()
        add_model(parts, "meanwhile")
        parts.start_plane()
        parts.wait_ready()
        until(lambda: "meanwhile" in models(parts), "the change has arrived")
        assert parts.metric("dragoman_xds_resources_total", type="Configuration") == 1
        assert parts.metric("dragoman_xds_resources_total", type="Listener") == 0


def test_a_refusal_of_envoy_is_told_everywhere_with_its_reason_and_the_resource(
    parts: Apart,
) -> None:
    version = parts.version()
    with load_on(parts) as load:
        good = parts.config.read_text()
        parts.config.write_text(good + BAD_LISTENER)
        until(lambda: bool(parts.status()["problems"]), "the refusal is told")
        load.until_more(20)
        status = parts.status()
        assert status["version"] == version
        (problem,) = status["problems"]
        assert "envoy refuses Listener" in problem["text"]
        refusal = status["refusals"][0]
        assert (refusal["kind"], refusal["node"], refusal["type"]) == ("envoy", "envoy", "Listener")
        assert refusal["names"] == ["broken"]
        assert refusal["reason"] in problem["text"]
        assert parts.metric("dragoman_xds_nacks_total", kind="envoy", type="Listener") == 1
        assert parts.metric("dragoman_config_problems") == 1
        told = command(parts, "status").stdout
        assert f"envoy envoy Listener broken: {refusal['reason']}" in told
        lines = [line for line in parts.log.read_text().splitlines() if '"process": "xds"' in line]
        assert any("envoy envoy refuses Listener broken: " in line for line in lines)
        parts.config.write_text(good)
        until(lambda: not parts.status()["problems"], "the problem is gone")
        until(lambda: parts.status()["clients"][0]["is_current"], "Envoy has it all")
        assert parts.version() == version


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 7])


def deleted(path: Path) -> None:
    path.unlink()


def elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/gateway.yaml")


def test_what_happens_to_the_file_is_told_and_the_last_good_one_serves(parts: Apart) -> None:
    version, good = parts.version(), parts.config.read_text()
    with load_on(parts) as load:
        for spoil in (half, deleted, elsewhere):
            spoil(parts.config)
            until(lambda: bool(parts.status()["problems"]), f"{spoil.__name__} is told")
            load.until_more(20)
            assert parts.version() == version
            assert str(parts.config) in parts.status()["problems"][0]["text"]
            assert parts.metric("dragoman_config_problems") >= 1
            assert f"problem: {parts.config}" in command(parts, "status").stdout
            parts.config.unlink(missing_ok=True)
            parts.config.write_text(good)
            until(lambda: not parts.status()["problems"], "the problem is gone")
            assert parts.version() == version
    assert f"not applied: {parts.config}" in parts.log.read_text()


def test_a_full_disk_is_told_and_changes_and_rollbacks_go_on(parts: Apart) -> None:
    first = parts.version()
    plane = parts.planes[-1].pid
    limits = resource.prlimit(plane, resource.RLIMIT_FSIZE)
    with load_on(parts):
        # no file may grow: neither those of the history nor the log
        resource.prlimit(plane, resource.RLIMIT_FSIZE, (0, limits[1]))
        add_model(parts, "on-a-full-disk")
        until(lambda: "on-a-full-disk" in models(parts), "the change has arrived")
        until(lambda: bool(parts.status()["history"]["trouble"]), "it is told")
        assert parts.metric("dragoman_config_history_errors") == 1
        assert "history: " in command(parts, "status").stdout
        assert parts.status()["problems"] == []
        rolled_back = command(parts, "rollback", first)
        assert rolled_back.returncode == 0, rolled_back.stderr
        until(lambda: "on-a-full-disk" not in models(parts), "it is gone again")
        resource.prlimit(plane, resource.RLIMIT_FSIZE, limits)
        assert command(parts, "rollback", "--release").returncode == 0
        until(lambda: "on-a-full-disk" in models(parts), "it is back")
        until(lambda: not parts.status()["history"]["trouble"], "all is written")


def test_a_rollback_lasts_over_a_kill_until_the_file_changes(parts: Apart) -> None:
    first = parts.version()
    with load_on(parts):
        add_model(parts, "unwanted")
        until(lambda: "unwanted" in models(parts), "the change has arrived")
        assert command(parts, "rollback", first).returncode == 0
        until(lambda: "unwanted" not in models(parts), "it is gone again")
        parts.kill_plane()
        parts.start_plane()
        parts.wait_ready()
        assert parts.version() == first
        assert "unwanted" not in models(parts)
        pinned = f"{parts.config} differs and is not in force"
        assert pinned in command(parts, "status").stdout
        assert pinned in command(parts, "history").stdout
        add_model(parts, "wanted")
        until(lambda: {"unwanted", "wanted"} <= models(parts), "the file is in force")
        assert pinned not in command(parts, "status").stdout


YEAR_SECONDS = 365 * 86_400
JUMPING = """\
import os, time
from pathlib import Path
from typing import Any

_real = time.time
_file = Path(os.environ["JUMP_FILE"])


def _jumped() -> float:
    return _real() + float(_file.read_text() or 0)


time.time = _jumped
"""


def test_a_clock_that_jumps_changes_nothing(parts: Apart, tmp_path: Path) -> None:
    jump = tmp_path / "jump"
    jump.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    parts.kill_plane()
    parts.start_plane({"PYTHONPATH": str(tmp_path), "JUMP_FILE": str(jump)})
    parts.wait_ready()
    newest = history(parts)[0]["number"]
    with load_on(parts):
        for number, years in enumerate((-20, 20, -5, 0)):
            jump.write_text(str(years * YEAR_SECONDS))
            add_model(parts, f"model-{number}")
            # as a file that comes from a machine with another clock
            os.utime(parts.config, (0, years * YEAR_SECONDS + 800_000_000))
            until(lambda name=f"model-{number}": name in models(parts), "it has arrived")
            # it is noted once it serves, and by the clock of that moment
            until(lambda seen=newest: history(parts)[0]["number"] > seen, "it is noted")
            newest = history(parts)[0]["number"]
    entries = history(parts)[:4]
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(numbers, reverse=True)
    assert entries[0]["is_in_force"]
    years_told = [int(entry["time"][:4]) for entry in entries]
    assert years_told != sorted(years_told, reverse=True), "the clock did jump"
    assert max(years_told) - min(years_told) >= 39


def test_what_died_is_in_status_and_metrics_of_the_whole_gateway(fresh: Stack) -> None:
    def asked() -> str:
        whole = [DRAGOMAN, "status", "--admin", str(fresh.admin_port)]
        return subprocess.run(whole, capture_output=True, text=True, check=True).stdout

    def metrics() -> str:
        return web.get(f"{fresh.admin_url}/metrics", timeout=5).text

    told = asked()
    assert f"{fresh.config} was read at" in told
    assert "\nready\n" in told
    assert [line.split()[0] for line in told.splitlines()[-4:]] == [
        "demo",
        "extproc.0",
        "extproc.1",
        "envoy",
    ]
    assert 'dragoman_child_restarts_total{process="extproc.0"} 0.0' in metrics()
    os.kill(fresh.workers()[0], signal.SIGKILL)
    until(lambda: fresh.is_ready() and "} 1.0" in _restarts(metrics()), "it is counted")
    fresh.config.unlink()
    until(lambda: f"problem: {fresh.config}: cannot be read" in asked(), "the file is missed")
    assert fresh.chat(ASK).status_code == 200


def _restarts(metrics: str) -> str:
    return "\n".join(line for line in metrics.splitlines() if "dragoman_child_restarts" in line)
