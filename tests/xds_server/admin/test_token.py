"""The token in the state directory: made once, read by its owner alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from starlette.requests import Request

from xds_server.admin.token import SEED_FILE, TOKEN_FILE, is_shown, read_or_make


def request(*authorizations: str) -> Request:
    headers = [(b"authorization", each.encode("latin-1")) for each in authorizations]
    return Request({"type": "http", "headers": headers})


def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    token = read_or_make(state)
    assert len(token) >= 40
    assert read_or_make(state) == token
    assert (state / TOKEN_FILE).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o077 == 0
    assert [each.name for each in state.iterdir()] == [TOKEN_FILE]


def test_all_who_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(read_or_make(tmp_path))) for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_no_room_for_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        read_or_make(tmp_path / "file")


@pytest.mark.parametrize(
    ("authorizations", "is_right"),
    [
        (["Bearer abc"], True),
        (["bearer abc"], True),
        (["Bearer abcd"], False),
        (["Bearer ab"], False),
        (["Bearer ABC"], False),
        (["Bearer "], False),
        (["Bearer \xe4bc"], False),
        (["Basic abc"], False),
        (["abc"], False),
        ([], False),
        (["Bearer abc", "Bearer abc"], False),
    ],
)
def test_only_the_token_itself_opens(authorizations: list[str], is_right: bool) -> None:
    assert is_shown(request(*authorizations), "abc") is is_right


def test_no_token_opens_where_there_is_none() -> None:
    assert not is_shown(request("Bearer "), "")
    assert not is_shown(request("Bearer"), "")


def test_what_else_is_secret_is_made_in_the_same_way(tmp_path: Path) -> None:
    seed = read_or_make(tmp_path, SEED_FILE)
    assert read_or_make(tmp_path, SEED_FILE) == seed != read_or_make(tmp_path)
    assert (tmp_path / SEED_FILE).stat().st_mode & 0o777 == 0o600
