"""Guards of words, lengths and schemas, as they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.load import load, load_file
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.model import (
    GuardAction,
    GuardTerms,
    KeywordGuard,
    LengthGuard,
    Mode,
    Phase,
    SchemaGuard,
    SchemaSubject,
    TextScope,
)
from gateway.resolve import resolve


def config(guard: str, folder: Path | None = None) -> Config:
    text = f"llm: {{models: {{}}}}\nguardrails:\n  - {guard}\n"
    if folder is None:
        found = load(text, file="test.yaml", environment={})
    else:
        (folder / "gateway.yaml").write_text(text)
        found = load_file(folder / "gateway.yaml", {})
    assert isinstance(found, Config), found
    return found


def guard_of(written: Config) -> object:
    """As workers have it, too."""
    (guard,) = resolve(written).guards
    again = load(for_workers(written), file="workers", environment={})
    assert isinstance(again, Config), again
    assert resolve(again).guards == (guard,)
    return guard


def test_words_stand_there_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# rivals\nAcme\n\n  Big Corp  \r\n")
    said = "{name: rivals, type: keywords, words: [Evil Inc], file: words.txt, action: mask}"
    assert guard_of(config(said, tmp_path)) == KeywordGuard(
        "rivals",
        ("Evil Inc", "Acme", "Big Corp"),
        GuardAction.MASK,
        "[redacted]",
        "the request has text that 'rivals' does not allow",
    )


def test_lengths_have_scopes_and_phases() -> None:
    said = "{name: s, type: max_length, characters: 500, scope: [user], phase: both, mode: audit}"
    terms = GuardTerms(phase=Phase.BOTH, texts=frozenset({TextScope.USER}), mode=Mode.AUDIT)
    assert guard_of(config(said)) == LengthGuard("s", 500, "", terms)


def test_lengths_are_of_characters_or_tokens() -> None:
    guard = guard_of(config("{name: s, type: max_length, tokens: 50}"))
    assert guard == LengthGuard("s", None, "", GuardTerms(), 50)


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("of: body, phase: request", Phase.REQUEST),
        ("of: tool_input, phase: request", Phase.REQUEST),
        ("of: tool_input, phase: both", Phase.BOTH),
    ],
)
def test_a_schema_may_be_of_requests(said: str, phase: Phase) -> None:
    guard = guard_of(config(f"{{name: p, type: json_schema, schema: {{}}, {said}}}"))
    assert isinstance(guard, SchemaGuard)
    assert guard.terms.phase is phase


def test_a_schema_stands_there(tmp_path: Path) -> None:
    guard = guard_of(config("{name: p, type: json_schema, schema: {type: object}}"))
    assert guard == SchemaGuard(
        "p",
        '{"type":"object"}',
        SchemaSubject.ANSWER,
        ("*",),
        True,
        "",
        GuardTerms(phase=Phase.RESPONSE),
    )


@pytest.mark.parametrize("text", ['{"required": ["name"]}', "required: [name]\n"])
def test_a_schema_stands_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "person.json").write_text(text)
    said = "{type: json_schema, file: person.json, of: tool_input, tools: make_*, stream: cut}"
    guard = guard_of(config(said, tmp_path))
    assert isinstance(guard, SchemaGuard)
    assert guard.schema == json.dumps({"required": ["name"]}, separators=(",", ":"))
    assert (guard.subject, guard.tools, guard.is_held) == ("tool_input", ("make_*",), False)


def test_a_schema_is_that_of_the_request() -> None:
    guard = guard_of(config("{type: json_schema, from_request: true}"))
    assert isinstance(guard, SchemaGuard)
    assert guard.schema is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{type: keywords}", "needs words, or a file of them"),
        ("{type: keywords, words: ['!!']}", "must have a letter or a digit"),
        (f"{{type: keywords, words: [{'x' * 201}]}}", "must be at most 200 characters"),
        ("{type: max_length}", "needs characters, or tokens"),
        ("{type: max_length, characters: 0}", "characters"),
        ("{type: max_length, tokens: 0}", "tokens"),
        ("{type: json_schema}", "needs one of schema, file, from_request and from_server"),
        ("{type: json_schema, from_request: true, schema: {}}", "needs one of schema"),
        ("{type: json_schema, schema: {type: strin}}", "is no JSON Schema that can be used"),
        ("{type: json_schema, schema: {$ref: 'http://x/y'}}", "is no JSON Schema"),
        ("{type: json_schema, schema: {pattern: '(?=a)b'}}", "is no JSON Schema"),
        ("{type: json_schema, schema: {}, tools: [x]}", "names tools"),
        ("{type: json_schema, schema: {}, phase: request}", "judges of: answer in phase: request"),
        ("{type: json_schema, schema: {}, phase: both}", "judges of: answer in phase: both"),
        ("{type: json_schema, schema: {}, of: body}", "judges of: body in phase: response"),
        (
            "{type: json_schema, from_request: true, of: body, phase: request}",
            "needs a schema: no request has one of its body",
        ),
        (
            "{type: json_schema, schema: {}, of: body, phase: request, stream: cut}",
            "has a stream, which is an answer's",
        ),
        ("{type: json_schema, schema: {}, scope: [user]}", "scope"),
    ],
)
def test_what_is_wrong_is_told(said: str, problem: str) -> None:
    text = f"llm: {{models: {{}}}}\nguardrails:\n  - {said}\n"
    found = load(text, file="test.yaml", environment={})
    assert isinstance(found, tuple)
    assert problem in str(found[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "it must be an object"),
        ("{", "it must be an object"),
        ("{type: 3}", "has a file that is no schema"),
    ],
)
def test_a_file_that_is_no_schema_is_told(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "s.json").write_text(text)
    (tmp_path / "gateway.yaml").write_text(
        "llm: {models: {}}\nguardrails: [{type: json_schema, file: s.json}]\n"
    )
    found = load_file(tmp_path / "gateway.yaml", {})
    assert isinstance(found, tuple)
    assert problem in str(found[0])


def test_words_of_a_file_are_checked(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("ok\n---\n")
    (tmp_path / "gateway.yaml").write_text(
        "llm: {models: {}}\nguardrails: [{type: keywords, file: w}]\n"
    )
    found = load_file(tmp_path / "gateway.yaml", {})
    assert isinstance(found, tuple)
    assert "must have a letter or a digit" in str(found[0])
