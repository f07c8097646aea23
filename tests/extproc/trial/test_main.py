"""`dragoman test` and `dragoman cel` as they are typed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extproc.trial.__main__ import main

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/tests/policy.yaml"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


def test_the_example_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(EXAMPLE)], {}) == 0
    assert capsys.readouterr().out == "9 passed\n"


def test_so_does_the_one_of_a2a(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(EXAMPLE.parent / "a2a.yaml")], {}) == 0
    assert capsys.readouterr().out == "4 passed\n"


def test_so_does_the_one_of_mcp(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(EXAMPLE.parent / "mcp.yaml")], {}) == 0
    assert capsys.readouterr().out == "2 passed\n"


def test_so_does_the_one_of_guards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(EXAMPLE.parent / "guardrails.yaml")], {}) == 0
    assert capsys.readouterr().out == "5 passed\n"


def test_what_fails_is_named_and_the_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = EXAMPLE.read_text().replace("config: ..", f"config: {ROOT}/examples")
    file, xml = tmp_path / "tests.yaml", tmp_path / "junit.xml"
    file.write_text(text.replace("rule: large-models-for-finance", "rule: other"))
    assert main(["test", str(file), "--junit", str(xml)], {}) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{file}:13: others may not: rule: 'other' was to refuse it, and it was")
    assert said.endswith("8 passed, 1 failed\n")
    assert 'failures="1"' in xml.read_text()
    assert main(["test", str(file), "--json"], {}) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert [each["is_passed"] for each in report["tests"]].count(False) == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("config: nowhere.yaml\ntests: [{name: a, expect: {status: 1}}]\n", "nowhere.yaml"),
        ("config: x\n", "tests: is required"),
    ],
)
def test_what_cannot_be_tried_is_another_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, said: str
) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(written)
    assert main(["test", str(file)], {}) == 2
    assert said in capsys.readouterr().err
    assert main(["test"], {}) == 2


def test_an_expression_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = tmp_path / "sample.yaml"
    sample.write_text("model: gpt-5\nmax_tokens: 50\nkey: ada\n")
    flags = ["--with", str(sample), "--config", str(ROOT / "examples/policy.yaml")]
    text = 'principal.team == "finance" && llm.max_output_tokens > 100'
    assert main(["cel", text, *flags], {}) == 0
    assert capsys.readouterr().out == (
        'bool: false\n  llm.max_output_tokens = 50\n  principal.team = "finance"\n'
    )
    assert main(["cel", "context.request_time", *flags, "--json"], {}) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["value"] == "2026-01-01T12:00:00Z"
    assert main(["cel", "mcp.tool", *flags], {}) == 1
    assert capsys.readouterr().out == ("error: no usable value for mcp.tool\n  mcp.tool = absent\n")
    assert main(["cel", "mcp.", *flags], {}) == 2
    capsys.readouterr()
    sample.write_text("model: gpt-5\nkey: ada\nresponse: {status: 404, headers: {Server: x}}\n")
    answer = 'response.status == 404 && response.headers["server"] == response.provider'
    assert main(["cel", answer, *flags], {}) == 0
    assert capsys.readouterr().out == (
        "bool: false\n"
        '  response.headers = {"server": "x"}\n'
        '  response.provider = "openai"\n'
        "  response.status = 404\n"
    )
    assert main(["cel", "llm.model", "--with", str(tmp_path / "none")], {}) == 2


def test_the_command_line_leads_here() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "xds_server", "test", str(EXAMPLE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "9 passed\n")
