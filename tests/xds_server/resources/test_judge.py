"""Which errors say that another model may answer: every sample of an error is looked at, in the
words that the script looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.failover import Cause, Failover, HealthRules
from gateway.model import Dialect, dialect_of
from gateway.operations import Operation
from tests.kit.gateways import golden_gateway
from xds_server.resources.judge import JUDGED, Judge, judge, judge_of, words_of

SAMPLES = Path(__file__).parents[2] / "translations"
ERRORS = sorted(SAMPLES.glob("*/errors/4*.json"))
PROVIDER = golden_gateway("llm-failover-paths").providers[0]
ALL = Judge(JUDGED)


@pytest.mark.parametrize("sample", ERRORS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_sample_is_what_its_name_says(sample: Path) -> None:
    text = sample.read_text()
    offered = [each for each in Operation if dialect_of(each) is Dialect(sample.parts[-3])]
    found = {cause for cause, words in words_of(offered, JUDGED) if words in text}
    _, _, name = sample.stem.partition("-")
    assert found == ({Cause(name)} if name in JUDGED else set())


def script(looked_for: Judge = ALL) -> str:
    found = judge("llm/a", PROVIDER, looked_for)["typed_config"]["default_source_code"]
    return str(found["inline_string"])


def test_bodies_are_read_only_where_something_is_looked_for_in_them() -> None:
    assert "handle:body()" in script()
    assert "handle:body()" not in script(Judge(frozenset()))
    assert "content_filter" not in script(Judge(frozenset({Cause.CONTEXT_LENGTH})))
    assert "context_length" not in script(Judge(frozenset({Cause.CONTENT_FILTER})))


def test_nobody_asks_when_nothing_depends_on_it() -> None:
    off = HealthRules(failures=0)
    assert judge_of(Failover(frozenset({Cause.RATE_LIMIT}), health=off)) is None
    assert judge_of(Failover(frozenset({Cause.RATE_LIMIT}))) == Judge(frozenset())
    assert judge_of(Failover(health=off)) == Judge(frozenset({Cause.CONTEXT_LENGTH}))
