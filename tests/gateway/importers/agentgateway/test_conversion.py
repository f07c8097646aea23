"""Whole files of AgentGateway's: goldens of all dialects, and what holds for every file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from gateway.imported import Imported, Outcome
from gateway.importers.agentgateway import convert
from gateway.importers.walk import NOT_TAKEN
from tests.gateway.importers.agentgateway.foreign import documents
from tests.gateway.importers.agentgateway.imports import (
    imported,
    load_problems,
    outcomes,
    paths,
)
from tests.kit.golden import GOLDEN, matches

FILES = sorted((GOLDEN / "import" / "agentgateway").glob("*.yaml"))


def shown(found: Imported) -> str:
    """Our YAML, then every finding."""
    lines = [
        f"{each.line:3} {each.outcome.value:11} {'!' if each.is_security else ' '} {each.path}"
        + (f" -> {each.to}" if each.to else "")
        + (f": {each.note}" if each.note else "")
        for each in found.mappings
    ]
    return "\n".join([found.yaml, "----", *lines, ""])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_becomes_ours(path: Path) -> None:
    assert matches(shown(imported(path.read_text())), path.with_suffix(".imported.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_comes_out_loads(path: Path) -> None:
    assert load_problems(imported(path.read_text()).yaml) == ()


def assert_complete(document: object, found: Imported) -> None:
    """Every key is answered, or below one that is, and each answer says why."""
    said = {each.path for each in found.mappings}
    for path in paths(document):
        parts = path.split(".")
        assert any(".".join(parts[:length]) in said for length in range(1, len(parts) + 1)), path
    for each in found.mappings:
        assert each.note or each.outcome is Outcome.EXACT, each
        assert each.note != NOT_TAKEN, each
        assert each.line > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_key_is_dropped_silently(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert_complete(document, imported(path.read_text()))


def test_a_rule_is_found_by_its_position() -> None:
    text = """
        binds:
          - port: 80
            listeners:
              - routes:
                  - backends: [{host: "a:1"}]
                    policies:
                      authorization:
                        rules:
                          - 'request.path == "/a"'
                          - 'request.path == "/b"'
                          - deny: 'request.method == "PUT"'
    """
    rules = yaml.safe_load(imported(text).yaml)["authorize"]
    at = "binds.0.listeners.0.routes.0.policies.authorization.rules"
    deny = outcomes(text)[f"{at}.2.deny"][1]
    assert rules[int(deny.removeprefix("authorize."))]["deny"] == 'request.method == "PUT"'
    allow = outcomes(text)[f"{at}.1"][1]
    assert "/a" in rules[int(allow.removeprefix("authorize."))]["require"]


def test_a_rule_of_a_route_that_is_closed_is_not_said_to_be_taken_over() -> None:
    text = """
        frontendPolicies:
          networkAuthorization: {rules: [{allow: 'source.address == "a"'}, {require: "now"}]}
        gateways: {default: {port: 80}}
        routes: [{backends: [{host: "a:1"}]}]
    """
    at = "frontendPolicies.networkAuthorization.rules.0.allow"
    assert outcomes(text)[at][0] is Outcome.UNSUPPORTED


def test_a_section_that_is_not_served_is_told_once() -> None:
    text = "gateways: {default: {port: 80}}\nmcp: {targets: []}\nui: {}"
    paths_of = [each.path for each in imported(text).mappings]
    assert (paths_of.count("mcp"), paths_of.count("ui")) == (1, 1)


@given(documents())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_the_file_every_key_is_answered_and_the_result_loads(document: object) -> None:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    found = convert(text, "theirs.yaml")
    if isinstance(found, Imported):
        assert load_problems(found.yaml) == ()
        assert_complete(document, found)
    else:
        assert found
        assert all(each.line > 0 and each.message for each in found)
