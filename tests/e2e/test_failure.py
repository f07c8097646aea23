"""Processes die: what was unchecked is refused, and what died is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kit.stack import COMMAND, Stack, descendants, eventually, running

pytestmark = pytest.mark.envoy

ASK = {"model": "demo", "messages": [{"role": "user", "content": "say hello"}]}
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_requests_fail_closed_without_a_worker_and_succeed_with_the_next(fresh: Stack) -> None:
    before = set(fresh.workers())
    assert before
    seen = len(fresh.seen("a"))
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    answer = fresh.chat(ASK)
    if answer.status_code != 200:  # 200 when a new worker was faster than this request
        assert answer.status_code == 503
        assert answer.json()["error"]["message"]
        assert len(fresh.seen("a")) == seen
    eventually(lambda: fresh.chat(ASK).status_code == 200, "a new worker answers")
    eventually(lambda: len(fresh.workers()) == len(before), "all workers are back")
    assert not before & set(fresh.workers())


def test_a_killed_envoy_is_started_again(fresh: Stack) -> None:
    (envoy,) = fresh.envoys()
    os.kill(envoy, signal.SIGKILL)
    eventually(lambda: fresh.envoys() not in ([], [envoy]), "a new Envoy runs")
    fresh.wait_ready()
    assert fresh.chat(ASK).status_code == 200


def test_an_upstream_that_is_not_there_is_a_503_in_openais_words(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
        "llm:\n"
        "  providers: {dead: {type: openai, url: 'http://127.0.0.1:1/v1'}}\n"
        "  models: {demo: dead/demo}\n"
    )
    with running(config, tmp_path / "state") as stack:
        answer = stack.chat(ASK, key=None)
        assert answer.status_code == 503
        assert answer.json()["error"]["type"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with running(EXAMPLES / "quickstart.yaml", tmp_path / "state") as stack:
        pids = set(stack.descendants())
        assert len(pids) >= 3
        assert stack.stop() == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with running(EXAMPLES / "quickstart.yaml", tmp_path / "state") as stack:
        pids = set(stack.descendants())
        stack.process.kill()
        stack.process.wait(5)
        eventually(
            lambda: not any(_is_alive(pid) for pid in pids), "every child is gone", seconds=15
        )
        assert descendants(stack.process.pid) == {}


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_invalid_file_starts_nothing(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("gateways: {default: {prot: 8080}}\nllm: {models: {a: nobody/x}}\n")
    ended = subprocess.run(
        [str(COMMAND), "run", str(config), "--state-dir", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert "gateway.yaml:1" in ended.stderr + ended.stdout
    assert "gateway.yaml:2" in ended.stderr + ended.stdout
    assert "did you mean 'port'?" in ended.stderr + ended.stdout
