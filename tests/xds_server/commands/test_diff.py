"""`dragoman diff`: what it prints, how it ends, and comparisons with what runs."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.config.load import load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.model import Endpoint
from gateway.resolve import resolve
from tests.kit.golden import GOLDEN, is_shown, matches
from xds_server.audience import Level
from xds_server.commands.diff import COMMAND, shown
from xds_server.compile import compile_gateway
from xds_server.difference import state_json
from xds_server.release import workers_version
from xds_server.resources.topology import Topology

PAIRS = sorted(path.name.removesuffix(".old.yaml") for path in (GOLDEN / "diff").glob("*.old.yaml"))
DOCUMENT = Path(__file__).parents[3] / "docs" / "diff.md"


def run(old: Path | str, new: Path | str, *, admin: Endpoint | None = None, **more: object) -> int:
    arguments = argparse.Namespace(
        old=str(old),
        new=str(new),
        admin=admin,
        **{
            "json": False,
            "drain_seconds": 3600,
            "envoy": Level.V1_40,
            "port": None,
            "extproc": ("127.0.0.1:18001",),
            "typed": frozenset(),
            **more,
        },
    )
    return COMMAND.run(arguments, {})


def sides(pair: str) -> tuple[Path, Path]:
    return GOLDEN / "diff" / f"{pair}.old.yaml", GOLDEN / "diff" / f"{pair}.new.yaml"


@pytest.mark.parametrize("pair", PAIRS)
def test_the_golden_files_say_what_is_printed(
    pair: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(*sides(pair))
    assert status == (0 if pair == "nothing" else 1)
    assert matches(capsys.readouterr().out, GOLDEN / "diff" / f"{pair}.txt")
    assert run(*sides(pair), json=True) == status
    assert matches(capsys.readouterr().out, GOLDEN / "diff" / f"{pair}.json")


def test_the_document_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for number, pair in enumerate(("routes", "listener-moved")):
        run(*sides(pair))
        assert is_shown("text", number, DOCUMENT, capsys.readouterr().out)
    run(*sides("listener-moved"), json=True)
    assert is_shown("json", 0, DOCUMENT, capsys.readouterr().out)


def test_a_file_that_is_wrong_is_trouble_and_every_problem_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("gateways: {default: {prot: 8080}}\n")
    assert run(sides("routes")[0], file) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{file}:1:" in said.err


def test_older_envoys_are_told_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    for level in Level:
        run(*sides("budget-added"), envoy=level)
    newest = (GOLDEN / "diff" / "budget-added.txt").read_text("utf-8")
    older = capsys.readouterr().out.replace(newest, "")
    assert "processing_mode.response_header_mode: SKIP -> SEND" in older
    assert "dragoman.usage" not in older
    assert "response_trailer_mode" not in older


LLM = """
gateways: {default: {port: 8080}}
llm:
  providers: {a: {type: openai, key: k}}
  models: {m: a/m}
"""
OTHER = LLM.replace("key: k}}", "key: k}, b: {type: anthropic, key: k}}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gateways: {default: {port: 8080}}\n", LLM),
        (LLM, OTHER),
        (OTHER, OTHER.replace("models: {", "models: {n: {failover: [b/m, a/m]}, ")),
        (LLM, f"{LLM}budgets: [{{name: all, for: {{}}, limit: 9 tokens, per: day}}]\n"),
        (LLM, LLM.replace("models: {", "paths: {gemini: [/google]}\n  models: {")),
    ],
    ids=["first", "provider", "failover", "budget", "prefix"],
)
def test_what_many_routes_and_clusters_share_is_told_once(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "old.yaml", tmp_path / "new.yaml"
    for file, text in zip(files, (old, new), strict=True):
        file.write_text(text)
    for sides in (files, files[::-1]):
        assert run(*sides) == 1
        assert len(capsys.readouterr().out.splitlines()) <= 40


def test_routes_of_the_llm_api_come_and_go_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("gateways: {default: {port: 8080}}\n")
    new.write_text(LLM)
    run(old, new)
    said = capsys.readouterr().out
    (line,) = (each for each in said.splitlines() if "routes of the LLM API" in each)
    assert line.strip().startswith("+ ")
    assert "dragoman/llm/anthropic, " in line
    run(new, old)
    assert "- routes of the LLM API: " in capsys.readouterr().out


def test_a_port_that_was_typed_stands_above_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = sides("routes")
    assert run(old, new, port=9999, typed=frozenset({"port"})) == 1
    assert "8080" not in capsys.readouterr().out


@contextmanager
def control_plane(answer: object, status: int = 200) -> Iterator[Endpoint]:
    """Somebody who answers as an admin API does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/resources"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Endpoint("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(file: Path) -> object:
    config = load_file(file, {})
    assert isinstance(config, Config)
    topology = Topology(("unix:/run/dragoman/0.sock",), 5.0, "/somewhere/ca.pem")
    snapshot = compile_gateway(resolve(config), topology)
    told = workers_version(for_workers(config))
    return state_json("v", told, published(config), snapshot)


