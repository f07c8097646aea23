"""Users with passwords, as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.config.check import warnings
from gateway.config.load import load_file
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.config.sources import Loader
from gateway.identity import Accepts, PasswordHolder, Passwords
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints, loaded, meant, warned

ANN = "$2y$05$6R5o31.GJsCdzHvbO68yq.0vBQp9v.eBG6OdYDRYZceE7n2gF64QK"
BOB = "$apr1$QgRQkTvO$R9x6XTUsCwwdeetsjxTYj."
CY = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def at(folder: Path, text: str, **files: str) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content)
    (folder / "gateway.yaml").write_text(text)
    return folder / "gateway.yaml"


def read(file: Path) -> Config:
    config = load_file(file, environment={})
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


def test_users_come_from_lines_and_files_with_what_is_known_of_them(tmp_path: Path) -> None:
    text = f"""
identity:
  basic:
    htpasswd: |
      ann:{ANN}
    files: [more, others]
    groups: {{staff: [ann, bob], admins: [ann]}}
    group_files: [teams]
    users: {{bob: {{team: red, groups: [own, staff], tags: {{cost: "7"}}}}}}
    realm: the agents
    forward: true
"""
    file = at(tmp_path, text, more=f"bob:{BOB}\n", others=f"cy:{CY}\n", teams="night: cy bob\n")
    gateway = resolve(read(file))
    assert gateway.identity.is_required
    assert gateway.identity.passwords == Passwords(
        (
            PasswordHolder("ann", ANN, groups=("staff", "admins")),
            PasswordHolder("bob", BOB, "red", ("staff", "night", "own"), (("cost", "7"),)),
            PasswordHolder("cy", CY, groups=("night",)),
        ),
        "the agents",
        True,
    )


def test_workers_are_told_what_stands_in_files(tmp_path: Path) -> None:
    text = "identity: {basic: {files: [users], group_files: [groups], users: {ann: {team: red}}}}"
    config = read(at(tmp_path, text, users=f"ann:{ANN}\nbob:{BOB}", groups="staff: ann\n"))
    told = for_workers(config)
    assert yaml.safe_load(told)["identity"]["basic"] == {
        "htpasswd": f"ann:{ANN}\nbob:{BOB}",
        "groups": {"staff": ["ann"]},
        "users": {"ann": {"team": "red"}},
    }
    assert resolve(loaded(told)).identity == resolve(config).identity


def test_passwords_are_required_unless_it_says_otherwise() -> None:
    block = f"basic: {{htpasswd: 'ann:{BOB}'}}"
    assert meant(f"identity: {{{block}}}").identity.is_required
    assert not meant(f"identity: {{required: false, {block}}}").identity.is_required
    assert meant("identity: {}").identity.passwords is None


def test_a_route_may_ask_for_a_password() -> None:
    route = "routes: [{name: a, backend: 'http://a', auth: basic}]"
    gateway = meant(f"identity: {{basic: {{htpasswd: 'ann:{BOB}'}}}}\n{route}")
    assert gateway.routes[0].accepts is Accepts.BASIC
    [found] = complaints(route)
    assert "routes.0.auth: asks for a password, and there are none" in found


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{}", "identity.basic: needs files or htpasswd"),
        ("{htpasswd: ' '}", "identity.basic.htpasswd: must not be empty"),
        ("{htpasswd: 'ann'}", "identity.basic.htpasswd: line 1 of it has no hash"),
        ("{htpasswd: 'ann:plain'}", "line 1 of it has no hash of 'ann' in bcrypt, apr1 or sha"),
        (f'{{htpasswd: "a:{BOB}\\na:{CY}"}}', "line 2 of it is another password of 'a'"),
        (f"{{htpasswd: 'a:{BOB}', realm: 'a\"b'}}", "identity.basic.realm: must be printable"),
    ],
)
def test_mistakes_are_problems(block: str, problem: str) -> None:
    [found] = complaints(f"identity: {{basic: {block}}}")
    assert problem in found


def test_mistakes_in_files_name_file_and_line_and_no_hash(tmp_path: Path) -> None:
    text = "identity: {basic: {files: [users, more], group_files: [groups]}}"
    users = f"ann:{BOB}\n\nbob:plain-secret\n"
    found = load_file(at(tmp_path, text, users=users, more=f"ann:{CY}", groups="lost\n"), {})
    assert not isinstance(found, Config)
    assert [(each.path, each.message) for each in found if isinstance(each, Problem)] == [
        ("identity.basic.files.0", "line 3 of users has no hash of 'bob' in bcrypt, apr1 or sha"),
        ("identity.basic.files.1", "line 1 of more is another password of 'ann'"),
        ("identity.basic.group_files.0", "line 1 of groups names no group"),
    ]


def test_a_file_is_watched(tmp_path: Path) -> None:
    file = at(tmp_path, "identity: {basic: {files: [users]}}", users=f"ann:{BOB}")
    loader = Loader(file, {})
    assert isinstance(loader.load().config, Config)
    assert tmp_path / "users" in loader.load().watched


def test_hashes_are_not_shown(tmp_path: Path) -> None:
    config = read(at(tmp_path, "identity: {basic: {files: [users]}}", users=f"ann:{BOB}"))
    assert BOB not in repr(config)
    assert BOB not in repr(resolve(config))


def test_weak_hashes_and_unknown_users_are_warned_of(tmp_path: Path) -> None:
    text = f'identity: {{basic: {{htpasswd: "ann:{CY}", users: {{anne: {{team: red}}}}}}}}'
    assert warned(text) == [
        "identity.basic.htpasswd: 1 of the hashes are sha, which has no salt: 'ann'",
        "identity.basic.users.anne: nobody has a password as 'anne'",
    ]
    strong = read(at(tmp_path, "identity: {basic: {files: [users]}}", users=f"ann:{BOB}"))
    assert warnings(strong) == ()
