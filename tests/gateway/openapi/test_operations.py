"""One operation is one tool."""

from __future__ import annotations

import json

import pytest

from gateway.openapi.values import Scheme
from tests.kit.openapi_documents import document, operation, parameter, problems, read


def test_parts_of_the_path_that_are_not_described_are_texts() -> None:
    found = operation(path="/a/{b}/{c}")
    assert [each.name for each in found.parameters] == ["b", "c"]
    assert json.loads(found.input_schema)["required"] == ["b", "c"]


def test_what_only_tells_paths_apart_is_not_sent() -> None:
    assert operation(path="/#Action=x").path == "/"
    assert operation(path="/a?b=c").path == "/a?b=c"


@pytest.mark.parametrize(
    ("method", "is_read_only", "is_idempotent", "is_destructive"),
    [
        ("get", True, True, False),
        ("head", True, True, False),
        ("post", False, False, False),
        ("put", False, True, True),
        ("patch", False, False, True),
        ("delete", False, True, True),
    ],
)
def test_methods_promise(
    method: str, is_read_only: bool, is_idempotent: bool, is_destructive: bool
) -> None:
    found = operation(method=method)
    assert found.is_read_only is is_read_only
    assert found.is_idempotent is is_idempotent
    assert found.is_destructive is is_destructive


@pytest.mark.parametrize(
    ("summary", "description", "title", "said"),
    [
        ("S", "D", "S", "S\n\nD"),
        ("S", "S and more", "S", "S and more"),
        ("S", None, "S", "S"),
        (None, " D ", "", "D"),
        (None, None, "", "GET /x"),
        ("x" * 121, None, "", "x" * 121),
    ],
)
def test_summary_and_description_are_told(
    summary: str | None, description: str | None, title: str, said: str
) -> None:
    found = operation(summary=summary, description=description)
    assert (found.title, found.description) == (title, said)


def test_schemes_are_told() -> None:
    schemes = {
        "a": {"type": "http", "scheme": "bearer"},
        "b": {"type": "apiKey", "in": "header", "name": "X-Key"},
    }
    api = read(document("/x", "get", {}, components={"securitySchemes": schemes}))
    assert api.schemes == (Scheme("a", "http"), Scheme("b", "apiKey", "header", "X-Key"))


def test_a_schema_that_cannot_be_checked_is_a_problem() -> None:
    written = parameter("a", "query", {"maximum": "three"})
    (problem,) = problems(document("/x", "get", {"parameters": [written]}))
    assert "they make no JSON Schema" in problem