def test_a_file_is_compared_with_what_runs_on_its_own_workers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = sides("routes")
    with control_plane(told(old)) as admin:
        assert run("running", old, admin=admin) == 0
        assert capsys.readouterr().out == "no difference\n"
        assert run("running", new, admin=admin) == 1
        there = capsys.readouterr().out
        assert run(new, "running", admin=admin) == 1
    assert "routes[name=new]" in there
    assert "dragoman_extproc" not in there


def test_a_key_that_changed_is_seen_beside_what_runs_without_its_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    for file, key in ((old, "one"), (new, "other")):
        file.write_text(f"identity: {{api_keys: {{keys: [{{name: ann, key: {key}}}]}}}}\n")
    assert run(old, new) == 1
    assert "keys[name=ann].digest: [redacted]" in capsys.readouterr().out
    running = told(old)
    assert isinstance(running, dict)
    running["published"] = "identity: {api_keys: {keys: [{name: ann, digest: '[redacted]'}]}}"
    with control_plane(running) as admin:
        assert run("running", old, admin=admin) == 0
        assert run("running", new, admin=admin) == 1
        assert "the digest of a key" in capsys.readouterr().out


def test_node_groups_and_clients_are_compared_between_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    head = "gateways: {default: {port: 8080}}\n"
    old.write_text(f"{head}xds: {{groups: {{edge: {{match: {{id: a}}}}}}}}\n")
    new.write_text(f"{head}xds: {{groups: {{edge: {{match: {{id: b}}}}}}}}\n")
    assert run(old, new) == 1
    said = capsys.readouterr().out
    assert "groups[name=edge].match" in said
    assert said.startswith("cuts nothing\n")


GROUP = """
gateways: {default: {port: 8080}}
xds:
  groups:
    edge:
      resources:
        - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
          name: own
          address: {socket_address: {address: 127.0.0.1, port_value: 9001}}
          ttl: 60s
"""


def test_what_only_a_node_group_has_may_drain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, longer = (tmp_path / f"{name}.yaml" for name in ("old", "new", "longer"))
    old.write_text(GROUP)
    new.write_text(GROUP.replace("9001", "9002"))
    longer.write_text(GROUP.replace("60s", "90s"))
    assert run(old, new) == 1
    assert capsys.readouterr().out.startswith("drains own (node group edge): all connections")
    assert run(old, longer) == 1
    assert "lifetimes[Listener own]: 60.0 -> 90.0" in capsys.readouterr().out


def test_what_runs_is_equal_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with control_plane(told(sides("routes")[0])) as admin:
        assert run("running", "running", admin=admin) == 0


@pytest.mark.parametrize(("answer", "status"), [({}, 200), ([], 200), ({"a": 1}, 404)])
def test_an_admin_api_that_tells_something_else_is_trouble(
    answer: object, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with control_plane(answer, status) as admin:
        assert run("running", sides("routes")[0], admin=admin) == 2
        assert f"{admin.host}:{admin.port}" in capsys.readouterr().err


def test_nobody_who_runs_is_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    with control_plane({}) as admin:
        pass
    assert run("running", sides("routes")[0], admin=admin) == 2
    assert f"{admin.host}:{admin.port}" in capsys.readouterr().err


def test_values_are_on_one_line_and_not_endless() -> None:
    assert shown("0s") == "0s"
    assert shown("5 USD") == "5 USD"
    assert shown("a\nb") == r'"a\nb"'
    assert shown(True) == "true"
    assert shown("x" * 200).endswith("… (200 characters)")
