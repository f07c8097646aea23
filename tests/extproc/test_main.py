"""A worker's flags, and the worker itself: a real process, asked by the standard client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy_api import message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from extproc import access_log, authz, process
from extproc.__main__ import parser
from extproc.edges.health import CHECK, WATCH

CheckRequest: Any = message("envoy.service.auth.v3.CheckRequest")
CheckResponse: Any = message("envoy.service.auth.v3.CheckResponse")
Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
Log: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
LogResponse: Any = message("envoy.service.accesslog.v3.StreamAccessLogsResponse")
YAML = "identity: {api_keys: {keys: [{name: ann, key: k-ann}]}}"
START_SECONDS = 20
STOP_SECONDS = 5
OPTIONS = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 50))


def test_everything_has_a_default() -> None:
    arguments = parser({}).parse_args([])
    assert arguments.xds == "127.0.0.1:18000"
    assert arguments.config is None
    assert arguments.listen == "127.0.0.1:18001"
    assert arguments.state_dir == Path(".dragoman")
    assert (arguments.edge, arguments.log_level) == ("fast", "warning")
    assert arguments.worker.endswith(f"-{os.getpid()}")


ENVIRONMENT = {
    "DRAGOMAN_XDS": "xds:1",
    "DRAGOMAN_XDS_VARIANT": "sotw",
    "DRAGOMAN_XDS_CA": "ca.pem",
    "DRAGOMAN_XDS_CERT": "worker.pem",
    "DRAGOMAN_XDS_KEY": "worker.key",
    "DRAGOMAN_XDS_TOKEN": "token",
    "DRAGOMAN_XDS_SERVER_NAME": "xds.internal",
    "DRAGOMAN_EXTPROC_LISTEN": "unix:/run/w.sock",
    "DRAGOMAN_STATE_DIR": "/var/lib/dragoman",
    "DRAGOMAN_WORKER": "worker-3",
    "DRAGOMAN_SERVICES": "unix:/run/s.sock",
    "DRAGOMAN_EDGE": "grpcio",
    "DRAGOMAN_LOG_LEVEL": "debug",
}


def test_the_environment_changes_each_default() -> None:
    assert vars(parser(ENVIRONMENT).parse_args([])) == {
        "xds": "xds:1",
        "xds_variant": "sotw",
        "xds_ca": Path("ca.pem"),
        "xds_cert": Path("worker.pem"),
        "xds_key": Path("worker.key"),
        "xds_token": Path("token"),
        "xds_server_name": "xds.internal",
        "config": None,
        "listen": "unix:/run/w.sock",
        "services": "unix:/run/s.sock",
        "state_dir": Path("/var/lib/dragoman"),
        "worker": "worker-3",
        "edge": "grpcio",
        "log_level": "debug",
    }


def test_flags_win_over_the_environment() -> None:
    flags = ["--xds", "other:2", "--listen", "0.0.0.0:7", "--state-dir", "s", "--worker", "w"]
    arguments = parser(ENVIRONMENT).parse_args([*flags, "--edge", "fast", "--log-level", "error"])
    assert (arguments.xds, arguments.listen, arguments.worker) == ("other:2", "0.0.0.0:7", "w")
    assert (arguments.state_dir, arguments.edge) == (Path("s"), "fast")
    assert arguments.log_level == "error"


def test_a_file_takes_the_place_of_the_management_server_that_the_environment_names() -> None:
    arguments = parser(ENVIRONMENT).parse_args(["--config", "gateway.yaml"])
    assert arguments.config == Path("gateway.yaml")


@pytest.mark.parametrize(
    "flags",
    [
        ["--xds", "a:1", "--config", "gateway.yaml"],
        ["--edge", "other"],
        ["--xds-variant", "rest"],
        ["--log-level", "loud"],
        ["--listen", "abc"],
        ["--listen", "unix:"],
        ["--unknown"],
    ],
)
def test_flags_that_make_no_sense_are_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        parser({}).parse_args(flags)
    assert refused.value.code == 2
    assert flags[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "flag"), [("DRAGOMAN_EDGE", "--edge"), ("DRAGOMAN_LOG_LEVEL", "--log-level")]
)
def test_the_environment_is_held_to_the_same(
    variable: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser({variable: "loud"}).parse_args([])
    assert flag in capsys.readouterr().err


@contextmanager
def worker(folder: Path, *flags: str, yaml: str = YAML) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of this configuration on `FOLDER/w.sock`; whatever happens, it does not stay."""
    file = folder / "gateway.yaml"
    file.write_text(yaml)
    command = [sys.executable, "-m", "extproc", "--config", str(file)]
    command += ["--listen", f"unix:{folder}/w.sock", "--state-dir", str(folder / "state"), *flags]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DRAGOMAN_")}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], env=kept, stdout=log, stderr=log
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


