from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from extproc.facts import Facts
from extproc.policies.finding import Found
from extproc.policies.steps import Steps
from gateway.guards import Webhook
from gateway.model import (
    GuardAction,
    GuardTerms,
    LengthGuard,
    RegexGuard,
    RemoteGuard,
    Scope,
    TextScope,
)

SYSTEM, USER = TextScope.SYSTEM, TextScope.USER


def guard(name: str, *patterns: str, texts: Iterable[TextScope] = ()) -> RegexGuard:
    terms = GuardTerms(texts=frozenset(texts) or None)
    return RegexGuard(name, patterns, GuardAction.BLOCK, "", "", terms)


def hits(steps: Steps, texts: Sequence[str], scopes: Sequence[TextScope] = ()) -> set[str]:
    return {steps.all[index].name for index in steps.hits(texts, scopes)}


def test_what_is_found_is_named_by_its_guard() -> None:
    steps = Steps([guard("a", "x", "y"), guard("b", "z"), guard("c", "y")])
    assert hits(steps, ["y"]) == {"a", "c"}
    assert hits(steps, ["z", "x"]) == {"a", "b"}
    assert hits(steps, ["nothing"]) == set()
    assert not steps.reads_scopes


def test_each_guard_reads_where_it_looks() -> None:
    steps = Steps(
        [guard("all", "x"), guard("s", "x", texts=[SYSTEM]), guard("u", "x", texts=[USER])]
    )
    assert steps.reads_scopes
    assert hits(steps, ["x", ""], [SYSTEM, USER]) == {"all", "s"}
    assert hits(steps, ["", "x"], [SYSTEM, USER]) == {"all", "u"}


def test_a_finder_says_where_its_own_patterns_are() -> None:
    first, second = Steps([guard("a", "x"), guard("b", "y")]).all
    assert first.finder is not None
    assert second.finder is not None
    assert list(first.finder.spans("xyx")) == [Found(0, 1), Found(2, 3)]
    assert list(second.finder.spans("xyx")) == [Found(1, 2)]
    assert first.finder.is_in(["y", "x"])
    assert not second.finder.is_in(["x"])


def test_who_is_asked_depends_on_the_request() -> None:
    red = replace(guard("red", "x"), terms=GuardTerms(Scope(model="red")))
    steps = Steps([red, guard("any", "x")])
    facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="blue")
    names = [step.name for step in steps.found(steps.hits(["x"], ()), facts)]
    assert names == ["any"]
    facts.model = "red"
    names = [step.name for step in steps.found(steps.hits(["x"], ()), facts)]
    assert names == ["red", "any"]
    assert list(steps.found(steps.hits([""], ()), facts)) == []


def test_a_guard_that_asks_a_service_finds_nothing_itself() -> None:
    terms = GuardTerms(texts=frozenset({USER}))
    made = RemoteGuard("far", "webhook", Webhook("/"), "", 3.0, is_parallel=True, terms=terms)
    steps = Steps([made])
    (step,) = steps.all
    assert steps.has_remote
    assert step.is_beside
    assert step.finder is None
    assert step.reads(USER)
    assert not step.reads(SYSTEM)
    assert hits(steps, ["x"], [USER]) == set()
    assert not Steps([guard("near", "x")]).has_remote


def test_what_was_clean_is_clean_again_and_what_is_new_is_read() -> None:
    steps = Steps([guard("digits", r"[0-9]+"), guard("u", "bad", texts=[USER])])
    clean, dirty, placed = "a" * 5000, "a" * 4999 + "1", "bad" * 1000
    for _ in range(3):
        assert again(steps, [clean, dirty], [USER, USER]) == {"digits"}
        assert again(steps, [clean, placed], [USER, SYSTEM]) == set()
        assert again(steps, [clean, placed], [USER, USER]) == {"u"}


def test_how_long_a_request_is_counts_what_was_read_before() -> None:
    too_long = LengthGuard("long", 8000, "", GuardTerms())
    steps = Steps([guard("digits", r"[0-9]+"), too_long])
    assert again(steps, ["a" * 5000], []) == set()
    for _ in range(3):
        assert again(steps, ["a" * 5000, "b" * 5000], []) == {"long"}


def again(steps: Steps, texts: Sequence[str], scopes: Sequence[TextScope]) -> set[str]:
    return {steps.all[index].name for index in steps.hits_again("ada", texts, scopes)}
