"""`dragoman keys …` against a control plane."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from gateway.virtual_keys import parse
from tests.kit.plane import RunningPlane, running_plane
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import redis
from tests.kit.stack import free_ports
from xds_server import cli
from xds_server.admin.token import TOKEN_FILE
from xds_server.keys.stores import store_at

CONFIG = """
gateways: {default: {port: 8080}}
identity: {api_keys: {keys: [{name: filed, key: in-the-file}]}}
"""


class Say(Protocol):
    """Runs a command; what it prints, on stderr when it fails."""

    def __call__(self, *words: str, status: int = 0) -> str: ...


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("plane"), CONFIG) as running:
        yield running


@pytest.fixture(autouse=True)
def no_keys(plane: RunningPlane) -> None:
    desk = plane.plane.desk()
    for key in list(desk.export()):
        desk.delete(key.id, "test")


def run(plane: RunningPlane, *words: str, environment: dict[str, str] | None = None) -> int:
    where = ["--admin", str(plane.admin.port), "--state-dir", str(plane.state_dir)]
    return cli.main(["keys", *words, *where], environment or {})


@pytest.fixture
def say(plane: RunningPlane, capsys: pytest.CaptureFixture[str]) -> Say:
    def said(*words: str, status: int = 0) -> str:
        assert run(plane, *words) == status
        told = capsys.readouterr()
        assert not (told.out if status else told.err)
        return (told.err if status else told.out).rstrip("\n")

    return said


def test_a_new_key_is_all_that_is_printed(say: Say) -> None:
    budgets = ("--budgets", "5 USD/day, 1M tokens/month")
    others = ("--tags", "env=prod,tier=1", "--models", "gpt-*,fast", "--expires", "90d")
    others = (*others, "--tools", "github__*,notes__search")
    limits = ("--limits", "requests=60/min, tokens=100k/min,concurrent=5")
    text = say("create", "ci", "--team", "red", *budgets, *limits, *others)
    assert parse(text) is not None
    shown = json.loads(say("show", "ci", "--json"))
    assert shown["budgets"] == [
        {"limit": "5 USD", "per": "day"},
        {"limit": "1000000 tokens", "per": "month"},
    ]
    assert shown["limits"] == [
        {"requests": "60/min"},
        {"tokens": "100000/min"},
        {"concurrent": 5},
    ]
    assert (shown["tags"], shown["models"]) == ({"env": "prod", "tier": "1"}, ["gpt-*", "fast"])
    assert shown["tools"] == ["github__*", "notes__search"]
    lines = say("show", "ci").splitlines()
    assert "budgets: 5 USD per day, 1000000 tokens per month" in lines
    assert "limits: requests=60/min, tokens=100000/min, concurrent=5" in lines
    assert "tags: env=prod, tier=1" in lines
    assert "tools: github__*, notes__search" in lines
    assert "state: valid" in lines


def test_a_budget_may_be_soft_and_somebody_told_of_it(say: Say) -> None:
    say("create", "ci", "--budgets", "5 USD/rolling 12h soft 80% 100%, 1M tokens/month 50%")
    assert json.loads(say("show", "ci", "--json"))["budgets"] == [
        {
            "limit": "5 USD",
            "per": "rolling 12h",
            "mode": "soft",
            "alerts": [{"at": "80%"}, {"at": "100%"}],
        },
        {"limit": "1000000 tokens", "per": "month", "alerts": [{"at": "50%"}]},
    ]
    assert (
        "budgets: 5 USD per rolling 12h (soft), told at 80% and 100%,"
        " 1000000 tokens per month, told at 50%"
    ) in say("show", "ci").splitlines()


def test_keys_are_listed_and_found_by_holder(say: Say) -> None:
    assert say("list") == "no keys"
    for name, team in (("a", "red"), ("b", "blue")):
        say("create", name, "--team", team, "--user", f"u-{name}")
    heads, first, second = say("list").splitlines()
    assert heads.split() == ["NAME", "ID", "STATE", "USER", "TEAM", "EXPIRES", "LAST", "USED"]
    assert (first.split()[0], second.split()[0]) == ("a", "b")
    assert [each["name"] for each in json.loads(say("list", "--team", "red", "--json"))] == ["a"]
    assert [each["name"] for each in json.loads(say("list", "--user", "u-b", "--json"))] == ["b"]


def test_a_key_is_changed_rotated_revoked_and_deleted(say: Say) -> None:
    first = say("create", "ci", "--team", "red")
    assert "team: blue" in say("change", "ci", "--team", "blue").splitlines()
    assert "team" not in say("change", "ci", "--team", "")
    assert "state: disabled" in say("change", "ci", "--disable").splitlines()
    assert "name: cd" in say("change", "ci", "--enable", "--name", "cd").splitlines()
    second = say("rotate", "cd", "--keep", "1h")
    assert second != first
    assert "previous works until: " in say("show", parse(first).id)
    assert say("revoke", "cd") == "revoked: cd"
    assert say("delete", "cd") == "deleted: cd"
    assert say("show", "cd", status=1) == "no key 'cd'"


def test_the_log_names_the_user(say: Say) -> None:
    say("create", "logged")
    say("revoke", "logged")
    heads, latest, before, *_ = say("log", "logged").splitlines()
    assert heads.split() == ["TIME", "WHO", "WHAT", "KEY", "ID", "DETAILS"]
    assert latest.split()[2:4] == ["revoke", "logged"]
    assert before.split()[2:4] == ["create", "logged"]
    assert latest.split()[1].endswith("@127.0.0.1")


def test_what_is_exported_is_imported(say: Say, tmp_path: Path) -> None:
    for number in range(3):
        say("create", f"key-{number}")
    file = tmp_path / "keys.jsonl"
    file.write_text(say("export") + "\n\n")
    assert say("import", str(file), status=1).splitlines()[-1] == "imported before it: 0"
    for number in range(3):
        say("delete", f"key-{number}")
    assert say("import", str(file)) == "imported: 3"
    assert say("export") == file.read_text().strip()


def test_mistakes_of_an_import_name_their_lines(say: Say, tmp_path: Path) -> None:
    say("create", "ci")
    file = tmp_path / "keys.jsonl"
    line = say("export")
    file.write_text(f"\n{line}\n" + line.replace('"ci"', '"-"') + "\n")
    assert say("import", str(file), status=1).startswith(f"{file}: line 3: name: must be a name")
    file.write_text("{}\n{\n")
    assert say("import", str(file), status=1).startswith(f"{file}: line 2: ")
    assert "No such file" in say("import", str(tmp_path / "none"), status=1)


def test_what_is_refused_is_said(say: Say) -> None:
    assert say("create", "filed", status=1) == "name: there is a key 'filed' already"
    assert say("rotate", "nobody", status=1) == "no key 'nobody'"
    say("create", "ci")
    assert say("change", "ci", status=1) == "nothing to change was said"
    assert say("change", "ci", "--enable", "--disable", status=1) == "either --enable or --disable"


@pytest.mark.parametrize(
    "flags",
    [
        ("--tags", "a"),
        ("--budgets", "5 USD"),
        ("--budgets", "5 USD/soft"),
        ("--budgets", "5 USD/soft day"),
        ("--tags", "=b"),
        ("--limits", "5/s"),
        ("--limits", "b=1"),
    ],
)
def test_what_cannot_be_read_is_no_key(
    plane: RunningPlane, flags: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(plane, "create", "ci", *flags)
    assert ended.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_without_the_token_nothing_can_be_asked(
    plane: RunningPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = ["keys", "list", "--admin", str(plane.admin.port), "--state-dir", str(tmp_path)]
    assert cli.main(elsewhere, {}) == 1
    told = capsys.readouterr().err
    assert str(tmp_path / TOKEN_FILE) in told
    assert "DRAGOMAN_ADMIN_TOKEN" in told
    assert cli.main(elsewhere, {"DRAGOMAN_ADMIN_TOKEN": "wrong"}) == 1
    assert "needs the token" in capsys.readouterr().err
    assert cli.main(["keys", "export", *elsewhere[2:]], {"DRAGOMAN_ADMIN_TOKEN": "wrong"}) == 1
    assert "needs the token" in capsys.readouterr().err
    token = (plane.state_dir / TOKEN_FILE).read_text().strip()
    assert cli.main(elsewhere, {"DRAGOMAN_ADMIN_TOKEN": token}) == 0


def test_nobody_to_ask_is_an_error(plane: RunningPlane, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = ["--admin", str(free_ports(1)[0]), "--state-dir", str(plane.state_dir)]
    assert cli.main(["keys", "list", *nowhere], {}) == 1
    assert "no control plane answers" in capsys.readouterr().err


def test_only_the_owner_may_read_the_token(plane: RunningPlane) -> None:
    file = plane.state_dir / TOKEN_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_uid == os.getuid()


def test_keys_are_taken_into_a_ledger_before_the_configuration_names_it(
    say: Say, tmp_path: Path
) -> None:
    say("create", "moved", "--team", "red")
    file, config = tmp_path / "keys.jsonl", tmp_path / "gateway.yaml"
    file.write_text(say("export"))
    config.write_text(CONFIG)
    assert "names no ledger on a server" in say(
        "import", str(file), "--into", str(config), status=1
    )
    with redis(tmp_path / "redis") as server:
        url = f"redis://127.0.0.1:{server.port}"
        config.write_text(CONFIG + f"ledger: {{type: redis, url: '{url}'}}\n")
        assert say("import", str(file), "--into", str(config)) == "imported: 1"
        again = say("import", str(file), "--into", str(config), status=1)
        assert "the id of 'moved' is taken" in again
        (stored,) = store_at(tmp_path, place_at(url, "dragoman")).page("", 5)
        assert (stored.key.name, stored.key.team) == ("moved", "red")
    assert f"ledger '{url}'" in say("import", str(file), "--into", str(config), status=1)
