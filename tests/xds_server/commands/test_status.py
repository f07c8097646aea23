"""`dragoman status` against a control plane, and over made-up statuses."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from gateway.model import Endpoint
from tests.kit.plane import running_plane
from tests.kit.stack import eventually, free_ports
from xds_server.commands.status import COMMAND, lines

FULL: dict[str, object] = {
    "file": "g.yaml",
    "version": "abc",
    "since": "2026-03-01T00:00:00+00:00",
    "origin": "change",
    "attempted": "2026-03-01T01:00:00+00:00",
    "missing": ["no Envoy"],
    "problems": [{"text": "g.yaml:3: llm: bad"}],
    "pin": {"text": "pinned to configuration abc; g.yaml differs and is not in force"},
    "history": {"entries": 2, "trouble": ["x.json could not be written: no space left on device"]},
    "clients": [
        {
            "kind": "envoy",
            "client": "envoy",
            "node": "edge-1",
            "user_agent": "envoy 1.40.0",
            "group": "edge",
            "level": "1.40",
            "variant": "delta",
            "version": None,
            "is_current": False,
            "types": [
                {"type": "Cluster", "rejection": "", "rejected": []},
                {"type": "Listener", "rejection": "bad port", "rejected": ["gateway/a"]},
            ],
        },
        {
            "kind": "extproc",
            "client": "extproc",
            "node": "worker-0",
            "user_agent": "dragoman",
            "group": "",
            "level": "1.37",
            "variant": "sotw",
            "version": "abc",
            "is_current": True,
            "types": [],
        },
        {"kind": "envoy", "client": "gRPC", "node": "edge-2", "is_current": False, "types": []},
    ],
    "refusals": [
        {
            "time": "2026-03-01T00:30:00+00:00",
            "kind": "envoy",
            "client": "envoy",
            "node": "edge-1",
            "type": "Listener",
            "names": ["gateway/a"],
            "reason": "bad port",
        }
    ],
    "audits": [{"kind": "rule", "name": "night", "verdicts": {"deny": 3, "pass": 40}}],
    "processes": [{"name": "envoy", "pid": 7, "restarts": 2}, {"name": "demo", "pid": None}],
}

EXPECTED = """\
configuration abc is in force since 2026-03-01T00:00:00+00:00 (change); g.yaml was read at \
2026-03-01T01:00:00+00:00
pinned to configuration abc; g.yaml differs and is not in force
not ready: no Envoy
problem: g.yaml:3: llm: bad
history: x.json could not be written: no space left on device

CLIENT   NODE      PROGRAM       GROUP  LEVEL  VARIANT  VERSION  STATE
envoy    edge-1    envoy 1.40.0  edge   1.40   delta    -        refuses
extproc  worker-0  dragoman      -      1.37   sotw     abc      current
gRPC     edge-2    -             -      -      -        -        behind
envoy edge-1 refuses Listener gateway/a: bad port

the last refusals:
2026-03-01T00:30:00+00:00 envoy edge-1 Listener gateway/a: bad port

AUDITED  NAME   PASS  DENY  ERROR  ALLOW
rule     night  40    3     0      0

PROCESS  PID  RESTARTS
envoy    7    2
demo     -    -"""


def run(admin: Endpoint, *, as_json: bool = False) -> int:
    return COMMAND.run(argparse.Namespace(admin=admin, json=as_json), {})


def test_everything_is_told() -> None:
    assert "\n".join(lines(FULL)) == EXPECTED


def test_little_is_told_where_there_is_little() -> None:
    assert list(lines({"file": "g.yaml", "version": None, "missing": []})) == [
        "no configuration is in force; g.yaml was read at no time",
        "ready",
        "no client is connected",
    ]


def test_a_running_control_plane_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_plane(tmp_path, "gateways: {default: {port: 8080}}\n") as running:
        assert run(running.admin) == 0
        told = capsys.readouterr().out
        assert told.startswith(f"configuration {running.version()} is in force since 2")
        assert "not ready: no Envoy has acknowledged the configuration" in told
        running.file.write_text("gatewys: {}\n")
        eventually(lambda: bool(running.plane.publisher.problems), "the problem is found")
        assert run(running.admin, as_json=True) == 0
        status = json.loads(capsys.readouterr().out)
        assert status["version"] == running.version()
        assert status["problems"][0]["path"] == "gatewys"


def test_nobody_to_ask_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Endpoint("127.0.0.1", free_ports(1)[0])) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "no control plane answers" in told.err
