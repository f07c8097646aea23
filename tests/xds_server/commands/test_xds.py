"""`dragoman xds get` and `watch`, as they are typed, against a real control plane."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.ads import serving
from tests.kit.offers import offer_of
from xds_server.audience import Kind
from xds_server.cli import main
from xds_server.clients import Clients
from xds_server.release import configuration
from xds_server.resources.extension import resource
from xds_server.snapshot import CLUSTER, SECRET, Snapshot, snapshot_of

SNAPSHOT = snapshot_of(
    [
        resource(CLUSTER, "a", {"name": "a"}),
        resource(CLUSTER, "b", {"name": "b"}),
        resource(
            SECRET,
            "llm/x/key",
            {"name": "llm/x/key", "generic_secret": {"secret": {"inline_string": "geheim"}}},
        ),
    ]
)


@contextmanager
def control_plane(address: str, snapshot: Snapshot, kind: Kind = Kind.ENVOY) -> Iterator[None]:
    """Serves in a thread, since the command has a loop of its own."""
    ready, loop, done = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        clients = Clients()
        clients.offer(kind, offer_of(snapshot))
        async with serving(clients, address):
            ready.set()
            await done.wait()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # ends calls that are open
            runner.run(serve())

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(5)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(5)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    address = f"unix:{tmp_path}/ads.sock"
    with control_plane(address, SNAPSHOT):
        yield address


@pytest.mark.parametrize("variant", ["delta", "sotw"])
def test_get_prints_what_there_is(
    address: str, variant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["xds", "get", "cds", "--server", address, "--variant", variant], {}) == 0
    printed = capsys.readouterr().out
    assert printed.split("---\n") == [
        f"'@type': {CLUSTER}\nname: a\n",
        f"'@type': {CLUSTER}\nname: b\n",
    ]


def test_get_prints_json(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "cds", "a", "--server", address, "--json"], {}) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["version"] == SNAPSHOT.resources[CLUSTER]["a"].version
    assert row["resource"] == {"@type": CLUSTER, "name": "a"}


def test_get_never_prints_a_secret(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "sds", "llm/x/key", "--server", address], {}) == 0
    printed = capsys.readouterr().out
    assert "llm/x/key" in printed
    assert "geheim" not in printed


def test_a_name_that_does_not_exist_is_said(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["xds", "get", "cds", "a", "z", "--server", address], {}) == 1
    printed = capsys.readouterr()
    assert "name: a" in printed.out
    assert printed.err == f"{address}: there is no z\n"


def test_names_may_stand_behind_flags(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "cds", "--server", address, "a", "b", "--json"], {}) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["a", "b"]
    with pytest.raises(SystemExit):
        main(["xds", "get", "cds", "--server", address, "a", "--colour"], {})
    assert "unrecognized arguments: " in capsys.readouterr().err


def test_what_sotw_cannot_say_does_not_exist_when_the_time_is_over(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["xds", "get", "sds", "llm/x/key", "z", "--variant", "sotw", "--timeout", "1"]
    assert main([*asked, "--server", address], {}) == 1
    printed = capsys.readouterr()
    assert "llm/x/key" in printed.out
    assert printed.err == f"{address}: no answer about z in 1 s: it may not exist\n"


def test_that_there_is_nothing_is_said(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "rds", "--server", address], {}) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{address}: there is no RouteConfiguration for this node\n"


@pytest.mark.parametrize("variant", ["delta", "sotw"])
def test_the_configuration_of_workers_is_shown_without_its_name(
    tmp_path: Path, variant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path}/ads.sock"
    asked = ["xds", "get", "configuration", "--json", "--variant", variant]
    with control_plane(address, configuration("v1", "routes: []"), Kind.WORKER):
        assert main([*asked, "--server", address], {}) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["resource"]["version"]) == ("dragoman", "v1")


def test_a_node_is_what_it_says_of_itself(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["--node-metadata", "labels.zone=eu,app=web", "--user-agent", "envoy"]
    assert main(["xds", "get", "cds", "a", "--server", address, *said], {}) == 0
    assert "name: a" in capsys.readouterr().out


def test_an_unknown_type_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "clusters"], {}) == 1
    assert "no type 'clusters'; known: cds, eds" in capsys.readouterr().err


def test_a_certificate_without_its_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xds", "get", "cds", "--xds-cert", "a.pem", "--xds-ca", "b.pem"], {}) == 1
    assert capsys.readouterr().err == "a certificate needs its key, and a key its certificate\n"


def test_a_token_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "token")
    assert main(["xds", "get", "cds", "--xds-token", missing], {}) == 1
    assert capsys.readouterr().err.startswith(f"{missing}: cannot be read")
