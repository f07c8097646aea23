from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import ids

servers = st.from_regex(r"[A-Za-z][A-Za-z0-9.-]{0,10}", fullmatch=True)
identities = st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (5, "github/i:5"),
        (-1, "github/i:-1"),
        ("abc", "github/s:abc"),
        ("5", "github/s:5"),
        ("", "github/s:"),
        ("a/b:c", "github/s:a/b:c"),
        (1.5, "github/n:1.5"),
        (1.0, "github/n:1.0"),
    ],
)
def test_an_id_names_its_server_and_its_kind(identity: int | float | str, text: str) -> None:
    assert ids.outward("github", identity) == text
    back = ids.inward(text)
    assert back == ("github", identity)
    assert back is not None
    assert type(back[1]) is type(identity)


@given(servers, identities)
def test_every_id_comes_back_to_its_server(server: str, identity: int | float | str) -> None:
    back = ids.inward(json.loads(json.dumps(ids.outward(server, identity))))
    assert back == (server, identity)
    assert back is not None
    assert type(back[1]) is type(identity)


@given(servers, identities, servers, identities)
def test_no_two_ids_become_one(
    server: str, identity: int | float | str, other: str, another: int | float | str
) -> None:
    is_same = (server, type(identity), repr(identity)) == (other, type(another), repr(another))
    assert (ids.outward(server, identity) == ids.outward(other, another)) is is_same


@pytest.mark.parametrize(
    "text",
    [
        5,
        None,
        True,
        1.5,
        ["github/i:5"],
        "",
        "5",
        "github",
        "github/",
        "github/i",
        "github/i:",
        "github/i:05",
        "github/i:-0",
        "github/i:+5",
        "github/i: 5",
        "github/i:5_0",
        "github/i:٥",
        "github/i:" + "1" * 4301,
        "github/n:5",
        "github/n:nan",
        "github/n:inf",
        "github/n:1.50",
        "github/x:5",
        "github/ii:5",
        "/i:5",
        "1github/i:5",
        "git_hub/i:5",
        "gi thub/i:5",
        "github\n/i:5",
        "https://example.com",
    ],
)
def test_ids_of_others_are_none_of_ours(text: object) -> None:
    assert ids.inward(text) is None


@given(st.text())
def test_whatever_is_ours_is_written_in_one_way(text: str) -> None:
    back = ids.inward(text)
    assert back is None or ids.outward(*back) == text


# --- with a key ----------------------------------------------------------------------------

KEY = b"of one session"


@given(servers, identities)
def test_with_a_key_every_id_comes_back_too(server: str, identity: int | float | str) -> None:
    text = ids.outward(server, identity, KEY)
    back = ids.inward(text, KEY)
    assert back == (server, identity)
    assert back is not None
    assert type(back[1]) is type(identity)
    assert ids.inward(text, b"of another session") is None


@given(servers, identities, servers)
def test_no_server_makes_an_id_of_another(
    server: str, identity: int | float | str, other: str
) -> None:
    text = ids.outward(server, identity, KEY)
    assert ids.inward(ids.outward(server, identity), KEY) is None
    if other != server:
        assert ids.inward(other + text.removeprefix(server), KEY) is None


@pytest.mark.parametrize(
    "text", ["github/:i:5", "github/x:i:5", "github/i:5", "github/", "github/é:i:5", 5, "i:5"]
)
def test_what_was_made_without_the_key_is_none_of_ours(text: object) -> None:
    assert ids.inward(text, KEY) is None


def test_a_long_key_is_a_key() -> None:
    assert ids.inward(ids.outward("github", 5, b"k" * 999), b"k" * 999) == ("github", 5)


@given(servers, st.text(min_size=1))
def test_events_and_tasks_come_back_to_their_server(server: str, own: str) -> None:
    assert ids.inward_name(ids.outward_name(server, own)) == (server, own)


@pytest.mark.parametrize("text", ["", "abc", "github/", "/abc", "a b/c", "786512e2-9e0d"])
def test_events_and_tasks_of_others_are_none_of_ours(text: str) -> None:
    assert ids.inward_name(text) is None


def test_an_event_that_forgets_the_last_id_still_does() -> None:
    assert ids.outward_name("github", "") == ""
