from __future__ import annotations

import base64
import json
from itertools import count
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import sessions
from extproc.mcp.sessions import PREFIX, Sealer, ServerSession, Session

SECRET, OTHER = "s" * 32, "o" * 32
INITIALIZE = (
    b'{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"roots":{"listChanged":true}},'
    b'"clientInfo":{"name":"client","version":"1.0"}}'
)


def session(servers: int = 2) -> Session:
    return Session(
        "team",
        {
            f"server{each}": ServerSession(
                str(uuid5(UUID(int=0), f"session {each}")) if each else "", "2025-06-18"
            )
            for each in range(servers)
        },
        "2025-11-25",
        msgspec.Raw(INITIALIZE),
        1_790_000_000,
        "n0",
    )


def forgetful(*secrets: str) -> Sealer:
    """A worker that has seen no session before."""
    return Sealer(secrets, most_remembered=0)


SEALED = Sealer([SECRET]).seal(session(), "alice")


def test_any_worker_opens_what_another_sealed() -> None:
    assert forgetful(SECRET).open(SEALED, "alice") == session()


def test_a_stolen_id_is_useless_to_somebody_else() -> None:
    sealer = Sealer([SECRET])
    assert sealer.open(SEALED, "alice") == session()
    assert sealer.open(SEALED, "bob") is None
    assert sealer.open(SEALED, "") is None
    assert sealer.open(SEALED, "alice") == session()


def test_a_new_key_is_put_first_and_old_ids_still_open() -> None:
    rotated = forgetful(OTHER, SECRET)
    assert rotated.open(SEALED, "alice") == session()
    newer = rotated.seal(session(), "alice")
    assert forgetful(OTHER).open(newer, "alice") == session()
    assert forgetful(SECRET).open(newer, "alice") is None


def test_a_key_that_is_gone_opens_nothing() -> None:
    assert forgetful(OTHER).open(SEALED, "alice") is None


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(ValueError, match="secret"):
        Sealer([])


def test_no_two_ids_are_the_same() -> None:
    sealer = Sealer([SECRET])
    assert sealer.seal(session(), "alice") != sealer.seal(session(), "alice")


def test_an_id_is_safe_in_headers_and_urls() -> None:
    assert SEALED.startswith(PREFIX)
    assert SEALED.isascii()
    assert SEALED.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()


def test_ten_servers_fit_into_a_header() -> None:
    assert len(Sealer([SECRET]).seal(session(10), "alice")) < 1536


def test_an_id_says_nothing_of_what_it_holds() -> None:
    raw = base64.urlsafe_b64decode(SEALED[len(PREFIX) :] + "==")
    assert b"server1" not in raw
    assert b"team" not in raw


@given(st.integers(0, len(SEALED) - 1), st.characters(max_codepoint=0x7F))
def test_what_was_tampered_with_does_not_open(position: int, character: str) -> None:
    text = SEALED[:position] + character + SEALED[position + 1 :]
    opened = forgetful(SECRET).open(text, "alice")
    assert opened == (session() if text == SEALED else None)


@given(st.integers(0, len(SEALED) - 1))
def test_what_was_cut_does_not_open(length: int) -> None:
    assert forgetful(SECRET).open(SEALED[:length], "alice") is None


@pytest.mark.parametrize("text", [SEALED + "A", SEALED + "=", SEALED + "\n", " " + SEALED])
def test_what_was_added_to_does_not_open(text: str) -> None:
    assert forgetful(SECRET).open(text, "alice") is None


@given(st.text() | st.text().map(lambda text: PREFIX + text))
def test_ids_of_others_do_not_open(text: str) -> None:
    assert forgetful(SECRET).open(text, "alice") is None


@pytest.mark.parametrize("text", ["", PREFIX, PREFIX + "A" * 40, PREFIX + "A" * 100_000])
def test_what_only_looks_like_ours_does_not_open(text: str) -> None:
    assert forgetful(SECRET).open(text, "alice") is None


def sealed_by_us(packed: bytes) -> str:
    """What only who has the key can send."""
    cipher = sessions.AESGCM(sessions._key(SECRET))
    sealed = cipher.encrypt(bytes(12), packed, b"alice")
    return PREFIX + base64.urlsafe_b64encode(bytes(12) + sealed).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"[1,2]", b'["",{},"",{},"now","n"]', b" " * 100_000]
)
def test_what_another_version_sealed_does_not_open(content: bytes) -> None:
    packed = sessions.zlib.compress(content, wbits=-15)
    assert forgetful(SECRET).open(sealed_by_us(packed), "alice") is None
    assert forgetful(SECRET).open(sealed_by_us(content), "alice") is None


def test_an_opened_session_is_remembered_and_the_oldest_forgotten() -> None:
    nonces = count()
    sealer = Sealer([SECRET], lambda size: next(nonces).to_bytes(size, "big"), most_remembered=2)
    first, second, third = (sealer.seal(session(), "alice") for _ in range(3))
    assert sealer.open(second, "alice") is sealer.open(second, "alice")
    assert sealer.open(first, "alice") == session()  # pushes the third out: it was used longest ago
    assert sealer.open(first, "alice") is sealer.open(first, "alice")
    assert sealer.open(third, "alice") == session()


def test_ours_are_told_from_those_of_servers() -> None:
    assert sessions.is_ours(SEALED)
    assert not sessions.is_ours("786512e2-9e0d-44bd-8f29-789f320fe840")


def test_what_the_client_said_is_kept_as_it_was_written() -> None:
    assert bytes(sessions.bounded(INITIALIZE)) == INITIALIZE


def test_of_a_long_initialize_what_is_needed_is_kept() -> None:
    document = json.loads(INITIALIZE)
    document["clientInfo"]["icons"] = [{"src": "data:" + "x" * 9000}]
    document["_meta"] = {"a": 1}
    kept = json.loads(bytes(sessions.bounded(json.dumps(document).encode())))
    assert kept == json.loads(INITIALIZE)


def test_what_is_still_too_long_is_kept_without_capabilities() -> None:
    document = json.loads(INITIALIZE)
    document["capabilities"]["experimental"] = {"x": "y" * 9000}
    kept = json.loads(bytes(sessions.bounded(json.dumps(document).encode())))
    assert kept["protocolVersion"] == "2025-11-25"
    assert kept["capabilities"] == {}


def test_a_client_that_is_no_object_has_no_name() -> None:
    document = json.dumps({"protocolVersion": "1", "clientInfo": "x" * 9000}).encode()
    assert json.loads(bytes(sessions.bounded(document))) == {
        "protocolVersion": "1",
        "clientInfo": {},
    }


_texts = st.text(max_size=20)


@given(
    st.builds(
        Session,
        _texts,
        st.dictionaries(_texts, st.builds(ServerSession, _texts, _texts), max_size=5),
        _texts,
        st.just(msgspec.Raw(b'{"a": 1.0}')),
        st.integers(0, 2**40),
        _texts,
    ),
    _texts,
)
def test_every_session_comes_back(of: Session, binding: str) -> None:
    assert forgetful(SECRET).open(forgetful(SECRET).seal(of, binding), binding) == of
