from __future__ import annotations

import argparse
import json
import stat
from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.sources import load_sources
from gateway.imported import Imported
from gateway.importers.dialect import import_text
from xds_server.commands.import_ import COMMAND, Telling, say_on_stderr

EXACT = """
model_list:
  - model_name: fast
    litellm_params: {model: groq/llama, api_key: os.environ/GROQ_API_KEY}
general_settings: {master_key: sk-of-the-master}
"""
NOT_WHOLE = f"{EXACT}litellm_settings: {{cache: true}}\n"


def run(file: Path, *, is_json: bool = False, output: Path | None = None) -> int:
    """The command, as the command line calls it."""
    arguments = argparse.Namespace(file=file, json=is_json, output=output)
    return COMMAND.run(arguments, {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(NOT_WHOLE)
    return path


def test_the_yaml_is_on_stdout_and_the_findings_on_stderr(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(EXACT)
    assert run(file) == 0
    printed = capsys.readouterr()
    assert not isinstance(load(printed.out, file="f", environment={"GROQ_API_KEY": "k"}), tuple)
    assert "a configuration of LiteLLM" in printed.err
    assert "sk-of-the-master" in printed.out
    assert "sk-of-the-master" not in printed.err


def test_what_the_environment_says_is_no_fault_of_the_import(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        "llm: {models: [{name: a.b, provider: openAI, params: {apiKey: k, baseUrl: $BASE}}]}"
    )
    arguments = argparse.Namespace(file=file, json=False, output=None)
    assert COMMAND.run(arguments, {"BASE": "no address"}) == 0
    printed = capsys.readouterr()
    assert "url: ${BASE}" in printed.out
    assert "warning: llm.providers.openAI.url: must be an http or https url" in printed.err


def test_a_file_that_is_not_here_is_no_fault_of_the_import(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        "binds: [{port: 3000, listeners: [{protocol: HTTPS, tls: {cert: a.pem, key: b.pem},"
        " routes: [{backends: [{host: 'localhost:80'}]}]}]}]"
    )
    run(file)
    printed = capsys.readouterr()
    assert "a.pem" in printed.out
    assert "warning: gateways.default.tls.cert" in printed.err


def test_something_that_is_missing_has_an_exit_status_of_its_own(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file) == 3
    printed = capsys.readouterr()
    assert printed.out.startswith("# Made from")
    assert "litellm_settings.cache" in printed.err


def test_json_is_one_document(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, is_json=True) == 3
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == (
        "warning: llm.providers.groq.key: the environment variable GROQ_API_KEY is not set\n"
    )
    assert found["dialect"] == "litellm"
    assert found["counts"]["unsupported"] >= 1
    assert any(row["path"] == "litellm_settings.cache" for row in found["findings"])
    assert found["yaml"].startswith("# Made from")


def test_the_yaml_can_go_to_a_file_of_ones_own(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "gateway.yaml"
    output.write_text("old")
    output.chmod(0o644)
    assert run(file, output=output) == 3
    assert capsys.readouterr().out == ""
    assert output.read_text().startswith("# Made from")
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["config.yaml", "missing/gateway.yaml"])
def test_what_cannot_be_written_is_said_and_nothing_is_lost(
    file: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file, output=tmp_path / name) == 1
    assert name in capsys.readouterr().err
    assert file.read_text() == NOT_WHOLE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"gateways: {default: {port: 80}}", "no configuration of AgentGateway or LiteLLM"),
        (b"model_list: 7", "config.yaml:1: model_list: must be a list"),
        (b"\xff", "not utf-8"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_imported_is_said(
    file: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert run(file) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_a_foreign_file_is_run_and_its_findings_are_told_once(file: Path) -> None:
    told: list[str] = []
    convert = Telling(told.append)
    for _ in range(2):
        loaded = load_sources(file, {"GROQ_API_KEY": "k"}, convert=convert)
        assert loaded.config is not None
        assert "fast" in loaded.config.llm.models
    assert len(told) == 1
    assert "litellm_settings.cache" in told[0]
    file.write_text(EXACT)
    load_sources(file, {"GROQ_API_KEY": "k"}, convert=convert)
    assert len(told) == 2


def test_telling_converts_as_an_import_does(capsys: pytest.CaptureFixture[str]) -> None:
    convert = Telling(say_on_stderr)
    assert convert(EXACT, "f") == import_text(EXACT, "f")
    assert isinstance(convert(EXACT, "f"), Imported)
    assert convert("gateways: {}", "f") is None
    assert isinstance(convert("model_list: 7", "f"), tuple)
    assert capsys.readouterr().err.count("a configuration of LiteLLM") == 1
