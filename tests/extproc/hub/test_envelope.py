"""The envelope of a message: its kind, its id, and what is changed without touching the rest."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.hub import envelope
from extproc.hub.envelope import NotAMessage, read


def test_a_message_is_what_its_fields_say() -> None:
    request = read(b'{"jsonrpc":"2.0","id":5,"method":"ping"}')
    assert (request.is_request, request.is_notification, request.is_answer) == (True, False, False)
    notification = read(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert (notification.is_request, notification.is_notification) == (False, True)
    assert read(b'{"jsonrpc":"2.0","id":5,"result":{}}').is_answer
    assert read(b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":""}}').is_answer


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"listening on stdio",
        b"[]",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":[1],"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping"',
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(text: bytes) -> None:
    with pytest.raises(NotAMessage):
        read(text)


@pytest.mark.parametrize("written", [b"5", b"-7", b'"5"', b'"a b"', b"1.5", b'""'])
def test_ids_of_every_type_stay_what_they_are(written: bytes) -> None:
    message = read(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % written)
    assert message.id == written
    assert read(envelope.written(message)).id == written


def test_ids_are_compared_by_what_they_say() -> None:
    assert read(b'{"jsonrpc":"2.0","id":"\\u0061","method":"x"}').id == b'"a"'
    assert envelope.key(msgspec.Raw(b'"\\u0061"')) == b'"a"'
    assert envelope.key(msgspec.Raw(b"null")) is None
    assert envelope.key(msgspec.Raw(b"{}")) is None
    assert envelope.key(None) is None


def test_whatever_is_inside_stays_the_bytes_that_it_was() -> None:
    params = b'{"n":1.0e+2,"big":123456789012345678901234567890,"text":"\\u00e9"}'
    message = read(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params)
    assert params in envelope.written(message, id=msgspec.Raw(b"9"))


def test_a_token_is_put_in_the_place_of_another() -> None:
    params = b'{"name":"slow","_meta":{"progressToken":"mine","other":[1, 2]}}'
    changed = json.loads(bytes(envelope.with_meta(params, "progressToken", b"7")))
    assert changed == {"name": "slow", "_meta": {"progressToken": 7, "other": [1, 2]}}
    alone = json.loads(bytes(envelope.with_meta(None, "progressToken", b"7")))
    assert alone == {"_meta": {"progressToken": 7}}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.sampled_from([None, 2]),
)
def test_a_message_on_one_line_says_the_same(value: object, indent: int | None) -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"v": value}}, indent=indent)
    line = envelope.one_line(text.encode())
    assert b"\n" not in line
    assert json.loads(line) == json.loads(text)


def test_who_says_its_revision_in_each_request_is_of_the_later_era() -> None:
    meta = b'{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}'
    later = read(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":%b}' % meta)
    assert envelope.is_modern(later)
    assert envelope.meta_text(later, envelope.PROTOCOL_VERSION) == "2026-07-28"
    assert not envelope.is_modern(read(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'))
    assert not envelope.is_modern(
        read(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}')
    )


def test_the_code_of_an_error_is_read() -> None:
    error = read(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')
    assert envelope.error_code(error) == -32601
    assert envelope.error_code(read(b'{"jsonrpc":"2.0","id":1,"result":{}}')) is None
