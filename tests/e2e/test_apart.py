"""The parts as processes of their own that know each other by TCP, as in docker-compose.yaml."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.kit import web
from tests.kit.any_envoy import started
from tests.kit.stack import COMMAND, KEY, eventually, free_ports
from xds_server.resources.bootstrap import bootstrap

pytestmark = pytest.mark.envoy

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
ASK = {"model": "demo", "messages": [{"role": "user", "content": "say hello"}]}


def is_ready(url: str) -> bool:
    try:
        return web.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_control_plane_worker_envoy_and_demo_find_each_other(tmp_path: Path) -> None:
    port, admin, xds, extproc, envoy_admin, demo = free_ports(6)
    environment = {"DRAGOMAN_PORT": str(port), "DRAGOMAN_DEMO_PORT": str(demo)}
    state, log = str(tmp_path / "state"), tmp_path / "log"
    file = tmp_path / "envoy.json"
    document = bootstrap(f"127.0.0.1:{xds}", f"127.0.0.1:{envoy_admin}", "envoy")
    file.write_text(json.dumps(document))
    target, worker = f"127.0.0.1:{xds}", f"127.0.0.1:{extproc}"
    dragoman, envoy = str(COMMAND), str(COMMAND.with_name("envoy"))
    plane = ["--xds", target, "--extproc", worker, "--admin", str(admin), "--state-dir", state]
    commands = (
        # in an order that makes everybody wait for somebody
        [envoy, "-c", str(file), "--disable-hot-restart", "--concurrency", "1", "-l", "warning"],
        [dragoman, "extproc", "--xds", target, "--listen", worker, "--state-dir", state],
        [dragoman, "xds", str(QUICKSTART), *plane],
        [dragoman, "demo"],
    )
    with ExitStack() as stack:
        for command in commands:
            stack.enter_context(started(log, environment, *command))
        eventually(
            lambda: is_ready(f"http://127.0.0.1:{admin}/healthz/ready"),
            "the control plane has told everybody",
            seconds=30,
        )
        eventually(lambda: is_ready(f"http://127.0.0.1:{demo}/healthz"), "the demo", seconds=15)
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        headers = {"authorization": f"Bearer {KEY}"}

        def answers() -> bool:
            answer = web.post(url, json=ASK, headers=headers, timeout=10, trust_env=False)
            return answer.status_code == 200

        eventually(answers, "the gateway answers", seconds=15)
        refused = web.post(url, json=ASK, timeout=10, trust_env=False)
        assert refused.status_code == 401
