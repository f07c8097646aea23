"""A change that brings filters, and connections that are older, through real Envoys: what drains
never has routes that count on a filter which it has not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from http.client import HTTPConnection, NotConnected
from pathlib import Path

import pytest

from tests.kit import web
from tests.kit.any_envoy import running_beside
from tests.kit.authz_services import GrpcAuthz
from tests.kit.envoy import VERSIONS
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

CLOSED = 0
"""In the place of a status: the connection is gone."""


def written(names: Iterable[str], port: int, service: str = "") -> str:
    """A route for each name; all ask the service, where there is one."""
    asked = ", external_authz: one" if service else ""
    block = f'external_authz: {{one: {{grpc: "{service}", headers: [x-verdict]}}}}\n'
    routes = "".join(
        f"  - {{name: {name}, match: {{path: {{prefix: /{name}}}}}, "
        f'backend: "http://127.0.0.1:{port}"{asked}}}\n'
        for name in names
    )
    gateways = 'gateways: {default: {port: "${DRAGOMAN_PORT}", address: 127.0.0.1}}\n'
    return f"{gateways}{block if service else ''}routes:\n{routes}"


def connected(stack: Stack) -> HTTPConnection:
    """Open, and not opened again once it is closed."""
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=10)
    connection.connect()
    connection.auto_open = 0
    return connection


def get(connection: HTTPConnection, path: str) -> int:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
    except NotConnected:
        return CLOSED
    answer.read()
    return answer.status


def in_force(stack: Stack, path: str, status: int) -> None:
    """On new connections."""
    eventually(lambda: web.get(f"{stack.url}{path}").status_code == status, f"{path}: {status}")


@pytest.mark.parametrize("is_delta", [True, False], ids=["delta", "sotw"])
@pytest.mark.parametrize("version", VERSIONS)
def test_no_old_connection_has_a_new_rule_without_its_service(
    tmp_path: Path, version: str, is_delta: bool
) -> None:
    config = tmp_path / "gateway.yaml"
    with GrpcAuthz() as service, Recorder() as upstream:
        config.write_text(written("a", upstream.port))
        with running_beside(config, tmp_path / "state", version, is_delta=is_delta) as stack:
            with closing(connected(stack)) as first, closing(connected(stack)) as second:
                assert (get(first, "/a"), get(second, "/a")) == (200, 200)
                config.write_text(written("ab", upstream.port, service.url))
                in_force(stack, "/b", 403)
                assert get(first, "/b") == 404  # it has the routes that it began with
                assert get(first, "/b") in (404, CLOSED)
                assert get(second, "/a") == 200
            assert web.get(f"{stack.url}/a").status_code == 403
            assert not [each for each in upstream.requests if each.path.startswith("/b")]
            assert web.get(f"{stack.url}/b", headers={"x-verdict": "allow"}).status_code == 200

            with closing(connected(stack)) as asking:
                assert get(asking, "/a") == 403
                config.write_text(written("abc", upstream.port))
                in_force(stack, "/c", 200)
                seen = len(upstream.requests)
                assert get(asking, "/a") >= 500  # its service is gone: closed, and not open
                assert len(upstream.requests) == seen
            assert stack.is_ready()


def test_an_old_connection_ends_with_its_next_answer(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    with GrpcAuthz() as service, Recorder() as upstream:
        text = written("a", upstream.port)
        config.write_text(text)
        with (
            running(config, tmp_path / "state", workers=1) as stack,
            closing(connected(stack)) as old,
        ):
            assert get(old, "/a") == 200
            config.write_text(written("a", upstream.port, service.url))
            in_force(stack, "/a", 403)
            assert (get(old, "/a"), get(old, "/a")) == (200, CLOSED)


def test_a_service_that_no_route_names_any_more_is_removed_unnoticed(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    with GrpcAuthz() as service, Recorder() as upstream:
        config.write_text(written("a", upstream.port, service.url))
        with (
            running(config, tmp_path / "state", workers=1) as stack,
            closing(connected(stack)) as old,
        ):
            assert get(old, "/a") == 403
            unnamed = written("a", upstream.port, service.url).replace(", external_authz: one", "")
            config.write_text(unnamed)
            in_force(stack, "/a", 200)
            config.write_text(written("ab", upstream.port))
            in_force(stack, "/b", 200)
            assert get(old, "/a") == 200
