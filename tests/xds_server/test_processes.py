"""The command lines of the children, and Envoy's lines that are not news."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from extproc.__main__ import parser as extproc_parser
from extproc.hub.__main__ import parser as hub_parser
from gateway.model import Endpoint
from xds_server import processes
from xds_server.processes import Places, is_worth_showing

PLACES = Places(Path("/tmp/dragoman-x"))


def test_a_worker_is_started_as_its_own_flags_allow() -> None:
    command = processes.worker(3, PLACES, PLACES.xds_socket, Path("state"), "error", {})
    assert command.name == "extproc.3"
    assert command.arguments[1:4] == ("-P", "-m", "extproc")
    read = extproc_parser({}).parse_args(command.arguments[4:])
    assert read.xds == "unix:/tmp/dragoman-x/xds.sock"
    assert read.listen == "unix:/tmp/dragoman-x/extproc.3.sock"
    assert (read.state_dir, read.worker, read.log_level) == (Path("state"), "3", "error")


def test_the_hub_is_started_as_its_own_flags_allow() -> None:
    command = processes.hub(PLACES, PLACES.xds_socket, Path("/state"), "error", {})
    assert command.name == "hub"
    assert command.arguments[1:4] == ("-P", "-m", "extproc.hub")
    read = hub_parser({}).parse_args(command.arguments[4:])
    assert (read.xds, read.listen) == (PLACES.xds_socket, "unix:/tmp/dragoman-x/hub.sock")
    assert (read.services, read.log_level) == (PLACES.services_socket, "error")


def test_the_demo_is_started_where_it_is_to_listen() -> None:
    command = processes.demo(Endpoint("127.0.0.1", 18081), {})
    assert command.arguments[1:] == ("-P", "-m", "xds_server.demo", "127.0.0.1", "18081")


def test_children_get_nothing_that_the_file_alone_reads() -> None:
    needed = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "0",
        "SSL_CERT_FILE": "/ca.pem",
        "DRAGOMAN_EDGE": "fast",
    }
    environment = {
        **needed,
        "OPENAI_API_KEY": "sk-secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "MY_PATH": "/x",
    }
    for command in (
        processes.worker(0, PLACES, PLACES.xds_socket, Path("state"), "error", environment),
        processes.demo(Endpoint("127.0.0.1", 18081), environment),
        processes.envoy("/bin/envoy", PLACES, 1, 60, environment),
    ):
        assert command.environment == needed


def test_envoy_is_told_where_its_bootstrap_is_and_how_wide_to_run() -> None:
    arguments = processes.envoy("/bin/envoy", PLACES, 4, 60, {}).arguments
    pairs = dict(itertools.pairwise(arguments))
    assert pairs["--config-path"] == str(PLACES.bootstrap)
    assert (pairs["--concurrency"], pairs["--drain-time-s"]) == ("4", "60")
    assert pairs["--drain-strategy"] == "immediate"


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        (
            "[warning][misc] message 'envoy.extensions.filters.http.ai_protocol_manager.v3."
            "AiProtocolManager' is contained in proto file 'envoy/extensions/filters/http/"
            "ai_protocol_manager/v3/ai_protocol_manager.proto' marked as work-in-progress. API",
            False,
        ),
        ("[warning][main] caught ENVOY_SIGTERM", False),
        (
            "[warning][misc] message 'envoy.extensions.filters.http.other.v3.Other' is contained "
            "in proto file 'envoy/extensions/filters/http/other/v3/other.proto' marked as "
            "work-in-progress. API",
            True,
        ),
        ("[critical][main] error initializing configuration", True),
        ("[warning][config] gRPC config for Listener rejected", True),
    ],
)
def test_only_what_is_said_at_every_start_is_left_out(line: str, is_shown: bool) -> None:
    assert is_worth_showing(line) is is_shown
