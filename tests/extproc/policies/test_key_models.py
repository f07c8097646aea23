"""A key that is for some models opens no other, and nothing in which the model cannot be seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extproc.facts import Facts
from extproc.policies.key_models import KeyModels
from extproc.principal import Kind, Principal
from extproc.verdict import PASS, Deny

NOW = datetime(2031, 3, 4, tzinfo=UTC)


def caller(*models: str) -> Principal:
    return Principal(Kind.API_KEY, "ci", "ci", models=models)


@pytest.mark.parametrize(
    ("models", "model", "is_open"),
    [
        ((), "any", True),
        (("fast",), "fast", True),
        (("fast",), "faster", False),
        (("gpt-*", "fast"), "gpt-5", True),
        (("gpt-*", "fast"), "fast", True),
        (("gpt-*",), "my-gpt-5", False),
        (("*",), "any", True),
        (("local/*/q4",), "local/llama/q4", True),
        (("local/*/q4",), "local/q4", False),
        (("gpt-*",), "", False),
        (("*",), "", False),
        (("GPT-*",), "gpt-5", False),
    ],
)
def test_models_are_matched_as_scopes_are(
    models: tuple[str, ...], model: str, is_open: bool
) -> None:
    policy, facts = KeyModels(), Facts(now=NOW, principal=caller(*models), model=model)
    verdicts = [policy.on_request(facts) for _ in range(2)]
    for verdict in verdicts:
        assert (verdict is PASS) is is_open
        if isinstance(verdict, Deny):
            assert (verdict.status, verdict.code) == (403, "model_not_allowed")


def test_a_refusal_names_the_key_and_the_model() -> None:
    verdict = KeyModels().on_request(Facts(now=NOW, principal=caller("a"), model="b" * 5000))
    assert isinstance(verdict, Deny)
    assert verdict.reason == f"the API key 'ci' is not for the model '{'b' * 256}'"
    assert verdict.param == "model"


def test_plain_routes_and_callers_without_such_a_key_have_no_models() -> None:
    policy = KeyModels()
    assert policy.on_request(Facts(now=NOW, principal=caller("a"), route="docs")) is PASS
    assert policy.on_request(Facts(now=NOW, model="b")) is PASS


def test_two_keys_of_one_name_are_two() -> None:
    policy = KeyModels()
    assert policy.on_request(Facts(now=NOW, principal=caller("a"), model="a")) is PASS
    assert policy.on_request(Facts(now=NOW, principal=caller("b"), model="a")) is not PASS


def test_lists_show_what_may_be_asked_for() -> None:
    policy, models = KeyModels(), ("gpt-5", "fast", "claude")
    assert policy.opened(None, models) == models
    assert policy.opened(caller(), models) == models
    assert policy.opened(caller("gpt-*", "claude"), models) == ("gpt-5", "claude")


def test_names_that_clients_choose_take_no_room_without_end() -> None:
    policy, who = KeyModels(), caller("a*")
    for number in range(20_100):
        assert policy.is_open(who, f"a{number}")
    assert policy.is_open(who, "a1")
    assert not policy.is_open(who, "b1")
