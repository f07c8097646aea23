"""API keys of theirs → `identity.api_keys`."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.importers.agentgateway.api_keys import read_api_keys, unusable_tags
from gateway.importers.agentgateway.draft import Door, Draft, Terms
from tests.gateway.importers.agentgateway.imports import answers, node


def read(text: str) -> tuple[Terms, Draft]:
    top, draft = node(text)
    return read_api_keys(top, draft), draft


def test_a_key_that_is_written_becomes_its_digest() -> None:
    terms, draft = read("{mode: strict, keys: [{key: secret, metadata: {name: A b, x: y}}]}")
    assert terms == Terms(doors=(Door(("A-b",), is_strict=True),))
    digest = sha256(b"secret").hexdigest()
    assert draft.keys == [{"name": "A-b", "digest": digest, "tags": {"name": "A b", "x": "y"}}]


def test_no_finding_repeats_a_key() -> None:
    top, draft = node("{keys: [{key: hush, metadata: {n: 1}}, {key: hush, metadata: {n: b}}]}")
    read_api_keys(top, draft)
    assert not any("hush" in str(each) for each in answers(top).values())


def test_a_variable_stays_one_and_a_digest_too() -> None:
    digest = "ab" * 32
    _, draft = read("{keys: [{keyHash: 'sha256:" + digest.upper() + "'}]}")
    assert draft.keys == [{"name": "key-1", "digest": digest}]


@pytest.mark.parametrize(
    ("mode", "is_strict"), [("strict", True), ("optional", False), ("permissive", False)]
)
def test_strict_alone_wants_a_key(mode: str, is_strict: bool) -> None:
    terms, _ = read(f"{{mode: {mode}, keys: [{{key: a}}]}}")
    assert terms.is_strict is is_strict


def test_theirs_is_optional_by_itself() -> None:
    assert not read("{keys: [{key: a}]}")[0].is_strict


def test_an_unknown_mode_is_a_problem() -> None:
    top, draft = node("{mode: loose, keys: []}")
    read_api_keys(top, draft)
    assert [each.message for each in top.walk.problems] == [
        "must be strict, optional or permissive"
    ]


def test_a_key_that_nobody_can_send_opens_nothing() -> None:
    terms, draft = read("{mode: strict, keys: [{keyHash: nonsense}]}")
    assert terms == Terms(doors=(Door((), is_strict=True),))
    assert draft.keys == []


def test_the_same_key_twice_is_one_if_both_say_the_same() -> None:
    same, draft = read("{keys: [{key: a}, {key: a}]}")
    assert same.doors[0].keys == ("key-1", "key-1")
    assert len(draft.keys) == 1
    other, _ = read("{keys: [{key: a}, {key: a, metadata: {role: admin}}]}")
    assert other.doors[0].keys == ("key-1",)


@pytest.mark.parametrize(
    ("patterns", "expression"),
    [
        ("[]", "false"),
        ("[a, b]", 'llm.model in ["a", "b"]'),
        ("['gpt-*']", 'llm.model.startsWith("gpt-")'),
        ("['*']", "true"),
        (
            "['a*b', c]",
            'llm.model in ["c"] || (llm.model.startsWith("a")'
            ' && llm.model.endsWith("b") && size(llm.model) >= 2)',
        ),
        ("['a**']", "false"),
    ],
)
def test_allowed_models_are_a_rule(patterns: str, expression: str) -> None:
    _, draft = read(f"{{keys: [{{key: a, allowedModels: {patterns}}}]}}")
    assert draft.rules == [
        {"name": "models-of-key-1", "for": {"key": "key-1", "llm": "*"}, "require": expression}
    ]


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        ("{limit: {unit: USD, amount: 2.5}, window: {rolling: 1h}}", ("2.5 USD", "hour")),
        ("{limit: {unit: Tokens, amount: 9}, window: {rolling: 24h}}", ("9 tokens", "day")),
        ("{limit: {unit: USD, amount: 2}, window: {rolling: 30d}}", None),
        ("{limit: {unit: EUR, amount: 2}, window: {rolling: 1h}}", None),
        ("{limit: {unit: USD, amount: 0}, window: {rolling: 1h}}", None),
    ],
)
def test_budgets_of_a_key_are_ours(budget: str, limit: tuple[str, str] | None) -> None:
    _, draft = read(f"{{keys: [{{key: a, budgets: [{budget}]}}]}}")
    assert [(each["limit"], each["per"]) for each in draft.budgets] == ([limit] if limit else [])


def test_metadata_that_is_no_text_cannot_be_a_tag() -> None:
    document = {"keys": [{"key": "a", "metadata": {"level": 3, "name": "x", "two": "a\nb"}}]}
    assert unusable_tags(document) == {"apiKey.level", "apiKey.two"}


def test_another_place_for_keys_is_named() -> None:
    top, draft = node("{keys: [], location: {cookie: {name: key}}}")
    read_api_keys(top, draft)
    assert "Authorization: Bearer" in answers(top)["location.cookie"].note
