"""Commands that only look say everything that is wrong, as publishing would."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from xds_server.audience import Level
from xds_server.commands.looking import ENVOY, Unusable, compiled, subject
from xds_server.resources.topology import Topology

NOTHING_TYPED = argparse.Namespace(port=None, typed=frozenset())
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return file


def test_every_problem_is_a_line(tmp_path: Path) -> None:
    file = written(tmp_path, "gateways: {default: {prot: 1}}\nllm: {models: {a: nobody/x}}\n")
    with pytest.raises(Unusable) as unusable:
        subject(file, NOTHING_TYPED, {})
    first, *others = unusable.value.lines
    assert first.startswith(f"{file}:1:")
    assert others


def test_resources_that_envoy_does_not_know_are_problems_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, f"xds:\n  resources:\n    - {{'@type': {CLUSTER}, nmae: x}}\n")
    with pytest.raises(Unusable) as unusable:
        subject(file, NOTHING_TYPED, {})
    assert any(f"{file}:3" in line for line in unusable.value.lines)


def test_a_resource_with_the_name_of_one_of_ours_is_said_and_no_traceback(tmp_path: Path) -> None:
    text = f"xds:\n  resources:\n    - {{'@type': {CLUSTER}, name: mine}}\n"
    found = subject(written(tmp_path, text), NOTHING_TYPED, {})
    twice = found.gateway.xds.resources * 2

    gateway = dataclasses.replace(
        found.gateway, xds=dataclasses.replace(found.gateway.xds, resources=twice)
    )
    with pytest.raises(Unusable, match="cannot be compiled"):
        compiled(gateway, Topology(("h:1",)))


def test_a_port_that_was_typed_is_that_of_the_only_gateway(tmp_path: Path) -> None:
    typed = argparse.Namespace(port=9999, typed=frozenset({"port"}))
    found = subject(written(tmp_path, "gateways: {default: {port: 8080}}\n"), typed, {})
    assert [each.port for each in found.gateway.listeners] == [9999]


def test_variables_are_read_from_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, 'gateways: {default: {port: "${PORT_OF_MINE}"}}\n')
    found = subject(file, NOTHING_TYPED, {"PORT_OF_MINE": "8123"})
    assert [each.port for each in found.gateway.listeners] == [8123]


def test_another_gateways_file_is_looked_at_as_it_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "model_list:\n"
        "  - model_name: fast\n"
        "    litellm_params: {model: openai/gpt-5-mini, api_key: sk-a-key-of-mine}\n"
    )
    found = subject(written(tmp_path, text), NOTHING_TYPED, {})
    assert [each.name for each in found.gateway.models] == ["fast"]
    said = capsys.readouterr()
    assert "litellm" in said.err.lower()
    assert said.out == ""


def test_a_version_is_asked_for_by_its_flag() -> None:
    assert ENVOY.value(None, {}) is Level.V1_40
    assert ENVOY.value(None, {"DRAGOMAN_ENVOY_LEVEL": "1.37"}) is Level.V1_37
    assert ENVOY.kind("1.37") is Level.V1_37
