"""Why an answer ended is the same in every server's words."""

from __future__ import annotations

import pytest

from extproc.llm.answer import Stop
from extproc.llm.openai_chat.stops import finish_reason, is_legacy, stop_of


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", Stop.END),
        ("length", Stop.MAX_TOKENS),
        ("tool_calls", Stop.TOOL_CALLS),
        ("function_call", Stop.TOOL_CALLS),
        ("content_filter", Stop.CONTENT_FILTER),
        ("SAFETY", Stop.CONTENT_FILTER),
        ("model_length", Stop.CONTEXT),
        ("eos", Stop.END),
        (None, Stop.END),
        ("insufficient_system_resource", Stop.OTHER),
        (7, Stop.OTHER),
    ],
)
def test_every_word_is_read(reason: object, stop: Stop) -> None:
    assert stop_of({"finish_reason": reason}, calls_tools=False, refuses=False) == (stop, "")


def test_calls_and_refusals_say_more_than_stop() -> None:
    choice = {"finish_reason": "stop"}
    assert stop_of(choice, calls_tools=True, refuses=False)[0] is Stop.TOOL_CALLS
    assert stop_of(choice, calls_tools=False, refuses=True)[0] is Stop.REFUSAL
    assert stop_of({"finish_reason": "length"}, calls_tools=True, refuses=True) == (
        Stop.MAX_TOKENS,
        "",
    )


@pytest.mark.parametrize(
    ("told", "stop"),
    [("END", (Stop.SEQUENCE, "END")), (128001, (Stop.END, "")), (None, (Stop.END, ""))],
)
def test_vllm_names_the_sequence_and_tokens_are_none(told: object, stop: object) -> None:
    choice = {"finish_reason": "stop", "stop_reason": told}
    assert stop_of(choice, calls_tools=False, refuses=False) == stop


@pytest.mark.parametrize("stop", list(Stop))
def test_every_stop_has_one_of_openais_words(stop: Stop) -> None:
    words = {"stop", "length", "tool_calls", "content_filter"}
    assert finish_reason(stop) in words
    assert finish_reason(stop, is_legacy=True) in words ^ {"tool_calls", "function_call"}


def test_a_refusal_without_a_text_is_a_filter() -> None:
    assert finish_reason(Stop.REFUSAL) == "content_filter"
    assert finish_reason(Stop.REFUSAL, has_refused=True) == "stop"


def test_clients_that_offer_functions_alone_are_of_another_time() -> None:
    assert is_legacy({"functions": [{"name": "f"}]})
    assert not is_legacy({"functions": [{"name": "f"}], "tools": [{}]})
    assert not is_legacy({"functions": []})
    assert not is_legacy({})