def watched(channel: grpc.Channel) -> Any:
    """What the health service tells from now on, as soon as there is one."""
    watch = channel.unary_stream(
        WATCH, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return watch(HealthCheckRequest(), timeout=START_SECONDS, wait_for_ready=True)


def wait_until_serving(changes: Any) -> None:
    """Until the first program was taken."""
    assert any(change.status == HealthCheckResponse.SERVING for change in changes)


def logged(channel: grpc.Channel) -> Any:
    """Envoy's log of streams."""
    return channel.stream_unary(access_log.METHOD, Log.SerializeToString, LogResponse.FromString)


@pytest.mark.parametrize("edge", ["fast", "grpcio"])
def test_a_worker_serves_every_service_and_leaves_when_it_is_told(
    tmp_path: Path, edge: str
) -> None:
    with worker(tmp_path, "--edge", edge) as started:
        with grpc.insecure_channel(f"unix:{tmp_path}/w.sock", OPTIONS) as channel:
            changes = watched(channel)
            wait_until_serving(changes)
            changes.cancel()
            ask = channel.unary_unary(
                CHECK, HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )
            answer = ask(HealthCheckRequest(), timeout=STOP_SECONDS)
            assert answer.status == HealthCheckResponse.SERVING

            check = channel.unary_unary(
                authz.METHOD, CheckRequest.SerializeToString, CheckResponse.FromString
            )
            http = {"method": "GET", "path": "/", "headers": {"authorization": "Bearer wrong"}}
            wrong = CheckRequest(attributes={"request": {"http": http}})
            refused = check(wrong, timeout=STOP_SECONDS)
            assert refused.denied_response.status.code == 401

            call = channel.stream_stream(
                process.METHOD, Request.SerializeToString, Response.FromString
            )
            header = {"key": "authorization", "raw_value": b"Bearer wrong"}
            begun = Request(request_headers={"headers": {"headers": [header]}})
            (respond,) = call(iter([begun]), timeout=STOP_SECONDS)
            assert respond.immediate_response.status.code == 401

            assert logged(channel)(iter([Log()]), timeout=STOP_SECONDS) == LogResponse()
        started.send_signal(signal.SIGTERM)
        assert started.wait(STOP_SECONDS) == 0
    assert (tmp_path / "state" / "ledger.db").exists()


@pytest.mark.parametrize("edge", ["fast", "grpcio"])
def test_a_worker_that_leaves_does_not_wait_for_envoys_log(tmp_path: Path, edge: str) -> None:
    target, sent = f"unix:{tmp_path}/w.sock", threading.Event()

    def endless() -> Iterator[Any]:
        yield Log()
        sent.set()
        threading.Event().wait(START_SECONDS)

    with worker(tmp_path, "--edge", edge) as started:
        with grpc.insecure_channel(target, OPTIONS) as channel:
            wait_until_serving(changes := watched(channel))
            changes.cancel()
            log = logged(channel).future(endless())
            assert sent.wait(STOP_SECONDS)
            started.send_signal(signal.SIGTERM)
            ended = log.exception(STOP_SECONDS).code()
            if edge == "fast":
                assert (ended, log.details()) == (grpc.StatusCode.UNAVAILABLE, "shutting down")
            else:  # grpcio may cancel it before we end it
                assert ended in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert started.wait(STOP_SECONDS) == 0


def test_who_watches_a_worker_learns_that_it_leaves(tmp_path: Path) -> None:
    target = f"unix:{tmp_path}/w.sock"
    with worker(tmp_path) as started, grpc.insecure_channel(target, OPTIONS) as channel:
        changes = watched(channel)
        wait_until_serving(changes)
        started.send_signal(signal.SIGINT)
        assert next(changes).status == HealthCheckResponse.NOT_SERVING
        changes.cancel()
        assert started.wait(STOP_SECONDS) == 0


def test_a_worker_does_not_start_with_a_file_that_is_wrong(tmp_path: Path) -> None:
    with worker(tmp_path, yaml="llm: {models: {fast: nobody/m}}") as started:
        assert started.wait(START_SECONDS) == 1


def test_a_worker_does_not_start_without_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "state" / "ledger.db").mkdir(parents=True)
    with worker(tmp_path) as started:
        assert started.wait(START_SECONDS) == 1
