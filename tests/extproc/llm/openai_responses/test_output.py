from __future__ import annotations

import pytest

from extproc.llm.answer import Citation, Logprob, Speech
from extproc.llm.openai_responses.output import Output, annotation, custom_input
from extproc.llm.request import Refusal, Text, ToolCall


def output(*parts: object, logprobs: tuple[Logprob, ...] = ()) -> list[dict[str, object]]:
    written = Output("resp_1", {})
    for part in parts:
        written.add(part)  # type: ignore[arg-type]
    return written.items(logprobs)


def test_texts_and_refusals_in_a_row_are_one_message() -> None:
    message, call, last = output(Text("a"), Refusal("no"), ToolCall("c", "get", "{}"), Text("b"))
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert (message["id"], call["id"], last["id"]) == ("msg_1_0", "fc_1_1", "msg_1_2")


def test_a_citation_is_of_the_text_before_it() -> None:
    (message,) = output(
        Text("Paris "), Text("and Rome"), Citation("https://a.example", "A", 10, 14)
    )
    first, second = message["content"]
    assert first["annotations"] == []
    assert second["annotations"] == [
        {
            "type": "url_citation",
            "url": "https://a.example",
            "title": "A",
            "start_index": 4,
            "end_index": 8,
        }
    ]


def test_a_citation_of_nothing_is_passed_over() -> None:
    assert output(Citation("https://a.example")) == []


def test_a_citation_without_a_place_has_none() -> None:
    said = annotation(Citation("https://a.example"), 7)
    assert (said["start_index"], said["end_index"]) == (0, 0)


def test_logprobs_go_to_the_texts_that_their_tokens_make() -> None:
    tokens = tuple(Logprob(token, -0.5) for token in ("Pa", "ris", "Ro", "me", "!"))
    (message,) = output(Text("Paris"), Text("Rome"), logprobs=tokens)
    told = [[each["token"] for each in part["logprobs"]] for part in message["content"]]
    assert told == [["Pa", "ris"], ["Ro", "me", "!"]]
    assert message["content"][0]["logprobs"][0]["bytes"] == list(b"Pa")


def test_of_speech_the_words_are_told() -> None:
    (message,) = output(Speech("AAAA", "hello"))
    assert message["content"][0]["text"] == "hello"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"4 + 5"}', "4 + 5"),
        ('{"other":1}', '{"other":1}'),
        ("4 + 5", "4 + 5"),
        ('{"input":5}', '{"input":5}'),
    ],
)
def test_the_text_for_a_custom_tool_is_what_the_model_wrote(arguments: str, text: str) -> None:
    assert custom_input(arguments) == text
