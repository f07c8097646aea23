"""What of a file a model would read as text."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from extproc.events import Forward, Respond
from extproc.llm.attached import decoded, text_of
from tests.kit.llm_exchange import WITHOUT_BUDGETS, llm_exchange

SECRET = base64.b64encode(b"a secret").decode()
GUARDED = WITHOUT_BUDGETS + (
    'guardrails: [{type: regex, name: none, patterns: ["secret"], action: block}]\n'
)


@pytest.mark.parametrize(
    "file",
    [
        SECRET,
        SECRET.rstrip("="),
        f"data:text/plain;base64,{SECRET}",
        f"DATA:Text/Markdown;charset=utf-8;BASE64,{SECRET}",
        f"data:;base64,{SECRET}",
        f"data:image/svg+xml;base64,{SECRET}",
        f"data:application/octet-stream;base64,{SECRET[:4]} {SECRET[4:]}",
        f"data:text/plain;base64,{SECRET.replace('=', '%3D')}",
        "data:text/plain,a%20secret",
        "data:,a secret",
    ],
)
def test_text_is_read_however_it_is_written(file: str) -> None:
    assert text_of(file) == "a secret"


@pytest.mark.parametrize("kind", ["image/png", "audio/wav", "video/mp4", "application/pdf"])
def test_what_is_no_text_is_not_read(kind: str) -> None:
    assert text_of(f"data:{kind};base64,{SECRET}") is None


def test_urls_are_read_as_they_are() -> None:
    assert text_of("https://example.com/a") == "https://example.com/a"


def test_what_is_no_data_is_not_read() -> None:
    assert text_of("data:text/plain") is None
    assert decoded("ä") is None
    assert decoded("a") is None


def test_bytes_that_are_no_text_do_not_hide_the_rest() -> None:
    data = base64.b64encode(b"a secret\xff").decode()
    assert decoded(data) == "a secret\ufffd"
    assert decoded(data, is_text=False) is None


CLIENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "/v1/chat/completions",
        {"type": "file", "file": {"filename": "a.txt", "file_data": SECRET}},
    ),
    (
        "/v1/chat/completions",
        {"type": "image_url", "image_url": {"url": f"data:text/plain;base64,{SECRET}"}},
    ),
    ("/v1/chat/completions", {"type": "image_url", "image_url": "data:text/plain,a secret"}),
    (
        "/v1/responses",
        {
            "type": "input_file",
            "filename": "a.txt",
            "file_data": f"data:text/plain;base64,{SECRET}",
        },
    ),
    (
        "/v1/messages",
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "text/plain", "data": SECRET},
        },
    ),
    (
        "/model/pro/converse",
        {
            "document": {
                "format": "txt",
                "name": "a",
                "source": {"bytes": base64.b64encode(b"a secret\xff").decode()},
            }
        },
    ),
]


@pytest.mark.parametrize(("path", "part"), CLIENTS)
def test_no_guard_is_passed_by_a_text_in_base64(path: str, part: dict[str, Any]) -> None:
    says = [{"role": "user", "content": [part]}]
    body = {"input": says} if path == "/v1/responses" else {"messages": says}
    action = llm_exchange(GUARDED).ask(path, model="pro", max_tokens=9, **body)
    assert isinstance(action, Respond)
    assert action.status == 400


@pytest.mark.parametrize("action", ["block", "mask"])
def test_nor_where_a_model_is_invoked(action: str) -> None:
    document = {"format": "txt", "name": "a", "source": {"bytes": SECRET}}
    says = [{"role": "user", "content": [{"document": document}]}]
    guarded = GUARDED.replace("block", action)
    answer = llm_exchange(guarded).ask("/model/nova/invoke", messages=says)
    assert isinstance(answer, Respond)
    assert answer.status == 400


def test_images_pass() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{SECRET}"}}
    says = [{"role": "user", "content": [image]}]
    assert isinstance(llm_exchange(GUARDED).ask(model="gpt", messages=says), Forward)
