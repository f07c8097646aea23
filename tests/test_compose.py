"""The Compose file is valid, and everything that it names exists."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from extproc.__main__ import parser as extproc_parser
from extproc.hub.__main__ import parser as hub_parser
from gateway.config.load import load_file
from gateway.config.schema import Config
from gateway.resolve import resolve
from xds_server import cli
from xds_server.resources.addresses import endpoint_of

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "envoy" / "Dockerfile").read_text()
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "dragoman")
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}


def test_the_file_follows_the_compose_specification() -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(COMPOSE, schema, jsonschema.Draft7Validator)


def test_the_parts_run_apart() -> None:
    assert set(SERVICES) == {"envoy", "xds", "extproc", "hub", "redis", "demo"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_checked_and_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {key: service[key] for key in HARDENED} == HARDENED
    user = service.get("user") or re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1]
    assert int(user.partition(":")[0]) > 0


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_we_have(name: str) -> None:
    program, *rest = SERVICES[name]["command"]
    if program == "envoy":
        assert name == "envoy"
        return
    assert program == "dragoman"
    if rest[0] in ("extproc", "hub"):
        own = extproc_parser if rest[0] == "extproc" else hub_parser
        own({}).parse_args(rest[1:])
    else:
        arguments = cli.parser({}).parse_args(rest)
        assert cli.settle(arguments) == ()
        assert arguments.command.name == rest[0]


def test_health_checks_in_python_can_be_read() -> None:
    scripts = [SERVICES[name]["healthcheck"]["test"][-1] for name in OURS]
    assert len(scripts) == 5
    for script in scripts:
        compile(script, "healthcheck", "exec")


def mounts(name: str) -> dict[str, str]:
    """Target → source of every mount of a service."""
    parts = (mount.split(":") for mount in SERVICES[name].get("volumes", ()))
    return {target: source for source, target, *_ in parts}


def in_container(name: str, path: str) -> Path | None:
    """The file of this repository that a path of a container shows."""
    for target, source in mounts(name).items():
        if source.startswith("./") and Path(path).is_relative_to(target):
            return ROOT / source / Path(path).relative_to(target)
    copies = re.findall(r"^COPY (\S+) (/\S+)$", DOCKERFILE, re.MULTILINE)
    return next((ROOT / source for source, target in copies if target == path), None)


@pytest.mark.parametrize("name", OURS)
def test_every_file_of_a_command_exists(name: str) -> None:
    for word in SERVICES[name]["command"]:
        if word.endswith(".yaml"):
            file = in_container(name, word)
            assert file is not None, word
            assert file.is_file()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_mount_exists(name: str) -> None:
    for source in mounts(name).values():
        assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]


def test_the_image_is_built_once_and_never_pulled() -> None:
    assert [name for name in OURS if "build" in SERVICES[name]] == ["xds"]
    never = [name for name in OURS if SERVICES[name].get("pull_policy") == "never"]
    assert never == [name for name in OURS if name != "xds"]


def test_only_those_with_the_volume_can_write_outside_of_tmp() -> None:
    assert "VOLUME" not in DOCKERFILE  # would be a writable folder in every container
    assert [name for name in sorted(SERVICES) if "state" in mounts(name).values()] == [
        "extproc",
        "hub",
        "xds",
    ]


def test_what_the_image_is_made_of_exists() -> None:
    sources = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert sources
    assert [one for line in sources for one in line.split() if not (ROOT / one).exists()] == []
    assert (ROOT / SERVICES["xds"]["build"]["dockerfile"]).is_file()


def test_envoy_is_led_to_the_control_plane_and_that_to_the_workers() -> None:
    bootstrap = yaml.safe_load((ROOT / "envoy" / "bootstrap.yaml").read_text())
    (cluster,) = bootstrap["static_resources"]["clusters"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    address = endpoint["address"]["socket_address"]
    xds = cli.parser({}).parse_args(SERVICES["xds"]["command"][1:])
    worker = extproc_parser({}).parse_args(SERVICES["extproc"]["command"][2:])
    assert (address["address"], address["port_value"]) == ("xds", endpoint_of(xds.xds).port)
    assert worker.xds == f"xds:{endpoint_of(xds.xds).port}"
    assert xds.extproc == (f"extproc:{endpoint_of(worker.listen).port}",)


def test_the_published_ports_are_those_of_the_configuration() -> None:
    xds = cli.parser({}).parse_args(SERVICES["xds"]["command"][1:])
    file = in_container("xds", str(xds.file))
    assert file is not None
    config = load_file(file, SERVICES["xds"]["environment"])
    assert isinstance(config, Config)
    gateway = resolve(config)
    (listener,) = gateway.listeners
    assert listener.address == "0.0.0.0"
    assert SERVICES["envoy"]["ports"] == [f"127.0.0.1:{listener.port}:{listener.port}"]
    assert SERVICES["xds"]["ports"] == [f"127.0.0.1:{xds.admin.port}:{xds.admin.port}"]
    hosts = {endpoint.host for one in gateway.providers for endpoint in one.upstream.endpoints}
    assert hosts == {"demo"}


def test_budgets_are_kept_in_the_redis_that_is_there() -> None:
    xds = cli.parser({}).parse_args(SERVICES["xds"]["command"][1:])
    file = in_container("xds", str(xds.file))
    assert file is not None
    config = load_file(file, SERVICES["xds"]["environment"])
    assert isinstance(config, Config)
    assert resolve(config).ledger.url == "redis://redis:6379"
    assert resolve(config).budgets
    assert set(SERVICES["redis"]["networks"]) & set(SERVICES["extproc"]["networks"])
    assert {"--appendonly", "yes", "noeviction"} <= set(SERVICES["redis"]["command"])
    assert mounts("redis") == {"/data": "budgets"}
