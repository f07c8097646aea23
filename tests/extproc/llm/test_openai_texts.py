from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.openai_texts import reword, texts
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson


def read(document: dict[str, Any]) -> tuple[str, ...]:
    return texts(json_spans.decode(json.dumps(document).encode()))


def shout(text: str) -> str:
    return text.upper()


def test_every_kind_of_message_is_read_in_order() -> None:
    document = {
        "model": "unread",
        "messages": [
            {"role": "developer", "content": "one"},
            {"role": "system", "content": [{"type": "text", "text": "two"}], "name": "three"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}],
            },
            {
                "role": "assistant",
                "content": None,
                "refusal": "five",
                "tool_calls": [
                    {
                        "id": "unread",
                        "type": "function",
                        "function": {"name": "six", "arguments": '{"seven": 7}'},
                    },
                    {
                        "id": "unread",
                        "type": "custom",
                        "custom": {"name": "eight", "input": "nine"},
                    },
                ],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "ten"}]},
            {"role": "tool", "tool_call_id": "unread", "content": "eleven"},
            {"role": "function", "name": "twelve", "content": "thirteen"},
            {"role": "assistant", "function_call": {"name": "fourteen", "arguments": "fifteen"}},
        ],
    }
    assert read(document) == (
        "one", "two", "three", "fo", "ur", "five", "six", '{"seven": 7}', "eight", "nine", "ten",
        "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    )  # fmt: skip


def test_tools_schemas_and_predictions_are_read() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string", "description": "two"}}}
    assert read(
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "pay", "description": "one", "parameters": schema},
                }
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "three", "schema": {"enum": ["four"], "type": "string"}},
            },
            "prediction": {"type": "content", "content": "five"},
        }
    ) == ("pay", "one", "two", "three", "four", "five")


def test_what_we_do_not_know_is_read() -> None:
    assert read(
        {
            "documents": [{"title": "one", "text": "two"}],
            "messages": [{"role": "assistant", "content": "", "reasoning_content": "three"}],
            "Messages": [{"Content": "four"}],
            "prompt": "five",
        }
    ) == ("one", "two", "", "three", "four", "five")


def test_attachments_and_settings_are_not_read() -> None:
    assert read(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
                        {"type": "image_url", "image_url": "data:x"},
                        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
                        {"type": "file", "file": {"file_data": "x", "filename": "read.pdf"}},
                    ],
                }
            ],
            "user": "x",
            "stop": ["x"],
            "metadata": {"x": "x"},
            "tool_choice": {"type": "function", "function": {"name": "x"}},
        }
    ) == ("read.pdf",)


def test_json_in_a_string_is_read_as_it_stands_and_as_it_says() -> None:
    arguments = '{"to": "a\\u0040b.example", "id": ["line\\nSSN", "{\\"x\\": \\"\\\\u0041\\"}"]}'
    document = {"messages": [{"tool_calls": [{"function": {"arguments": arguments}}]}]}
    assert read(document) == (
        arguments,
        "a@b.example",
        "line\nSSN",
        '{"x": "\\u0041"}',
        "A",
    )


@pytest.mark.parametrize(
    "text",
    ['{"plain": "json"}', '{"broken\\n"', '{"a":"\\n","a":1}', 'says {"a":"\\n"}', '{"a":1},"\\n"'],
)
def test_other_strings_are_read_once(text: str) -> None:
    assert read({"prompt": text}) == (text,)


def test_only_what_changed_is_given_back_and_numbers_stay_as_written() -> None:
    body = (
        b'{"messages":[ {"role":"user","content":"a\\u0040b","weight":1.10} ],'
        b'"tools":[{"function":{"name":"PAY"}}],"prompt":"c"}'
    )
    assert reword(body, shout) == {
        "messages": b'[{"role":"user","content":"A@B","weight":1.10}]',
        "prompt": b'"C"',
    }


def test_strings_inside_json_inside_a_string_are_changed() -> None:
    body = json.dumps({"prompt": '["say\\n", 1.10]'}).encode()

    def mask(text: str) -> str:
        return text.replace("say\n", "***\n")

    assert json.loads(reword(body, mask)["prompt"]) == '["***\\n",1.10]'


def test_nothing_changed_is_nothing() -> None:
    body = b'{"messages":[{"content":"a"}],"prompt":"[\\"b\\\\n\\"]"}'
    assert reword(body, lambda text: text) == {}


def test_only_objects_are_reworded() -> None:
    with pytest.raises(InvalidJson):
        reword(b'["a"]', shout)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = (
    st.sampled_from(
        ["role", "type", "id", "content", "text", "image_url", "url", "input_audio", "data", "file"]
    )
    | words
)
values = st.recursive(
    st.none() | st.integers() | words | st.lists(words).map(json.dumps),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)
documents = st.dictionaries(st.sampled_from(["messages", "model", "tools", "user", "x"]), values)


@given(documents)
def test_what_is_reworded_is_what_is_read(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    seen: list[str] = []

    def note(text: str) -> str:
        seen.append(text)
        return text

    assert reword(body, note) == {}
    assert sorted(seen) == sorted(texts(json_spans.decode(body)))


@given(documents)
def test_after_rewording_only_new_texts_are_read(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    new = json_spans.replace(body, reword(body, lambda text: "-" * len(text)))
    assert all(set(text) <= {"-"} for text in texts(json_spans.decode(new)))
    assert json.loads(new).keys() == document.keys()
