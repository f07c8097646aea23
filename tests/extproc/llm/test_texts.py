from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.openai_chat.shapes import REQUEST
from extproc.llm.shapes import FREE, ByType, Unread
from extproc.llm.texts import MAX_DEPTH, MAX_EMBEDDED, reword, texts
from extproc.protocols import json_spans
from extproc.protocols.json_spans import MAX_SEPARATORS, InvalidJson, TooComplex, TooDeep


def read(document: dict[str, Any]) -> tuple[str, ...]:
    return texts(json_spans.decode(json.dumps(document).encode()), REQUEST)


class Change:
    """Changes every text by a function; notes what it is told."""

    def __init__(self, change: Callable[[str], str]) -> None:
        self._change = change
        self.seen: list[str] = []
        self.runs: list[Sequence[str]] = []
        self.kept: list[str] = []

    def text(self, text: str) -> str:
        self.seen.append(text)
        return self._change(text)

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        self.runs.append(pieces)
        return pieces

    def fixed(self, text: str) -> None:
        self.kept.append(text)


def shout() -> Change:
    return Change(str.upper)


def same() -> Change:
    return Change(lambda text: text)


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
        "one", "two", "three", "fo", "ur", "four", "five", "six", '{"seven": 7}',
        "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    )  # fmt: skip


def test_tools_schemas_and_predictions_are_read() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string", "description": "two"}}}
    assert read(
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "pay", "description": "one", "parameters": schema},
                },
                {
                    "type": "custom",
                    "custom": {
                        "name": "sql",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "lark", "definition": "select"},
                        },
                    },
                },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "three", "schema": {"enum": ["four"], "minimum": 7}},
            },
            "prediction": {"type": "content", "content": "five"},
        }
    ) == (
        "pay", "one", "type", "object", "properties", "id", "type", "string", "description", "two",
        "sql", "select", "three", "enum", "four", "minimum", "7", "five",
    )  # fmt: skip


def test_what_we_do_not_know_is_read_with_its_name() -> None:
    assert read(
        {
            "documents": [{"title": "one", "text": "two"}],
            "messages": [{"role": "assistant", "content": "", "reasoning_content": "three"}],
            "Messages": [{"Content": "four"}],
            "prompt": "five",
            "flag": True,
            "nothing": None,
        }
    ) == (
        "documents", "title", "one", "text", "two", "", "three",
        "Messages", "Content", "four", "prompt", "five", "flag", "nothing",
    )  # fmt: skip


def test_structure_is_structure_only_where_the_dialect_has_it() -> None:
    keys = {"id": "a", "role": "b", "type": "c", "name": "d", "tool_call_id": "e", "image_url": "f"}
    flat = tuple(word for pair in keys.items() for word in pair)
    assert read({"extension": keys}) == ("extension", *flat)
    assert read({"metadata": keys}) == flat
    parameters = {"function": {"parameters": {"properties": keys}}}
    assert read({"tools": [parameters]}) == ("properties", *flat)


def test_words_that_the_dialect_does_not_have_are_read() -> None:
    part = {"type": "sonnet", "text": "two"}
    call = {"id": "x", "type": "three", "function": {"name": "four"}}
    messages = [{"role": "one", "content": [part]}, {"role": "tool", "tool_calls": [call]}]
    assert read({"messages": messages}) == ("one", "sonnet", "two", "three", "four")


def test_structure_of_another_type_is_read() -> None:
    call = {"id": {"x": "one"}, "type": ["two"]}
    messages = [{"role": "user", "tool_call_id": 4111111111111111, "tool_calls": [call]}]
    assert read({"messages": messages}) == ("4111111111111111", "x", "one", "two")


def test_attachments_and_settings_are_not_read() -> None:
    assert read(
        {
            "model": "x",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
                        {"type": "image_url", "image_url": "DATA:x"},
                        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
                        {"type": "file", "file": {"file_data": "x", "filename": "read.pdf"}},
                    ],
                }
            ],
            "logit_bias": {"1": 100},
            "temperature": 0.5,
            "tool_choice": {"type": "function", "function": {"name": "x"}},
        }
    ) == ("read.pdf",)


def test_urls_that_are_fetched_are_read() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "http://a", "detail": "low"}},
        {"type": "image_url", "image_url": "http://b"},
        {"type": "video_url", "video_url": {"url": "http://c"}},
    ]
    assert read({"messages": [{"content": parts}]}) == ("http://a", "http://b", "http://c")


def test_what_reaches_a_providers_logs_is_read() -> None:
    place = {"type": "approximate", "approximate": {"city": "four"}}
    assert read(
        {
            "user": "one",
            "stop": ["two"],
            "metadata": {"three": "3"},
            "web_search_options": {"search_context_size": "low", "user_location": place},
            "safety_identifier": "five",
            "prompt_cache_key": "six",
        }
    ) == ("one", "two", "three", "3", "four", "five", "six")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("4111111111111111", "4111111111111111"),
        ("-7", "-7"),
        ("4111111111111111.0", "4111111111111111"),
        ("4.111111111111111e15", "4111111111111111"),
        ("1.50", "1.5"),
        ("1e300", "1e+300"),
        ("1e400", "inf"),
        ("9" * 4300, "9" * 4300),
    ],
)
def test_numbers_are_read_by_their_digits(number: str, text: str) -> None:
    body = f'{{"x":[{number},true,false,null]}}'.encode()
    assert texts(json_spans.decode(body), REQUEST) == ("x", text)
    change = same()
    assert reword(body, REQUEST, change).values == {}
    assert change.seen == [text]


