"""What does not hold is told with its line; what holds is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extproc.trial.cases import ExpectBlock, Suite, load_suite
from extproc.trial.trying import Seen, Subject, subject
from extproc.trial.verdicts import became, differences, results
from extproc.verdict import Deny

DENIED = Seen(Deny(403, "permission_denied", "denied by 'a', 'b'"), ())
PASSED = Seen(None, (("openai", "gpt-5"), ("claude", "sonnet")), {"rule": "deny"})


@pytest.mark.parametrize(
    ("expected", "seen", "fields"),
    [
        ({"verdict": "deny"}, DENIED, []),
        ({"verdict": "pass"}, DENIED, ["verdict"]),
        ({"verdict": "pass"}, PASSED, []),
        ({"verdict": "deny"}, PASSED, ["verdict"]),
        ({"status": 403, "code": "permission_denied", "rule": "b", "reason": "by"}, DENIED, []),
        ({"status": 401, "code": "x", "rule": "c", "reason": "no"}, DENIED,
         ["status", "code", "rule", "reason"]),
        ({"rule": "a"}, PASSED, ["verdict"]),
        ({"provider": "openai", "model": "gpt-5"}, PASSED, []),
        ({"provider": "claude", "model": "sonnet"}, PASSED, ["provider", "model"]),
        ({"tries": ["openai/gpt-5", "claude/sonnet"]}, PASSED, []),
        ({"tries": ["openai/gpt-5"]}, PASSED, ["tries"]),
        ({"provider": "openai"}, DENIED, ["verdict"]),
        ({"provider": "openai"}, Seen(None, ()), ["provider"]),
        ({"audit": {"rule": "deny"}}, PASSED, []),
        ({"audit": {"rule": "pass", "other": "deny"}}, PASSED, ["audit", "audit"]),
        ({"audit": {"rule": "deny"}}, DENIED, ["audit"]),
    ],
)  # fmt: skip
def test_each_expectation_is_held_to_what_became(
    expected: dict[str, Any], seen: Seen, fields: list[str]
) -> None:
    block = ExpectBlock.model_validate(expected)
    assert [field for field, _ in differences(block, seen)] == fields


def test_what_became_is_said_in_one_line() -> None:
    assert became(DENIED) == "refused: 403 permission_denied: denied by 'a', 'b'"
    assert became(PASSED) == "passed to openai/gpt-5, claude/sonnet"
    assert became(Seen(None, ())) == "passed"
    assert became(Seen(None, (), answered=True)) == "answered without a provider"


def test_results_have_the_lines_of_their_file(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(
        "config: g.yaml\n"
        "tests:\n"
        "  - {name: good, request: {model: m}, expect: {provider: any}}\n"
        "  - name: bad\n"
        "    request: {model: m}\n"
        "    expect:\n"
        "      provider: other\n"
        "  - name: lost\n"
        "    request: {model: m, key: nobody}\n"
        "    expect: {verdict: pass}\n"
    )
    suite, of = load_suite(file, {}), subject(None, {})
    assert isinstance(suite, Suite)
    assert isinstance(of, Subject)
    good, bad, lost = results(of, suite)
    assert (good.line, good.failures) == (3, ())
    assert [(each.field, each.line) for each in bad.failures] == [("provider", 7)]
    assert [(each.message, each.line) for each in lost.failures] == [("no API key 'nobody'", 9)]
