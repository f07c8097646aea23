"""The first provider fails in every way; the client sees the second's 200, in the same request."""

from __future__ import annotations

import pytest

from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

FAILURES = ("429", "500", "503", "hang", "reset")
ASK = [{"role": "user", "content": "say hello"}]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("failure", FAILURES)
def test_the_second_provider_answers_when_the_first_fails(
    stack: Stack, failure: str, is_stream: bool
) -> None:
    stack.switch("a", failure)
    answer = stack.chat({"model": "demo", "messages": ASK, "stream": is_stream})
    assert answer.status_code == 200
    if is_stream:
        assert answer.text.rstrip().endswith("data: [DONE]")
    else:
        assert answer.json()["choices"][0]["message"]["content"]
    assert stack.seen("b")[-1]["headers"]["authorization"] == "Bearer demo-provider-key-b"
    assert "demo-provider-key-a" not in str(stack.seen("b"))
    assert "dragoman-demo" not in str(stack.seen("a")[-1]["headers"])


def test_a_prompt_of_a_megabyte_is_tried_again(stack: Stack) -> None:
    stack.switch("a", "429")
    ask = [{"role": "user", "content": "word " * 220_000}]
    answer = stack.chat({"model": "demo", "messages": ask})
    assert answer.status_code == 200
    assert stack.seen("b")[-1]["body"]["messages"] == ask


def test_each_provider_is_asked_for_the_model_that_it_knows(stack: Stack) -> None:
    stack.switch("a", "503")
    assert stack.chat({"model": "demo", "messages": ASK}).status_code == 200
    assert stack.seen("a")[-1]["body"]["model"] == "demo-a"
    assert stack.seen("b")[-1]["body"]["model"] == "demo-b"


def test_no_client_chooses_where_its_request_goes(stack: Stack) -> None:
    before = len(stack.seen("b"))
    for name in ("llm/demo-b", "plan/demo-b>demo-a", "dragoman_extproc"):
        headers = {"x-dragoman-plan": name, "x-envoy-attempt-count": "2"}
        assert stack.chat({"model": "demo", "messages": ASK}, headers=headers).status_code == 200
        assert "x-dragoman-plan" not in stack.seen("a")[-1]["headers"]
    assert len(stack.seen("b")) == before


def test_when_all_fail_the_last_answer_is_the_clients(stack: Stack) -> None:
    stack.switch("a", "429")
    stack.switch("b", "503")
    assert stack.chat({"model": "demo", "messages": ASK}).status_code == 503


def test_a_single_provider_is_not_tried_twice(stack: Stack) -> None:
    stack.switch("a", "429")
    before = len(stack.seen("a"))
    assert stack.chat({"model": "demo-a", "messages": ASK}).status_code == 429
    assert len(stack.seen("a")) == before + 1
