from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import messages
from extproc.mcp.jsonrpc import INVALID_REQUEST, PARSE_ERROR, Fault
from extproc.mcp.messages import Batch, Kind, Message

CALL = (
    b'{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": '
    b'{"name": "a__b", "arguments": {"n": 1.10}, "_meta": {"progressToken": "t"}}}'
)


def read(body: bytes) -> Message:
    message = messages.read(body)
    assert isinstance(message, Message)
    return message


def refused(body: bytes) -> Fault:
    fault = messages.read(body)
    assert isinstance(fault, Fault)
    assert fault.status == 400
    return fault


# --- reading -------------------------------------------------------------------------------


def test_a_call_is_read() -> None:
    call = read(CALL)
    assert (call.kind, call.method, call.id, call.raw_id) == (Kind.REQUEST, "tools/call", 5, b"5")
    assert (call.name, call.uri, call.task_id) == ("a__b", "", "")
    assert call.arguments == {"n": 1.1}
    assert call.meta == {"progressToken": "t"}
    assert call.body == CALL
    assert not call.is_answer


def test_a_notification_has_no_id() -> None:
    message = read(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert (message.kind, message.id) == (Kind.NOTIFICATION, None)
    assert message.params == {}


def test_parameters_may_be_null_as_some_write_none() -> None:
    assert read(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}').params == {}


@pytest.mark.parametrize(
    ("body", "kind", "identity"),
    [
        (b'{"jsonrpc":"2.0","id":"s/i:1","result":{}}', Kind.RESULT, "s/i:1"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}', Kind.ERROR, 1),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}', Kind.ERROR, None),
        (b'{"jsonrpc":"2.0","error":{"code":1,"message":""}}', Kind.ERROR, None),
    ],
)
def test_answers_are_told_from_requests(body: bytes, kind: Kind, identity: object) -> None:
    message = read(body)
    assert (message.kind, message.id, message.method) == (kind, identity, "")
    assert message.is_answer


@pytest.mark.parametrize(
    ("raw", "identity"),
    [
        (b"0", 0),
        (b"-7", -7),
        (b"1" + b"0" * 40, 10**40),
        (b"1.50", 1.5),
        (b"1E3", 1000.0),
        (b'""', ""),
        (b'"a\\u00e9"', "aé"),
        (b'"5"', "5"),
    ],
)
def test_ids_of_every_kind_are_kept(raw: bytes, identity: object) -> None:
    message = read(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % raw)
    assert message.id == identity
    assert type(message.id) is type(identity)
    assert json.loads(message.raw_id) == identity


def test_a_number_with_a_fraction_stays_as_it_was_written() -> None:
    assert read(b'{"jsonrpc":"2.0","id": 1.50,"method":"ping"}').raw_id == b"1.50"


def test_the_id_of_a_request_is_no_fraction() -> None:
    for raw in (b"1.5", b"1.0", b"1E3"):
        assert read(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % raw).is_asked_oddly
        assert not read(b'{"jsonrpc":"2.0","id":%s,"result":{}}' % raw).is_asked_oddly
    for raw in (b"1", b'"1.5"'):
        assert not read(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % raw).is_asked_oddly


@pytest.mark.parametrize(
    "raw", [b"null", b"true", b"false", b"{}", b"[]", b"[1]", b'{"a":1}', b"1e400"]
)
def test_ids_of_other_kinds_are_refused(raw: bytes) -> None:
    fault = refused(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % raw)
    assert (fault.code, fault.raw_id) == (INVALID_REQUEST, b"null")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"jsonrpc":"2.0","id":1,"method":"ping"',
        b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":01,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}',
    ],
)
def test_what_is_not_json_is_told_so(body: bytes) -> None:
    assert refused(body).code == PARSE_ERROR


@pytest.mark.parametrize(
    "body",
    [
        b"1",
        b"null",
        b'"ping"',
        b"{}",
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":2.0,"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"method":5}',
        b'{"jsonrpc":"2.0","id":1,"method":""}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":1}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
        b'{"jsonrpc":"2.0","result":{}}',
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
    ],
)
def test_what_is_no_message_is_told_so(body: bytes) -> None:
    assert refused(body).code == INVALID_REQUEST


CALLED = '{"jsonrpc":"2.0","id":1,"method":"%s",%s"params":{"name":"a"%s}}'


@pytest.mark.parametrize(
    ("beside", "within", "wrong", "meant"),
    [
        ('"Method":"ping",', "", "Method", "method"),
        ('"METHOD":"ping",', "", "METHOD", "method"),
        ('"param\u017f":{},', "", "param\u017f", "params"),  # Go's reader folds it, too
        ('"ID":2,', "", "ID", "id"),
        ('"Params":{},', "", "Params", "params"),
        ("", ',"Name":"b"', "Name", "name"),
        ("", ',"Arguments":{}', "Arguments", "arguments"),
        ("", ',"_Meta":{}', "_Meta", "_meta"),
        ("", ',"TaskId":"x"', "TaskId", "taskId"),
        ("", ',"ref":{"Uri":"x"}', "Uri", "uri"),
    ],
)
def test_a_member_in_another_spelling_is_refused_since_some_take_it_for_the_one_that_is_read(
    beside: str, within: str, wrong: str, meant: str
) -> None:
    fault = refused((CALLED % ("tools/call", beside, within)).encode())
    assert fault.code == INVALID_REQUEST
    assert f"'{wrong}' is not '{meant}'" in fault.message


