from __future__ import annotations

from extproc.llm.answer import Citation
from extproc.llm.openai_responses.open_items import (
    OpenCall,
    OpenMessage,
    OpenThinking,
    delta_head,
)
from extproc.llm.request import ToolCall


def test_the_head_of_an_event_ends_before_its_delta() -> None:
    assert delta_head("a.delta", {"item_id": "i"}) == (
        b'event: a.delta\ndata: {"type":"a.delta","item_id":"i","delta":'
    )


def test_a_message_counts_the_characters_of_its_texts() -> None:
    message = OpenMessage("msg_1", 0, 10)
    assert message.end_part() == []
    message.begin_part(is_refusal=False)
    assert message.is_telling
    message.add("abc", ())
    message.cite(Citation("https://a.example", "", 11, 13))
    message.end_part()
    message.begin_part(is_refusal=True)
    message.add("never", ())
    message.end_part()
    assert message.before == 13
    assert not message.is_telling
    text, refusal = message.item()["content"]  # type: ignore[misc]
    assert text["annotations"][0]["start_index"] == 1
    assert refusal == {"type": "refusal", "refusal": "never"}


def test_reasoning_without_a_word_has_an_empty_summary() -> None:
    thinking = OpenThinking("rs_1", 0)
    assert [kind for kind, _ in thinking.end()] == [
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    call = OpenCall("fc_1", 0, ToolCall("c", "get", ""), is_custom=False)
    assert call.begin()[0][1]["item"]["arguments"] == ""  # type: ignore[index]
    assert call.item()["arguments"] == "{}"
