"""A scope matches when all that it names match; a star takes anything that is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import product

import pytest

from extproc.facts import Facts, McpCall
from extproc.policies.scope import compile_by, compile_scope
from extproc.principal import Kind, Principal, of_key
from gateway.model import ApiKey, Scope

NOW = datetime(2026, 3, 4, tzinfo=UTC)
KEY = of_key(ApiKey("laptop", "00", user="ann", team="red"))
TOKEN = Principal(Kind.JWT, "ann", user="ann", team="red")


def llm(who: Principal | None = KEY, model: str = "fast", provider: str = "openai") -> Facts:
    return Facts(now=NOW, principal=who, model=model, provider=provider)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(key="laptop"),
        Scope(user="a*"),
        Scope(team="*"),
        Scope(model="fast", provider="open*"),
        Scope(llm="*"),
        Scope(llm="f*t"),
        Scope(key="*", user="ann", team="red", model="*", provider="*", llm="*"),
    ],
)
def test_a_scope_matches_when_all_that_it_names_do(scope: Scope) -> None:
    assert compile_scope(scope).matches(llm())


@pytest.mark.parametrize(
    "scope",
    [
        Scope(key="phone"),
        Scope(user="ann", team="blue"),
        Scope(model="slow"),
        Scope(model="fast*x"),
        Scope(mcp="*"),
        Scope(a2a="*"),
        Scope(route="*"),
    ],
)
def test_one_that_does_not_match_is_enough(scope: Scope) -> None:
    assert not compile_scope(scope).matches(llm())
    assert compile_scope(scope).subjects(llm()) is None


@pytest.mark.parametrize("scope", [Scope(key="*"), Scope(user="*"), Scope(team="*")])
def test_a_star_does_not_match_nobody(scope: Scope) -> None:
    assert not compile_scope(scope).matches(llm(who=None))


def test_a_key_without_a_team_is_in_no_team() -> None:
    keyed = of_key(ApiKey("laptop", "00"))
    assert not compile_scope(Scope(team="*")).matches(llm(who=keyed))


def test_who_shows_a_token_has_a_user_and_a_team_and_no_key() -> None:
    asked = Scope(user="a*", team="red")
    assert compile_scope(asked).subjects(llm(who=TOKEN)) == (("user", "ann"), ("team", "red"))
    assert not compile_scope(Scope(key="*")).matches(llm(who=TOKEN))


def test_a_plain_route_is_no_llm_call() -> None:
    facts = Facts(now=NOW, route="shop")
    assert compile_scope(Scope(route="sh*")).matches(facts)
    assert not compile_scope(Scope(llm="*")).matches(facts)
    assert not compile_scope(Scope(model="*")).matches(facts)


def test_listing_models_is_for_llm_but_for_no_model() -> None:
    facts = llm(model="", provider="")
    assert compile_scope(Scope(llm="*")).matches(facts)
    assert not compile_scope(Scope(model="*")).matches(facts)


def test_subjects_are_the_actual_values_of_what_is_named() -> None:
    scope = Scope(team="*", model="f*", llm="*")
    assert compile_scope(scope).subjects(llm()) == (
        ("team", "red"),
        ("model", "fast"),
        ("llm", "fast"),
    )
    assert compile_scope(scope).subjects(llm(who=None)) is None
    assert compile_scope(Scope()).subjects(llm()) == ()


def words(alphabet: str, longest: int) -> Iterator[str]:
    for size in range(1, longest + 1):
        yield from map("".join, product(alphabet, repeat=size))


def test_stars_mean_what_a_shell_means() -> None:
    for pattern in words("ab*", 5):
        matcher = compile_scope(Scope(model=pattern))
        for value in words("ab", 4):
            is_match = matcher.matches(llm(model=value))
            assert is_match == fnmatchcase(value, pattern), (pattern, value)


def test_a_secret_is_counted_under_its_hash() -> None:
    facts = Facts(now=NOW, headers={"cookie": "s=1", "x-a": "s=1"})
    assert compile_by("request.headers.cookie.unredacted()")(facts).startswith("sha256:")
    assert compile_by('request.headers["x-a"]')(facts) == "s=1"
    assert compile_by("request.headers.cookie.unredacted()")(Facts(now=NOW)) == ""


def test_tools_are_those_of_a_call_and_long_names_are_known_by_their_hash() -> None:
    of = compile_scope(Scope(mcp="notes", tool="send_*"))
    for tool, is_matched in (("send_mail", True), ("read", False), ("", False)):
        call = McpCall("tools/call", "notes", tool=tool)
        assert of.matches(Facts(now=NOW, mcp=call)) is is_matched
    assert not of.matches(llm())
    long = Facts(now=NOW, mcp=McpCall("tools/call", "notes", tool="x" * 1000))
    (_, (_, value)) = compile_scope(Scope(mcp="*", tool="*")).subjects(long) or ((), ("", ""))
    assert len(value) < 100
