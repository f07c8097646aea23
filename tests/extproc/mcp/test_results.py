"""Results that are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from extproc.mcp import messages, results
from extproc.mcp.messages import Message
from extproc.mcp.results import Keeping, Key, Results, is_read_only, key_of, may_be_kept

KEY: Key = ("a", "t", b"{}", "ann", False)
RESULT = {"content": [{"type": "text", "text": "x"}]}


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def kept(body: bytes, *, status: int = 200, kind: str = "application/json") -> object:
    """What is told when it is asked again; None: it was not kept."""
    of = Results(Clock())
    keeping = Keeping(of, KEY, 60)
    if keeping.begins(status, kind):
        keeping.feed(body[:5], is_end=False)
        keeping.feed(body[5:], is_end=True)
    found = of.get(KEY)
    return None if found is None else json.loads(found)


def answer(**result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {**RESULT, **result}}).encode()


def test_a_result_says_how_old_it_is_until_it_is_over() -> None:
    clock = Clock()
    of = Results(clock)
    of.put(KEY, json.dumps({**RESULT, "_meta": {"x": 1}}).encode(), 60)
    clock.now += 7.9
    found = of.get(KEY)
    assert found is not None
    assert json.loads(found) == {**RESULT, "_meta": {"x": 1, "dragoman/cached": {"age": 7}}}
    clock.now += 53
    assert of.get(KEY) is None


def test_only_whole_results_are_kept() -> None:
    told = {**RESULT, "_meta": {"dragoman/cached": {"age": 0}}}
    assert kept(answer()) == told
    assert kept(answer(resultType="complete")) is not None
    for body in (
        answer(isError=True),
        answer(resultType="input_required"),
        answer(task={"taskId": "1"}),
        answer(_meta=[]),
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
        b"no json at all",
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}',
    ):
        assert kept(body) is None
    assert kept(answer(), status=500) is None


def test_a_stream_is_kept_in_which_nobody_is_asked() -> None:
    note = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n'
    question = b'data: {"jsonrpc":"2.0","id":1,"method":"ping"}\n\n'
    event = b"id: 1\ndata: \n\n: ping\n\n" + note + b"data: " + answer() + b"\n\n"
    assert kept(event, kind="text/event-stream; charset=utf-8") is not None
    assert kept(question + event, kind="text/event-stream") is None
    assert kept(note, kind="text/event-stream") is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_ENTRIES", 2)
    of = Results(Clock())
    keys: list[Key] = [("a", "t", b"%d" % number, "", False) for number in range(3)]
    for key in keys[:2]:
        of.put(key, b"{}", 60)
    of.get(keys[0])
    of.put(keys[2], b"{}", 60)
    assert [of.get(key) is not None for key in keys] == [True, False, True]
    monkeypatch.setattr(results, "MOST_BYTES", 30)
    of.put(keys[1], b'{"x":"%s"}' % (b"y" * 20), 60)
    assert [of.get(key) is not None for key in keys] == [False, True, False]
    monkeypatch.setattr(results, "LARGEST_BYTES", 10)
    assert kept(answer()) is None


def message(**params: object) -> Message:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", **params}}
    found = messages.read(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


def test_calls_with_more_than_an_answer_are_not_kept() -> None:
    assert may_be_kept(message(arguments={}))
    assert may_be_kept(message(_meta={"x": 1}))
    more: tuple[dict[str, object], ...] = (
        {"_meta": {"progressToken": 1}},
        {"task": {}},
        {"requestState": "x"},
        {"inputResponses": {}},
    )
    for params in more:
        assert not may_be_kept(message(**params))


def test_arguments_are_told_apart_and_not_their_order() -> None:
    def key(**arguments: object) -> Key:
        return key_of(message(arguments=arguments), "a", "t", "", is_modern=False)

    assert key(a=1, b={"c": 2, "d": 3}) == key(b={"d": 3, "c": 2}, a=1)
    assert len({key(a=1), key(a="1"), key(a=1.5), key(a=None), key(), key(a=True)}) == 6


def test_a_tool_says_that_it_only_reads() -> None:
    assert is_read_only(b'{"name":"t","annotations":{"readOnlyHint":true}}')
    assert not is_read_only(b'{"name":"t","annotations":{"readOnlyHint":"true"}}')
    assert not is_read_only(b'{"name":"t"}')
