"""Files of policy tests are read with their lines, and mistakes in them are named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent

import pytest

from extproc.trial.cases import Suite, json_schema, load_sample, load_suite

SCHEMA = Path(__file__).parents[3] / "docs/reference/policy-tests.schema.json"


def suite(folder: Path, text: str) -> Suite | list[str]:
    file = folder / "tests.yaml"
    file.write_text(dedent(text))
    found = load_suite(file, {})
    return found if isinstance(found, Suite) else [str(each) for each in found]


def test_a_request_in_short_is_a_chat_completion(tmp_path: Path) -> None:
    found = suite(
        tmp_path,
        """
        config: g.yaml
        tests:
          - name: one
            request: {model: m, prompt: hi, max_tokens: 5, stream: true, headers: {X-Team: red}}
            expect: {verdict: pass}
        """,
    )
    assert isinstance(found, Suite)
    (case,) = found.block.tests
    assert found.line(0) == 4
    assert found.line(0, "expect", "verdict") == 6
    assert json.loads(case.request.content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "stream": True,
    }
    assert case.request.all_headers == {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        ":authority": "localhost",
        "x-team": "red",
    }


def test_a_body_is_sent_as_it_is_written(tmp_path: Path) -> None:
    found = suite(
        tmp_path,
        """
        config: g.yaml
        tests:
          - {name: json, request: {path: /a, body: {x: [1.5, null]}}, expect: {verdict: pass}}
          - {name: text, request: {path: /a, body: "{"}, expect: {verdict: pass}}
          - {name: none, request: {path: /a}, expect: {verdict: pass}}
        """,
    )
    assert isinstance(found, Suite)
    requests = [case.request for case in found.block.tests]
    assert [each.content for each in requests] == [b'{"x": [1.5, null]}', b"{", b""]
    assert [each.all_headers[":method"] for each in requests] == ["POST", "POST", "GET"]


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("{name: a, expect: {}}", "tests.0.expect: expects nothing"),
        ("{name: a}", "tests.0.expect: is required"),
        ("{name: a, expect: {stauts: 403}}", "unknown key 'stauts' (did you mean 'status'?)"),
        ("{name: a, expect: {status: 403, provider: x}}", "what is refused goes nowhere"),
        ("{name: a, expect: {verdict: pass, rule: x}}", "what is refused goes nowhere"),
        ("{name: a, request: {model: m, body: x}, expect: {status: 1}}", "either body or model"),
        (
            "{name: a, request: {key: k, principal: {name: p}}, expect: {status: 1}}",
            "either key or",
        ),
        ("{name: a, request: {time: noon}, expect: {status: 1}}", "must be a time such as"),
        ("{name: a, expect: {audit: {r: maybe}}}", "tests.0.expect.audit.r: input should be"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, test: str, problem: str) -> None:
    said = suite(tmp_path, f"config: g.yaml\ntests:\n  - {test}\n")
    assert isinstance(said, list)
    assert any(problem in line and f"{tmp_path}/tests.yaml:3: " in line for line in said)


def test_what_is_no_file_of_tests_is_refused(tmp_path: Path) -> None:
    said = suite(tmp_path, "tests: [")
    assert isinstance(said, list)
    assert "not YAML: " in said[0]
    missing = load_suite(tmp_path / "none.yaml", {})
    assert isinstance(missing, tuple)
    assert "no such file" in str(missing[0])


def test_a_sample_is_a_request_with_variables(tmp_path: Path) -> None:
    file = tmp_path / "sample.yaml"
    file.write_text("source: 10.0.0.1\nvariables: {mcp.tool: '${TOOL}'}\n")
    found = load_sample(file, {"TOOL": "search"})
    assert not isinstance(found, tuple)
    assert (found.model, found.source) == ("any", "10.0.0.1")
    assert found.variables == {"mcp.tool": "search"}


def test_the_schema_is_current() -> None:
    if os.environ.get("REWRITE"):
        SCHEMA.write_text(json_schema(), "utf-8")
    assert SCHEMA.read_text("utf-8") == json_schema()