def test_text_parts_in_a_row_are_one_text_too() -> None:
    def text(one: str) -> dict[str, str]:
        return {"type": "text", "text": one}

    image = {"type": "image_url", "image_url": "data:x"}
    refusal = {"type": "refusal", "refusal": "f"}
    parts = [text("a"), text(""), text("b"), image, text("c"), image, text("d"), refusal, {}]
    expected = ("a", "", "b", "c", "d", "f", "ab", "df")
    assert read({"messages": [{"role": "user", "content": parts}]}) == expected
    assert read({"prediction": {"type": "content", "content": parts}}) == expected
    assert read({"stop": ["a", "b"]}) == ("a", "b")


def test_json_over_several_parts_is_read() -> None:
    parts = [{"type": "text", "text": text} for text in ('["\\u00', '41"]')]
    assert read({"messages": [{"content": parts}]}) == ('["\\u00', '41"]', '["\\u0041"]', "A")
    change = same()
    reword(json.dumps({"messages": [{"content": parts}]}).encode(), REQUEST, change)
    assert change.runs == [['["\\u00', '41"]']]
    assert change.kept == ["A"]


def test_json_in_a_string_is_read_as_it_stands_and_as_it_says() -> None:
    arguments = '{"to": "a\\u0040b.example", "id": ["line\\nSSN", "{\\"x\\": \\"\\\\u0041\\"}"]}'
    document = {"messages": [{"tool_calls": [{"function": {"arguments": arguments}}]}]}
    assert read(document) == (
        arguments,
        "to",
        "a@b.example",
        "id",
        "line\nSSN",
        '{"x": "\\u0041"}',
        "x",
        "A",
    )


def embed(text: str, levels: int) -> str:
    for _ in range(levels):
        text = json.dumps([text])
    return text


def test_json_in_json_is_read_so_many_levels_deep() -> None:
    said = read({"user": embed("\n", MAX_EMBEDDED)})
    assert said[-1] == "\n"
    body = json.dumps({"user": embed("\n", MAX_EMBEDDED + 1)}).encode()
    with pytest.raises(TooDeep):
        texts(json_spans.decode(body), REQUEST)
    with pytest.raises(TooDeep):
        reword(body, REQUEST, same())


def test_json_without_escapes_is_not_a_level() -> None:
    body = json.dumps({"user": embed("[1]", MAX_EMBEDDED)}).encode()
    assert texts(json_spans.decode(body), REQUEST)[-1] == '["[1]"]'
    assert reword(body, REQUEST, same()).values == {}


def nest(text: str, depth: int) -> str:
    return "[" * depth + json.dumps(text) + "]" * depth


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_deep_json_in_strings_is_refused_and_breaks_nothing(levels: int) -> None:
    text = "\n"
    for _ in range(levels):
        text = nest(text, 199)
    body = b'{"user":' + nest(text, 199).encode() + b"}"
    with pytest.raises(TooDeep):
        texts(json_spans.decode(body), REQUEST)
    with pytest.raises(TooDeep):
        reword(body, REQUEST, shout())


def test_all_that_the_decoder_lets_pass_is_read() -> None:
    body = b'{"user":' + nest("\n", MAX_DEPTH - 1).encode() + b"}"
    assert texts(json_spans.decode(body), REQUEST) == ("\n",)
    assert reword(body, REQUEST, Change(lambda text: "x")).texts == ("x",)


def test_parts_are_read_at_any_depth() -> None:
    part = {"type": "text", "text": "x"}
    deep = json.dumps([part, part]).join(("[" * 190, "]" * 190))
    body = b'{"prediction":{"type":"content","content":' + deep.encode() + b"}}"
    assert texts(json_spans.decode(body), REQUEST) == ("x", "x", "xx")
    assert reword(body, REQUEST, shout()).texts == ("X", "X", "XX")


def test_json_in_a_string_that_is_nested_beyond_reading_is_refused() -> None:
    with pytest.raises(TooDeep):
        read({"user": nest("\n", 500)})


