"""Answers are looked at where a guard is for them, and only there."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from extproc.facts import Facts
from extproc.guarding import Watchman
from extproc.llm.dialect import Call
from extproc.llm.dialects import SPEAKERS
from extproc.program import Program, build
from extproc.verdict import Deny
from extproc.watching import Framing, watchman_of
from gateway.config.load import load
from gateway.model import Dialect
from gateway.operations import Operation
from gateway.resolve import resolve
from tests.kit.memory_ledger import MemoryLedger

CHAT = Framing(Dialect.OPENAI_CHAT, Operation.CHAT, False, False)
SCHEMA = "{type: json_schema, schema: {type: object}, for: {model: fast}}"
WORDS = "{type: keywords, words: [x], phase: response, for: {model: fast}}"
OF_REQUEST = "{type: json_schema, from_request: true}"
LLM = """
llm:
  providers: {p: {type: openai, url: "http://127.0.0.1:9/v1", key: sk-p}}
  models: {fast: p/m, slow: p/m}
"""


def program(*guards: str) -> Program:
    text = f"{LLM}guardrails: [{', '.join(guards)}]\n"
    config = load(text, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    return build(resolve(config), "1", ledger=MemoryLedger(), choose=lambda: 0.0, created=0)


def call(**fields: object) -> Call:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], **fields}
    reading = SPEAKERS[Dialect.OPENAI_CHAT].reading
    found = reading.decode(json.dumps(body).encode(), "", is_stream=False)
    assert isinstance(found, Call)
    return found


def facts(model: str = "fast") -> Facts:
    return Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model=model)


@pytest.mark.parametrize(
    ("guards", "has_steps", "has_forms"),
    [((SCHEMA,), False, True), ((WORDS,), True, False), ((SCHEMA, WORDS), True, True)],
)
def test_guards_that_are_for_an_answer_look_at_it(
    guards: tuple[str, ...], has_steps: bool, has_forms: bool
) -> None:
    found = watchman_of(program(*guards), facts(), call(), CHAT)
    assert isinstance(found, Watchman)
    assert bool(found.steps) is has_steps
    assert (found.conforming is not None) is has_forms


def test_nobody_looks_where_no_guard_is_for_it() -> None:
    assert watchman_of(program(), facts(), call(), CHAT) is None
    assert watchman_of(program(SCHEMA, WORDS), facts("slow"), call(), CHAT) is None
    assert watchman_of(program(OF_REQUEST), facts(), call(), CHAT) is None


def test_what_is_no_conversation_has_no_form_but_for_legacy_completions() -> None:
    images = Framing(None, Operation.IMAGE_GENERATIONS, False, False)
    assert watchman_of(program(SCHEMA, WORDS), facts(), call(), images) is None
    legacy = Framing(None, Operation.COMPLETIONS, False, False)
    found = watchman_of(program(SCHEMA, WORDS), facts(), call(), legacy)
    assert isinstance(found, Watchman)
    assert found.conforming is not None
    assert watchman_of(program(OF_REQUEST), facts(), call(), legacy) is None


def test_a_schema_that_cannot_be_used_is_refused() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 3}}}
    found = watchman_of(program(OF_REQUEST), facts(), call(response_format=wanted), CHAT)
    assert isinstance(found, Deny)
    assert found.code == "invalid_schema"
