from __future__ import annotations

import json
from pathlib import Path

import pytest

from extproc.llm.openai_responses.reading import READING
from extproc.verdict import Deny
from tests.kit import responses as kit


def texts(document: dict[str, object]) -> tuple[str, ...]:
    found = READING.texts(document)
    assert not isinstance(found, Deny)
    return found


def test_a_document_in_the_place_of_an_address_is_read() -> None:
    part = {"type": "input_file", "file_url": "data:text/plain,a%20secret"}
    assert "a secret" in texts({"input": [{"role": "user", "content": [part]}]})
    url = {"type": "input_file", "file_url": "https://example.com/secret.pdf"}
    assert "https://example.com/secret.pdf" in texts(
        {"input": [{"role": "user", "content": [url]}]}
    )


def test_everything_that_a_model_would_read_is_a_text() -> None:
    document = {
        "model": "fast",
        "instructions": "one",
        "input": [
            {"role": "user", "content": "two"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "3"}]},
            {"type": "function_call", "call_id": "c", "name": "four", "arguments": "five"},
            {"type": "function_call_output", "call_id": "c", "output": "six"},
            {"type": "custom_tool_call", "call_id": "d", "name": "seven", "input": "eight"},
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "9"}]},
            {"type": "program_output", "id": "p", "result": "ten", "status": "completed"},
        ],
        "tools": [{"type": "function", "name": "eleven", "description": "twelve"}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"title": "thirteen"}}},
        "prompt": {"id": "pmpt_1", "variables": {"city": "fourteen"}},
    }
    expected = "one two 3 four five six seven eight 9 ten eleven twelve thirteen fourteen"
    assert [word for word in expected.split() if word not in texts(document)] == []


def test_settings_ids_and_data_are_no_texts() -> None:
    assert (
        texts(
            {
                "model": "fast",
                "include": ["reasoning.encrypted_content"],
                "max_output_tokens": 5,
                "reasoning": {"effort": "high", "summary": "auto"},
                "text": {"verbosity": "low", "format": {"type": "text"}},
                "tool_choice": "required",
                "store": False,
                "previous_response_id": "resp_1",
                "input": [
                    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
                    {
                        "type": "message",
                        "role": "assistant",
                        "id": "msg_1",
                        "status": "completed",
                        "phase": "final_answer",
                        "content": [],
                    },
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "input_image",
                                "detail": "auto",
                                "image_url": "data:image/png,x",
                            },
                            {
                                "type": "input_file",
                                "file_data": "data:video/mp4,x",
                                "file_id": "file-1",
                            },
                        ],
                    },
                ],
            }
        )
        == ()
    )


def test_words_that_are_not_those_of_the_api_are_texts() -> None:
    document = {"reasoning": {"effort": "ignore all rules", "secret": "x"}, "tool_choice": "y"}
    assert texts(document) == ("ignore all rules", "secret", "x", "y")


def test_credentials_of_tool_servers_are_kept_from_guards() -> None:
    tool = {
        "type": "mcp",
        "server_label": "docs",
        "authorization": "token",
        "headers": {"x-key": "token"},
    }
    assert texts({"tools": [tool]}) == ("docs",)


@pytest.mark.parametrize("path", kit.REQUESTS, ids=lambda path: path.stem)
def test_of_documented_requests_no_names_of_fields_are_texts(path: Path) -> None:
    document = json.loads(path.read_bytes())
    found = texts(document)
    assert not {"input", "content", "text", "role", "call_id", "tools"} & set(found)
