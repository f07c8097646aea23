"""An expression is asked about a sample request, with all that rules would know of it."""

from __future__ import annotations

from typing import Any

import pytest

from extproc.trial.asking import Answered, Unreached, answered
from extproc.trial.cases import SampleBlock
from extproc.trial.trying import Subject, subject
from gateway.cel import CelError


def ask(text: str, **sample: Any) -> Answered:
    of = subject(None, {})
    assert isinstance(of, Subject)
    found = answered(text, SampleBlock.model_validate(sample), of)
    assert isinstance(found, Answered), found
    return found


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('principal.team == "red"', "bool", True),
        ("llm.prompt", "string", "hi"),
        ("llm.estimated_input_tokens > 0", "bool", True),
        ("llm.provider", "string", "any"),
        ("[1, 2].sum()", "int", 3),
        ('json.decode("{}")', "map", {}),
        ('context.request_time + duration("1h")', "timestamp", "2026-01-01T13:00:00Z"),
        ("mcp.tool", "string", "search"),
        ("mcp.server", "string", CelError("no usable value for mcp.server")),
    ],
)
def test_the_type_and_the_value_are_told(text: str, kind: str, value: object) -> None:
    found = ask(
        text,
        prompt="hi",
        principal={"name": "ann", "team": "red"},
        variables={"mcp.tool": "search"},
    )
    assert (found.kind, found.value) == (kind, value)


def test_the_variables_that_it_names_are_told() -> None:
    found = ask('request.headers["x-a"] == mcp.tool', headers={"X-A": "1", "x-b": "2"})
    assert found.read == {"request.headers": {"x-a": "1"}, "mcp.tool": None}


def test_secrets_are_shown_in_no_variable() -> None:
    sent = {"authorization": "Bearer k-1", "x-a": "1"}
    text = 'request.headers["authorization"].unredacted().size() + request.headers.size()'
    given = {"request.headers": sent, "apiKey.key": "k-1"}
    for found in (ask(text, headers=sent), ask(text, variables=given)):
        assert isinstance(found.value, int)
        assert found.read["request.headers.unredacted()"] == found.read["request.headers"]
        assert found.read["request.headers"]["authorization"] == "[redacted]"  # type: ignore[index]
    found = ask("apiKey.key.unredacted()", variables=given)
    assert (found.value, found.read) == ("k-1", {"apiKey.key": "[redacted]"})


def test_what_is_refused_before_has_no_answer() -> None:
    with pytest.raises(Unreached, match="404 unknown_url"):
        ask("llm.model", path="/nowhere")
    assert ask("1 + 1", path="/nowhere").value == 2


def test_a_mistake_is_said() -> None:
    of = subject(None, {})
    assert isinstance(of, Subject)
    assert answered("llm.modle", SampleBlock(), of) == (
        "1:4: unknown variable 'llm.modle' (did you mean 'llm.model'?)"
    )
