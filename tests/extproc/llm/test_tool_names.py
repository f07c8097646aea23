"""Names of tools, as their provider takes them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.answer import Answer, CallDelta, CallStarted, Candidate
from extproc.llm.dialects import SPEAKERS
from extproc.llm.request import (
    Choice,
    Message,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from extproc.llm.tool_names import NO_NAMES, Rule, fitted, own_name, own_names
from gateway.model import Dialect

RULES = {each: SPEAKERS[each].codec.tool_names for each in Dialect}
CHAT, CLAUDE, GEMINI = (
    RULES[each] for each in (Dialect.OPENAI_CHAT, Dialect.ANTHROPIC, Dialect.GEMINI)
)
LONG = "x" * 200

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
some_names = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=140),
        st.text("ab._:-/", min_size=1, max_size=5),
        st.sampled_from(["a.b", "a_b", "a/b", LONG, LONG + "y"]),
    ),
    min_size=1,
    unique=True,
)


def asked(*names: str) -> Request:
    return Request("m", (Message(Role.USER, (Text("hi"),)),), tools=tuple(map(Tool, names)))


def told(rule: Rule, *names: str) -> list[str]:
    return [tool.name for tool in fitted(asked(*names), rule)[0].tools]


@every_rule
def test_a_request_whose_names_fit_stays_as_it_is(rule: Rule) -> None:
    for request in (asked("get_weather", "now-2", "A" * 64), Request("m", ()), asked("")):
        assert fitted(request, rule) == (request, NO_NAMES)
        assert fitted(request, rule)[0] is request


def test_each_api_has_its_own_names() -> None:
    assert told(CHAT, "files.read", "git:commit") == ["files_read", "git_commit"]
    assert told(GEMINI, "files.read", "git:commit") == ["files.read", "git:commit"]
    assert told(CLAUDE, "x" * 128) == ["x" * 128]
    assert told(GEMINI, "2nd") != ["2nd"]


def test_two_names_do_not_become_one() -> None:
    first, second, third = told(CHAT, "files.read", "files_read", "files:read")
    assert second == "files_read"
    assert len({first, second, third}) == 3
    assert told(CHAT, "files.read", "files_read") == [first, second]
    long, longer = told(CHAT, LONG, LONG + "y")
    assert max(len(long), len(longer)) <= 64
    assert long != longer


def test_a_name_that_a_client_took_first_is_not_taken_again() -> None:
    [taken, _] = told(CHAT, "files.read", "files_read")
    names = told(CHAT, "files.read", "files_read", taken)
    assert len(set(names)) == 3
    assert names[1:] == ["files_read", taken]


def test_calls_results_and_choices_have_the_names_of_the_tools() -> None:
    messages = (
        Message(Role.USER, (Text("hi"),)),
        Message(Role.ASSISTANT, (Text("so"), ToolCall("1", "files.read", "{}"))),
        Message(Role.USER, (ToolResult("1", "files.read", (Text("a"),)),)),
    )
    request = Request(
        "m",
        messages,
        tools=(Tool("files.read"), Tool("now")),
        tool_choice=Choice.NAMED,
        tool_name="files.read",
    )
    found, names = fitted(request, CHAT)
    assert names == {"files_read": "files.read"}
    assert found.tool_name == "files_read"
    assert found.messages[0] is messages[0]
    called, answered = found.messages[1].parts[1], found.messages[2].parts[0]
    assert isinstance(called, ToolCall)
    assert isinstance(answered, ToolResult)
    assert called.name == answered.name == found.tools[0].name == "files_read"


def test_a_call_of_a_tool_that_is_gone_fits_too() -> None:
    said = Message(Role.ASSISTANT, (ToolCall("1", "files.read", "{}"),))
    found, names = fitted(Request("m", (said,)), CHAT)
    assert found.messages[0].parts == (ToolCall("1", "files_read", "{}"),)
    assert names == {"files_read": "files.read"}


def test_answers_have_the_clients_names() -> None:
    names = {"files_read": "files.read"}
    parts = (Text("so"), ToolCall("1", "files_read", "{}"), ToolCall("2", "now", "{}"))
    answer = Answer("a", "m", (Candidate(parts),), None)
    own = own_names(answer, names)
    assert own.candidates[0].parts == (parts[0], ToolCall("1", "files.read", "{}"), parts[2])
    assert own_names(answer, NO_NAMES) is answer
    assert own_name(CallStarted(0, "1", "files_read"), names) == CallStarted(0, "1", "files.read")
    for event in (CallStarted(1, "2", "now"), CallDelta(0, "files_read")):
        assert own_name(event, names) is event


@every_rule
@given(names=some_names)
def test_all_names_fit_and_all_come_back(rule: Rule, names: list[str]) -> None:
    found, back = fitted(asked(*names), rule)
    short = [tool.name for tool in found.tools]
    assert len(set(short)) == len(names)
    assert all(rule.pattern.fullmatch(each) for each in short)
    assert [back.get(each, each) for each in short] == names
    assert fitted(found, rule) == (found, NO_NAMES)