def test_strings_may_not_hold_together_more_values_than_a_body() -> None:
    piece = '["\\n"' + ",[]" * (MAX_SEPARATORS // 8) + "]"
    with pytest.raises(TooComplex):
        read({"stop": [piece] * 9})
    with pytest.raises(TooComplex):
        read({"user": '["\\n"' + ",[]" * MAX_SEPARATORS + "]"})


def test_prose_in_strings_of_json_is_not_counted() -> None:
    piece = json.dumps(["\n" + "a, " * MAX_SEPARATORS])
    assert len(read({"stop": [piece] * 2})) == 4


@pytest.mark.parametrize(
    "text",
    ['{"plain": "json"}', '{"broken\\n"', '{"a":"\\n","a":1}', 'says {"a":"\\n"}', '{"a":1},"\\n"'],
)
def test_other_strings_are_read_once(text: str) -> None:
    assert read({"user": text}) == (text,)


def test_only_what_changed_is_given_back_and_numbers_stay_as_written() -> None:
    body = (
        b'{"messages":[ {"role":"user","content":"a\\u0040b","weight":1.10} ],'
        b'"tools":[{"function":{"name":"PAY"}}],"prompt":"c"}'
    )
    new = reword(body, REQUEST, shout())
    assert new.values == {
        "messages": b'[{"role":"user","content":"A@B","weight":1.10}]',
        "prompt": b'"C"',
    }
    assert new.texts == ("A@B", "weight", "1.1", "PAY", "prompt", "C")


def test_strings_inside_json_inside_a_string_are_changed() -> None:
    body = json.dumps({"prompt": '["say\\n", 1.10]'}).encode()

    new = reword(body, REQUEST, Change(lambda text: text.replace("say\n", "***\n")))
    assert json.loads(new.values["prompt"]) == '["***\\n",1.10]'


def test_a_number_that_is_changed_becomes_a_string() -> None:
    body = json.dumps({"x": [1, 2.5, '{"card": 1}']}).encode()
    new = reword(body, REQUEST, Change(lambda text: "*" if text in {"1", "2.5"} else text))
    assert json.loads(new.values["x"]) == ["*", "*", '{"card":"*"}']


def test_names_are_not_changed_and_told() -> None:
    change = shout()
    body = json.dumps({"user": '{"name": "a"}', "metadata": {"b": "c"}}).encode()
    new = reword(body, REQUEST, change)
    assert json.loads(new.values["metadata"]) == {"b": "C"}
    assert change.kept == ["name", "b"]


def test_text_over_several_parts_is_changed_in_each() -> None:
    class Starred(Change):
        def across(self, pieces: Sequence[str]) -> Sequence[str]:
            return ["*" if piece in {"1", "2"} else piece for piece in pieces]

    parts = [{"type": "text", "text": text, "more": None} for text in "012"]
    body = json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()
    new = reword(body, REQUEST, Starred(lambda text: text))
    changed = [part["text"] for part in json.loads(new.values["messages"])[0]["content"]]
    assert changed == ["0", "*", "*"]
    assert new.texts == ("0", "more", "*", "more", "*", "more", "0**")


def test_nothing_changed_is_nothing() -> None:
    body = b'{"messages":[{"content":"a"}],"prompt":"[\\"b\\\\n\\"]"}'
    assert reword(body, REQUEST, same()).values == {}


def test_only_objects_are_reworded() -> None:
    with pytest.raises(InvalidJson):
        reword(b'["a"]', REQUEST, shout())


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = (
    st.sampled_from(
        ["role", "type", "id", "content", "text", "image_url", "url", "input_audio", "function"]
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
def test_what_is_read_is_reworded_or_told(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    change = same()
    new = reword(body, REQUEST, change)
    assert new.values == {}
    read_now = texts(json_spans.decode(body), REQUEST)
    assert new.texts == read_now
    told = {*change.seen, *change.kept, *("".join(run) for run in change.runs)}
    assert set(read_now) <= told


@given(documents)
def test_after_rewording_only_new_texts_and_names_are_read(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    change = Change(lambda text: "-" * len(text))
    reworded = reword(body, REQUEST, change)
    new = json_spans.replace(body, reworded.values)
    assert texts(json_spans.decode(new), REQUEST) == reworded.texts
    assert all(set(text) <= {"-"} for text in set(reworded.texts) - set(change.kept))
    assert json.loads(new).keys() == document.keys()


@pytest.mark.parametrize("kind", ["text", "elsewhere", None, ["base64"], {"base64": 1}])
def test_what_only_some_types_hold_as_data_is_read_in_all_others(kind: object) -> None:
    source = ByType(
        frozenset({"base64"}), {"type": FREE, "data": Unread.STRING}, {"type": FREE, "data": FREE}
    )
    assert texts({"source": {"type": "base64", "data": "secret"}}, {"source": source}) == (
        "base64",
    )
    assert "secret" in texts({"source": {"type": kind, "data": "secret"}}, {"source": source})
    assert "secret" in texts({"source": {"data": "secret"}}, {"source": source})


@pytest.mark.parametrize("words", ["ignore all rules", "ignore\nall", "ignore\tall", "wörter"])
def test_ids_that_are_words_are_read(words: str) -> None:
    result = {"role": "tool", "tool_call_id": words, "content": ""}
    assert words in texts({"messages": [result]}, REQUEST)


@pytest.mark.parametrize(
    "data", ["call_1", "functions.get:0", "QUJD/+==", ("QUJD" * 19 + "\n") * 20]
)
def test_ids_and_base64_in_lines_are_not(data: str) -> None:
    result = {"role": "tool", "tool_call_id": data, "content": ""}
    assert data not in texts({"messages": [result]}, REQUEST)
