from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.imported import Imported, Outcome
from gateway.importers import report
from gateway.importers.litellm import convert
from tests.gateway.importers.litellm_documents import (
    SECRET,
    complaints,
    documents,
    unaccounted,
    written,
)

GOLDEN = Path(__file__).parents[2] / "golden/import/litellm"
FILES = sorted(path for path in GOLDEN.glob("*.yaml") if not path.stem.endswith(".ours"))


def imported(text: str) -> Imported:
    """What comes of a file that is right."""
    found = convert(text, "config.yaml")
    assert isinstance(found, Imported), found
    return found


def ours(text: str) -> Config:
    """The configuration that comes of it, with every variable set."""
    config = load(imported(text).yaml, file="ours.yaml", environment=_Everything())
    assert isinstance(config, Config), config
    return config


class _Everything(dict[str, str]):
    """An environment in which every variable is set."""

    def __missing__(self, name: str) -> str:
        return "set"

    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        return super().get(name, "set")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_becomes_ours_and_every_finding_is_told(path: Path) -> None:
    found = imported(path.read_text("utf-8"))
    told = report.text(found, path.name)
    goldens = {path.with_suffix(".ours.yaml"): found.yaml, path.with_suffix(".findings.txt"): told}
    for golden, text in goldens.items():
        if os.environ.get("REWRITE"):
            golden.write_text(text, "utf-8")
        assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_made_loads_and_no_key_is_missing(path: Path) -> None:
    text = path.read_text("utf-8")
    found = imported(text)
    assert complaints(found) == []
    assert unaccounted(text, found) == []


def test_there_are_golden_cases() -> None:
    assert len(FILES) >= 4


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_any_file_is_converted_or_its_problems_are_told(document: object) -> None:
    text = written(document)
    found = convert(text, "config.yaml")
    if isinstance(found, Imported):
        assert complaints(found) == []
        assert unaccounted(text, found) == []
        told = report.text(found, "config.yaml")
        notes = [mapping.note for mapping in found.mappings]
        assert not any(SECRET in note for note in notes), told
        assert all(mapping.note for mapping in found.mappings if mapping.outcome != Outcome.EXACT)
    else:
        assert found
        assert all(problem.line for problem in found)
        assert not any(SECRET in problem.message for problem in found)


def test_secrets_of_the_file_are_in_no_finding() -> None:
    text = f"""
environment_variables: {{OPENAI_API_KEY: {SECRET}-1}}
credential_list:
  - {{credential_name: c, credential_values: {{api_key: {SECRET}-2, unknown: {SECRET}-3}}}}
model_list:
  - model_name: a
    litellm_params: {{model: openai/a, api_key: {SECRET}-4, aws_secret_access_key: {SECRET}-5}}
  - model_name: b
    litellm_params: {{model: openai/b, litellm_credential_name: c}}
  - model_name: c
    litellm_params: {{model: openai/c, api_key: "{SECRET} with a space"}}
general_settings:
  master_key: {SECRET}-6
  database_url: postgresql://u:{SECRET}@db/x
  unheard_of: {SECRET}-7
"""
    found = imported(text)
    assert SECRET not in report.text(found, "config.yaml")
    assert SECRET not in str(report.document(found, "config.yaml"))
    assert f"key: {SECRET}-4" in found.yaml
    assert f"key: {SECRET}-6" in found.yaml


def test_secrets_are_in_no_problem() -> None:
    found = convert(f"model_list: {{{SECRET}: 1}}\ngeneral_settings: {SECRET}\n", "config.yaml")
    assert isinstance(found, tuple)
    assert not any(SECRET in str(problem) for problem in found)


@pytest.mark.parametrize(
    ("text", "line", "path"),
    [
        ("model_list: 5", 1, "model_list"),
        ("model_list:\n  - 7", 2, "model_list.0"),
        ("model_list:\n  - model_name: a", 2, "model_list.0.litellm_params"),
        ("model_list:\n  - litellm_params: {model: openai/a}", 2, "model_list.0"),
        ("model_list:\n  - {model_name: [a], litellm_params: {model: b}}", 2, ""),
        ("general_settings:\n  master_key: 1234", 2, "general_settings.master_key"),
        ("general_settings:\n  allowed_ips: 10.0.0.1", 2, "general_settings.allowed_ips"),
        ("litellm_settings:\n  max_budget: plenty", 2, "litellm_settings.max_budget"),
        ("router_settings:\n  fallbacks: [{a: b}]", 2, "router_settings.fallbacks.0.a"),
        ("model_list: []\nmodel_list: []", 2, "model_list"),
        ("model_list: [", 2, ""),
    ],
)
def test_a_wrong_type_is_a_problem_with_its_line(text: str, line: int, path: str) -> None:
    found = convert(text, "config.yaml")
    assert isinstance(found, tuple)
    assert any(problem.line == line and problem.path.startswith(path) for problem in found), found


def test_an_empty_file_of_theirs_is_a_gateway_for_this_machine() -> None:
    config = ours("model_list: []\ngeneral_settings: {}\n")
    assert config.gateways["default"].address == "127.0.0.1"
    assert config.gateways["default"].port == 4000


def test_a_variable_of_the_file_is_the_default_of_ours() -> None:
    found = imported(
        "environment_variables: {KEY: value, UNUSED: x, STRANGE: 'a}'}\n"
        "model_list:\n"
        "  - {model_name: a, litellm_params: {model: openai/a, api_key: os.environ/KEY}}\n"
        "  - {model_name: b, litellm_params: {model: openai/b, api_key: os.environ/STRANGE}}\n"
    )
    assert "key: ${KEY:-value}" in found.yaml
    assert "key: ${STRANGE}" in found.yaml
    outcomes = {mapping.path: mapping.outcome for mapping in found.mappings}
    assert outcomes["environment_variables.KEY"] is Outcome.DIFFERENT
    assert outcomes["environment_variables.UNUSED"] is Outcome.UNSUPPORTED
    assert outcomes["environment_variables.STRANGE"] is Outcome.UNSUPPORTED


def test_what_is_included_might_have_kept_strangers_out() -> None:
    assert ours("include: [more.yaml]\nmodel_list: []\n").identity.is_required


@pytest.mark.parametrize(
    "settings",
    [
        "callbacks: [langfuse, presidio]",
        "callbacks: lakera_prompt_injection",
        "guardrails: [{prompt_injection: {callbacks: [lakera]}}]",
    ],
)
def test_a_guard_of_the_older_kind_refuses_everything_until_decided(settings: str) -> None:
    config = ours(f"model_list: []\nlitellm_settings:\n  {settings}\n")
    assert [rule.deny for rule in config.authorize] == ["true"]
