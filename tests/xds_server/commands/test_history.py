"""`dragoman history` against a control plane, and over its folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from gateway.model import Endpoint
from tests.kit.plane import RunningPlane, running_plane
from tests.kit.stack import free_ports
from xds_server.commands.history import COMMAND, described, lines

SECRET = "provider-secret"
FIRST = f"""\
llm:
  providers: {{a: {{type: openai, key: {SECRET}, url: 'http://127.0.0.1:9/v1'}}}}
  models: {{a: a/m}}
"""


def run(
    running: RunningPlane | Endpoint,
    version: str | None = None,
    *,
    texts: bool = False,
    as_json: bool = False,
    state_dir: Path = Path("nowhere"),
) -> int:
    admin = running if isinstance(running, Endpoint) else running.admin
    arguments = argparse.Namespace(
        admin=admin, version=version, texts=texts, json=as_json, state_dir=state_dir
    )
    return COMMAND.run(arguments, {})


def test_what_was_in_force_is_listed_and_shown_without_its_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_plane(tmp_path, FIRST) as running:
        first = running.version()
        second = running.save("gateways: {default: {port: 8080}}\n")
        assert run(running) == 0
        heads, *listed = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert heads == ["NUMBER", "VERSION", "TIME", "ORIGIN", "FILES"]
        assert [line[:2] + line[3:] for line in listed] == [
            ["2", second, "change", "1", "in", "force"],
            ["1", first, "start", "1"],
        ]
        for wanted in ("1", first):
            assert run(running, wanted) == 0
            told = capsys.readouterr().out
            assert told.startswith(f"{first} (number 1)\n")
            assert f"file {running.file}\n" in told
            assert SECRET not in told
        assert run(running, as_json=True) == 0
        told = capsys.readouterr().out
        assert [each["number"] for each in json.loads(told)["entries"]] == [2, 1]
        assert SECRET not in told
        assert run(running, "none") == 1
        assert capsys.readouterr().err == "no configuration 'none' in the history\n"


def test_texts_are_read_from_the_folder_of_their_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_plane(tmp_path, FIRST) as running:
        nobody = Endpoint("127.0.0.1", free_ports(1)[0])
        assert run(nobody, "1", texts=True, state_dir=running.state_dir) == 0
        assert capsys.readouterr().out == f"# {running.file}\n{FIRST}"
        assert run(nobody, "1", texts=True, as_json=True, state_dir=running.state_dir) == 0
        assert json.loads(capsys.readouterr().out) == {str(running.file): FIRST}
    assert run(nobody, "7", texts=True, state_dir=running.state_dir) == 1
    assert "no configuration '7' in the history of" in capsys.readouterr().err
    assert run(nobody, None, texts=True) == 1
    assert capsys.readouterr().err == "--texts needs a VERSION\n"


def test_nobody_to_ask_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Endpoint("127.0.0.1", free_ports(1)[0])) == 1
    assert "no control plane answers" in capsys.readouterr().err


def test_a_pin_and_trouble_are_told_first() -> None:
    history: dict[str, object] = {
        "pin": {"text": "pinned to a; g.yaml differs and is not in force"},
        "trouble": ["x.json is left out: damaged"],
        "entries": [],
    }
    assert list(lines(history)) == [
        "pinned to a; g.yaml differs and is not in force",
        "history: x.json is left out: damaged",
        "no configuration was taken yet",
    ]


def test_referenced_files_are_told_with_their_digests() -> None:
    entry: dict[str, object] = {
        "version": "v",
        "number": 3,
        "is_in_force": True,
        "time": "t",
        "origin": "rollback",
        "files": ["/g.yaml"],
        "referenced": [{"path": "/cert.pem", "digest": "d1"}],
    }
    assert list(described(entry)) == [
        "v (number 3, in force)",
        "taken at t, by rollback",
        "file /g.yaml",
        "referenced /cert.pem (digest d1)",
    ]
