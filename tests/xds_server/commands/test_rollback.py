"""`dragoman rollback` against a control plane."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from gateway.model import Endpoint
from tests.kit.certificates import Authority
from tests.kit.plane import RunningPlane, running_plane
from tests.kit.stack import eventually, free_ports
from xds_server.commands.rollback import COMMAND


def text(port: int) -> str:
    return f"gateways: {{default: {{port: {port}}}}}\n"


def run(
    running: RunningPlane | Endpoint,
    version: str | None = None,
    *,
    release: bool = False,
    as_json: bool = False,
) -> int:
    admin = running if isinstance(running, Endpoint) else running.admin
    arguments = argparse.Namespace(admin=admin, version=version, release=release, json=as_json)
    return COMMAND.run(arguments, {})


def ports(running: RunningPlane) -> list[int]:
    return [each.port for each in running.plane.listeners()]


def test_an_earlier_one_comes_into_force_and_is_released_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_plane(tmp_path, text(8080)) as running:
        first = running.version()
        second = running.save(text(8081))
        assert run(running, "1") == 0
        told = capsys.readouterr().out
        assert told.startswith(f"pinned to configuration {first} (number 1, ")
        assert told.endswith(
            f"; {running.file} differs and is not in force until `dragoman rollback --release`\n"
        )
        assert ports(running) == [8080]
        assert run(running, release=True) == 0
        assert capsys.readouterr().out == f"{running.file} is in force: {second}\n"
        assert ports(running) == [8081]


def test_it_lasts_until_the_file_says_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_plane(tmp_path, text(8080)) as running:
        first = running.version()
        running.save(text(8081))
        assert run(running, first, as_json=True) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["version"], answer["is_pinned"]) == (first, True)
        taken = running.plane.publisher.times.taken
        os.utime(running.file, (1, 1))
        eventually(lambda: running.plane.publisher.times.taken != taken, "it was looked at")
        assert ports(running) == [8080]
        running.save(text(8082))
        assert ports(running) == [8082]
        assert running.plane.overview.status()["pin"] is None


def test_what_is_refused_changes_nothing_and_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = Authority().server()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    tls = "gateways: {default: {port: 8080, tls: {cert: cert.pem, key: key.pem}}}\n"
    with running_plane(tmp_path, tls) as running:
        running.save(text(8081))
        assert run(running, "9") == 1
        assert capsys.readouterr().err == "not rolled back: no configuration '9' in the history\n"
        (tmp_path / "cert.pem").unlink()
        assert run(running, "1") == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(
            f"not rolled back: {running.file}:1: gateways.default.tls.cert: "
        )
        assert ports(running) == [8081]
        assert running.plane.overview.status()["pin"] is None
        assert running.plane.overview.status()["problems"] == []


def test_one_of_both_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = Endpoint("127.0.0.1", free_ports(1)[0])
    assert run(nobody) == 1
    assert run(nobody, "1", release=True) == 1
    assert capsys.readouterr().err == "either a VERSION or --release\n" * 2


def test_nobody_to_ask_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Endpoint("127.0.0.1", free_ports(1)[0]), "1") == 1
    assert "no control plane answers" in capsys.readouterr().err
