"""The official SDK of A2A 0.3, in an environment of its own, as an agent and as a client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.kit import web
from tests.kit.a2a_agent import Agent
from tests.kit.environments import environment
from tests.kit.stack import eventually, free_ports

PYTHON_0_3 = ("a2a-sdk[grpc,http-server]==0.3.26", "uvicorn==0.54.0")
PROGRAM = Path(__file__).parent / "a2a_sdk" / "python_0_3.py"


@contextmanager
def old_agent(*bindings: str) -> Iterator[Agent]:
    """One that runs, and speaks so."""
    agent = Agent(*free_ports(2))
    python = str(environment("a2a-0.3", *PYTHON_0_3))
    command = [python, str(PROGRAM), "agent", str(agent.port), str(agent.grpc_port), *bindings]
    process = subprocess.Popen(command)
    try:
        eventually(lambda: _tells(agent), "the agent tells its card", seconds=30)
        yield agent
    finally:
        process.terminate()
        process.wait(10)


def _tells(agent: Agent) -> bool:
    try:
        return web.get(f"{agent.url}/.well-known/agent-card.json").status_code == 200
    except httpx.TransportError:
        return False


def talked(url: str, binding: str) -> Any:
    """What came of one conversation with the agent whose card is there."""
    python = str(environment("a2a-0.3", *PYTHON_0_3))
    command = [python, str(PROGRAM), "client", url, binding]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
