"""`dragoman budgets …` against a control plane."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.kit.plane import RunningPlane, running_plane
from xds_server import cli

CONFIG = """
gateways: {default: {port: 8080}}
llm:
  providers: {p: {type: openai, key: k}}
  models: {m: p/gpt-5}
budgets:
  - {name: company, limit: 5000 USD, per: total}
  - {name: each-team, for: {team: "*"}, limit: 100k tokens, per: total}
"""


class Say(Protocol):
    """Runs a command; what it prints, on stderr when it fails."""

    def __call__(self, *words: str, status: int = 0) -> str: ...


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("plane"), CONFIG) as running:
        yield running


@pytest.fixture
def say(plane: RunningPlane, capsys: pytest.CaptureFixture[str]) -> Say:
    where = ["--admin", str(plane.admin.port), "--state-dir", str(plane.state_dir)]

    def said(*words: str, status: int = 0) -> str:
        assert cli.main(["budgets", *words, *where], {}) == status
        told = capsys.readouterr()
        assert not (told.out if status else told.err)
        return (told.err if status else told.out).rstrip("\n")

    return said


def test_budgets_are_topped_up_reset_listed_and_the_log_shows_it(say: Say) -> None:
    assert say("list") == "nothing is spent of any budget in force"
    told = say("top-up", "company", "50 USD", "--why", "a launch", "--request-id", "r1")
    assert told == "top-up: company: the limit is 5050 USD\nrequest: r1"
    again = say("top-up", "company", "50 USD", "--why", "a launch", "--request-id", "r1")
    assert again.startswith("top-up: company: the limit is 5050 USD; it had been done before")
    of_red = say("top-up", "each-team", "5k tokens", "team=red", "--why", "they asked")
    assert of_red.startswith("top-up: each-team of team=red: the limit is 105000 tokens")
    assert say("reset", "company", "--why", "again").startswith("reset: company: the limit is 5050")
    heads, company, team = say("list").splitlines()
    assert heads.split("  ")[0] == "BUDGET"
    assert heads.endswith("UNTIL")
    amounts = ["0", "USD", "0", "USD", "5000", "USD", "50", "USD", "5050", "USD", "never"]
    assert company.split() == ["company", *amounts]
    assert team.split()[:2] == ["each-team", "team=red"]
    assert [line.split() for line in say("list", "each-team").splitlines()[1:]] == [team.split()]
    assert [each["budget"] for each in json.loads(say("list", "company", "--json"))] == ["company"]
    lines = say("log").splitlines()[1:]
    assert ["reset" in lines[0], "they asked" in lines[1], "r1" in lines[2]] == [True, True, True]
    assert len(say("log", "company").splitlines()) == 3


def test_what_is_wrong_is_said(say: Say) -> None:
    assert say("top-up", "company", "50 USD", status=1) == "why: must be said, for the log"
    assert say("reset", "company", "team", "--why", "x", status=1) == "not NAME=VALUE: team"
    wrong = say("top-up", "each-team", "5 tokens", "--why", "x", status=1)
    assert wrong == "of.team: 'each-team' counts each apart: say which"


def test_without_the_token_nothing_is_asked(
    plane: RunningPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--admin", str(plane.admin.port), "--state-dir", str(plane.state_dir / "other")]
    assert cli.main(["budgets", "log", *where], {}) == 1
    assert "the token of the admin API cannot be read" in capsys.readouterr().err
    wrong = {"DRAGOMAN_ADMIN_TOKEN": "wrong"}
    assert cli.main(["budgets", "log", *where], wrong) == 1
    assert "needs the token" in capsys.readouterr().err