def test_arguments_and_parameters_of_others_methods_have_the_names_that_they_like() -> None:
    read((CALLED % ("tools/call", "", ',"arguments":{"Name":1,"name":2,"ID":3}')).encode())
    read((CALLED % ("vendor/call", "", ',"Name":"b"')).encode())


def test_a_refusal_has_the_id_of_what_it_refuses() -> None:
    assert refused(b'{"jsonrpc":"1.0","id":"x","method":"ping"}').raw_id == b'"x"'


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/call"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","name":"b"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":[{"b":1,"b":2}]}}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1,"a":1}}}]',
    ],
)
def test_a_key_said_twice_is_refused_at_every_depth(body: bytes) -> None:
    fault = refused(body)
    assert fault.code == INVALID_REQUEST
    assert "duplicate key" in fault.message


# --- depth ---------------------------------------------------------------------------------


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    """A request whose whole depth is this."""
    inner = opening * (depth - 2) + b"1" + closing * (depth - 2)
    return b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":%s}}' % inner


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":[', b"]}]")]
)
def test_nesting_is_bounded(opening: bytes, closing: bytes) -> None:
    each = opening.count(b"[") + opening.count(b"{")
    deepest = (messages.MAX_DEPTH - 2) // each + 2
    assert isinstance(messages.read(nested(deepest, opening, closing)), Message)
    assert "deep" in refused(nested(deepest + 2, opening, closing)).message
    assert "recursion" in refused(nested(1000, opening, closing)).message


def test_brackets_in_texts_are_no_nesting() -> None:
    text = json.dumps('[{"' * 100 + "\\")
    read(b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":%s}}' % text.encode())


_trees = st.recursive(
    st.integers() | st.text(alphabet='[]{}"\\a'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner, max_size=3)
    ),
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(_trees)
def test_depth_is_measured_exactly(value: Any) -> None:
    body = json.dumps(value).encode()
    depth = depth_of(value)
    assert not messages.is_deeper(body, depth)
    assert depth == 0 or messages.is_deeper(body, depth - 1)


# --- batches -------------------------------------------------------------------------------


def test_a_batch_is_its_messages() -> None:
    batch = messages.read(b'[%s , {"jsonrpc":"2.0","method":"n"}]' % CALL)
    assert isinstance(batch, Batch)
    assert [each.method for each in batch.messages] == ["tools/call", "n"]
    assert batch.messages[0].body == CALL


@pytest.mark.parametrize(
    "body",
    [b"[]", b"[1]", b'[{"jsonrpc":"2.0","method":"n"},[]]', b"[%s]" % b",".join([CALL] * 101)],
)
def test_a_batch_with_anything_else_is_refused_as_a_whole(body: bytes) -> None:
    assert refused(body).code == INVALID_REQUEST


# --- splicing ------------------------------------------------------------------------------


def test_only_what_is_named_is_rewritten() -> None:
    spliced = messages.rewritten(CALL, {messages.NAME: b'"b"', messages.ID: b"6"})
    assert spliced == CALL.replace(b'"id": 5', b'"id": 6').replace(b'"a__b"', b'"b"')


@pytest.mark.parametrize("name", ["b", 'quo"te', "é"])
def test_a_name_is_written_as_json(name: str) -> None:
    assert read(messages.rewritten(CALL, {messages.NAME: messages.text(name)})).name == name


def test_a_fault_of_a_message_answers_it() -> None:
    fault = read(CALL).fault(-32602, "unknown tool", 200)
    assert (fault.code, fault.raw_id, fault.status) == (-32602, b"5", 200)


def test_parameters_of_a_wrong_type_are_as_if_absent() -> None:
    message = read(
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":1,"_meta":[],"arguments":"a"}}'
    )
    assert (message.name, message.meta, message.arguments) == ("", {}, {})


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_that_is_sent_breaks_the_reading(body: bytes) -> None:
    assert isinstance(messages.read(body), Message | Batch | Fault)


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | _values,
            "id": _values,
            "method": _values,
            "params": _values,
            "result": _values,
            "error": _values,
        },
    )
)
def test_whatever_is_read_is_one_kind_of_message(document: dict[str, Any]) -> None:
    message = messages.read(json.dumps(document).encode())
    if isinstance(message, Message):
        assert document["jsonrpc"] == "2.0"
        assert message.is_answer is ("method" not in document)
        assert (message.kind is Kind.REQUEST) is ("method" in document and "id" in document)
