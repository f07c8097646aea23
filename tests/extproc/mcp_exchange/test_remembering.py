"""Calls that are answered by what was answered before."""

from __future__ import annotations

import json

from extproc.events import Action, Direct, Replace, Respond, ResponseBody, ResponseHeaders, Watch
from extproc.program import Program
from tests.kit.mcp_exchange import KEYED, Fake, answer, call, fakes, opened, played, program

YAML = """
mcp:
  servers:
    a:
      url: "http://a.example/mcp"
      tools: {echo: {cache: 60s, read_only: true}, add: {cache: 60s}, all: %s}
"""
OF = YAML % "{cache: 60s, cache_for: everybody, read_only: true}"
JSON = {"content-type": "application/json"}
ANN, BOB = "Bearer sk-ann", "Bearer sk-bob"


def made(yaml: str = OF, fake: Fake | None = None) -> Program:
    return program(yaml, fakes(fake or Fake("a", ("echo", "add", "all"))))


def asked(of: Program, message: object, said: str = "x", **headers: str) -> Action:
    """The last that is done; the server, where it is asked, answers this."""
    session = headers.pop("session", "") or opened(of, **headers)
    one = played(of, mcp_session_id=session, **headers)
    action = one.post(message)
    if isinstance(action, Respond):
        return action
    assert isinstance(action, Direct)
    shown = one.say(ResponseHeaders(200, "", headers=JSON))
    if isinstance(shown, Watch):
        content = {"content": [{"type": "text", "text": said}]}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": content}).encode()
        one.say(ResponseBody(body, True))
    return action


def test_who_asks_the_same_again_gets_the_same_and_the_server_is_not_asked() -> None:
    of = made()
    session = opened(of)
    assert isinstance(asked(of, call("echo", text="t"), "first", session=session), Direct)
    again = asked(of, call("echo", 7, text="t"), session=session)
    assert answer(again)["content"][0]["text"] == "first"
    assert answer(again)["_meta"] == {"dragoman/cached": {"age": 0}}
    assert isinstance(again, Respond)
    assert json.loads(again.body)["id"] == 7
    assert isinstance(asked(of, call("echo", text="other"), session=session), Direct)
    assert isinstance(asked(of, call("echo", text="t")), Direct)  # another session


def test_callers_who_are_known_have_their_own_in_all_sessions() -> None:
    of = made(OF + KEYED)
    asked(of, call("echo"), "anns", authorization=ANN)
    assert isinstance(asked(of, call("echo"), authorization=BOB), Direct)
    assert answer(asked(of, call("echo"), authorization=ANN))["content"][0]["text"] == "anns"


def test_what_is_for_everybody_is() -> None:
    of = made(OF + KEYED)
    asked(of, call("all"), "anns", authorization=ANN)
    assert answer(asked(of, call("all"), authorization=BOB))["content"][0]["text"] == "anns"


def test_a_tool_that_does_not_say_that_it_only_reads_is_asked_each_time() -> None:
    of = made()
    session = opened(of)
    for _ in range(2):
        assert isinstance(asked(of, call("add"), session=session), Direct)
    reading = made(fake=Fake("a", ("add",), annotations={"readOnlyHint": True}))
    session = opened(reading)
    assert isinstance(asked(reading, call("add"), session=session), Direct)
    assert isinstance(asked(reading, call("add"), session=session), Respond)


def test_rules_and_guards_come_before_and_limits_do_not() -> None:
    policies = """
authorize: [{name: bob, for: {mcp: a}, deny: 'principal.name == "bob"'}]
guardrails:
  - {name: bad, type: regex, patterns: [bad], for: {mcp: a}}
  - name: ann
    type: regex
    patterns: [secret]
    phase: response
    action: mask
    for: {mcp: a, key: ann}
"""
    of = made(OF + KEYED + policies)
    asked(of, call("all"), "a secret", authorization=ANN)
    hit = asked(of, call("all"), authorization=ANN)
    assert answer(hit)["content"][0]["text"] == "a [redacted]"
    denied = asked(of, call("all"), authorization=BOB)
    assert isinstance(denied, Respond)
    assert b"secret" not in denied.body
    assert answer(asked(of, call("all", x="bad"), authorization=ANN))["isError"]


def test_calls_with_progress_go_to_the_server() -> None:
    of = made()
    session = opened(of)
    message = call("echo")
    message["params"] |= {"_meta": {"progressToken": 1}}  # type: ignore[operator]
    for _ in range(2):
        assert isinstance(asked(of, message, session=session), Direct)


def test_pieces_pass_as_they_come() -> None:
    of = made()
    one = played(of, mcp_session_id=opened(of))
    one.post(call("echo"))
    assert isinstance(one.say(ResponseHeaders(200, "", headers=JSON)), Watch)
    assert one.say(ResponseBody(b'{"jsonrpc"', False)) == Replace(b'{"jsonrpc"')
    coded = played(of, mcp_session_id=opened(of))
    coded.post(call("echo"))
    coded.say(ResponseHeaders(200, "", headers=JSON | {"content-encoding": "gzip"}))
    assert coded.exchange.is_over
