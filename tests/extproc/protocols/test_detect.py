"""Which operation a request line asks for."""

from __future__ import annotations

import pytest

from extproc.protocols.detect import Operation, model_name, operation


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/chat/completions", Operation.CHAT),
        ("POST", "/v1/chat/completions?beta=true", Operation.CHAT),
        ("GET", "/v1/chat/completions", Operation.WRONG_METHOD),
        ("GET", "/v1/models", Operation.LIST_MODELS),
        ("POST", "/v1/models", Operation.WRONG_METHOD),
        ("GET", "/v1/models/gpt-5", Operation.GET_MODEL),
        ("GET", "/v1/models/local/llama", Operation.GET_MODEL),
        ("DELETE", "/v1/models/gpt-5", Operation.WRONG_METHOD),
        ("GET", "/v1/models/", Operation.UNSUPPORTED),
        ("POST", "/v1/chat/completions/", Operation.UNSUPPORTED),
        ("POST", "/v1/dance", Operation.UNSUPPORTED),
    ],
)
def test_a_request_line_is_one_operation(method: str, path: str, expected: Operation) -> None:
    assert operation(method, path) is expected


def test_a_models_name_is_decoded_and_ends_at_the_query() -> None:
    assert model_name("/v1/models/local%2Fllama?x=1") == "local/llama"
