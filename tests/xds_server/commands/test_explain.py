"""`dragoman explain`: golden for every golden configuration, as text and as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.kit.gateways import CASES
from tests.kit.golden import GOLDEN, is_shown, matches
from xds_server.audience import Level
from xds_server.commands.explain import COMMAND

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "explain.md"
EXAMPLE = GOLDEN / "budgets.yaml"
LEFT_OUT = "  …\n\n"
"""The rest of the LLM API."""


def run(file: Path, level: Level = Level.V1_40, **more: object) -> int:
    arguments = argparse.Namespace(
        file=file,
        envoy=level,
        **{
            "json": False,
            "port": None,
            "extproc": ("127.0.0.1:18001",),
            "typed": frozenset(),
            **more,
        },
    )
    return COMMAND.run(arguments, {})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", Level)
def test_the_golden_file_says_what_is_printed(
    case: str, level: Level, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(GOLDEN / f"{case}.yaml", level) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert matches(said.out, GOLDEN / "explain" / f"{case}.{level}.txt")


@pytest.mark.parametrize("case", CASES)
def test_the_golden_json_says_what_is_printed(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(GOLDEN / f"{case}.yaml", json=True) == 0
    assert matches(capsys.readouterr().out, GOLDEN / "explain" / f"{case}.json")


def test_the_document_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run(EXAMPLE)
    said = capsys.readouterr().out
    head, rest = said[: said.index("  the LLM API, translated\n")], said.rindex("  route ")
    assert is_shown("text", 0, DOCUMENT, LEFT_OUT.join((head, said[rest:])))


def test_one_provider_with_one_model_is_told_on_a_screen_for_each_kind_of_reading(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(EXAMPLE)
    said = capsys.readouterr().out
    sections = said.split("\n\n")
    heads = [each.splitlines()[0].strip() for each in sections]
    assert [each for each in heads if each.startswith("the LLM API")] == [
        "the LLM API, read in the client's dialect",
        "the LLM API, translated",
        "the LLM API, passed on unread",
        "the LLM API, passed on unread, answers counted",
        "the LLM API, a websocket",
    ]
    assert max(len(each.splitlines()) for each in sections) <= 25
    assert len(said.splitlines()) <= 125


def test_every_key_of_the_json_is_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text("utf-8")
    run(EXAMPLE, json=True)

    def keys(value: object) -> set[str]:
        match value:
            case dict():
                return set(value).union(*(keys(item) for item in value.values()))
            case list():
                return set().union(*(keys(item) for item in value))
        return set()

    found = keys(json.loads(capsys.readouterr().out))
    assert {key for key in found if f"`{key}`" not in text} == set()


def test_secrets_are_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for case in CASES:
        run(GOLDEN / f"{case}.yaml", json=True)
    said = capsys.readouterr().out
    assert "secret-of-alice" not in said
    assert "key-of-" not in said


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("gateways: {default: {prot: 8080}}\n")
    assert run(file) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{file}:1:" in said.err
