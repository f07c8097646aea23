"""What a configuration becomes on the request path."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.facts import Facts
from extproc.plan import Plan, Steering, Wanted
from extproc.policies.authorize import Authorize
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.program import Program, build
from extproc.verdict import PASS, Deny
from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.operations import Operation
from gateway.resolve import resolve
from tests.kit.choosers import facts as anybody
from tests.kit.gateways import CASES, gateway_of, golden_gateway
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHAT = Wanted(Operation.CHAT, False, "/v1/chat/completions")
PROVIDERS = """
llm:
  providers:
    a: {type: openai, url: "http://a.example/v1"}
    b: {type: openai, url: "http://b.example/v1"}
  models:
    split: {weighted: {a/ma: 80, b/mb: 20}}
    pair: {failover: [a/ma, b/mb]}
    "local/*": {provider: a}
    hidden: {provider: a, model: mh, listed: false}
"""
GUARD = "guardrails: [{type: regex, patterns: [secret], action: block}]"
ALLOW = "authorize: [{name: rule, allow: 'true'}]"
DENY = "authorize: [{name: rule, deny: 'true'}]"
KEYS = "identity: {api_keys: {keys: [{name: ann, key: k-ann}]}}"


def program(yaml: str, *, choice: float = 0.0, ledger: MemoryLedger | None = None) -> Program:
    gateway = gateway_of(yaml)
    ledger = ledger or MemoryLedger()
    return build(gateway, "v7", ledger=ledger, choose=lambda: choice, created=1_700_000_000)


async def reserved(ledger: MemoryLedger) -> list[int]:
    return [(await ledger.spent(*counter)).reserved for counter in await ledger.counters()]


def rule(text: str) -> str:
    return f"authorize: [{{name: rule, {text}}}]"


def test_a_program_knows_its_version_and_its_age() -> None:
    made = program(PROVIDERS)
    assert (made.version, made.created) == ("v7", 1_700_000_000)


def test_rules_stand_before_guards_and_alone_where_no_body_is_read() -> None:
    made = program(f"{GUARD}\n{ALLOW}")
    assert [type(policy) for policy in made.request_policies] == [Authorize]
    assert made.guards.is_any
    assert [type(policy) for policy in made.header_policies] == [Authorize]


def test_who_may_not_ask_does_not_learn_what_a_guard_thinks() -> None:
    made = program(f"{GUARD}\n{DENY}")
    facts = Facts(NOW, model="m", texts=("a secret",))
    (verdict,) = [policy.on_request(facts) for policy in made.request_policies]
    assert isinstance(verdict, Deny)
    assert verdict.code == "permission_denied"
    assert isinstance(made.guards.on_request(facts), Deny)


def test_listed_models_are_those_with_a_whole_name_that_are_not_hidden() -> None:
    assert sorted(program(PROVIDERS).models) == ["pair", "split"]


@pytest.mark.parametrize("asked", ["pair", "split", "local/any", "hidden"])
def test_models_are_served_listed_or_not(asked: str) -> None:
    assert program(PROVIDERS).planners[Steering.METADATA].knows(asked)


@pytest.mark.parametrize(("choice", "provider"), [(0.0, "a"), (0.79, "a"), (0.81, "b")])
def test_the_dice_that_were_given_choose_between_targets(choice: float, provider: str) -> None:
    plan = (
        program(PROVIDERS, choice=choice).planners[Steering.METADATA].plan("split", CHAT, anybody())
    )
    assert isinstance(plan, Plan)
    assert plan.providers == (provider,)


def test_only_routes_that_ask_for_a_key_refuse_the_anonymous() -> None:
    made = program(
        """
identity: {api_keys: {keys: [{name: ann, key: k-ann}]}, required: false}
routes:
  - {name: closed, match: {path: {prefix: /closed}}, backend: "http://c.example", auth: key}
  - {name: open, match: {path: {prefix: /open}}, backend: "http://o.example", auth: none}
"""
    )
    verdicts = {
        route: made.authenticate.on_headers(Facts(NOW, route=route)) for route in ("closed", "open")
    }
    assert isinstance(verdicts["closed"], Deny)
    assert (verdicts["closed"].status, verdicts["closed"].code) == (401, "missing_api_key")
    assert verdicts["open"] == PASS


def test_keys_are_known_by_the_program() -> None:
    facts = Facts(NOW, headers={"authorization": "Bearer k-ann"})
    assert program(KEYS).authenticate.on_headers(facts) == PASS
    assert facts.principal is not None
    assert facts.principal.name == "ann"


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        (PROVIDERS, False),
        (KEYS, False),
        (rule("deny: 'principal.team == \"red\"'"), False),
        (rule("deny: 'llm.prompt.contains(\"x\")'"), True),
        (GUARD, True),
    ],
)
def test_texts_are_read_only_for_those_who_look_at_them(yaml: str, expected: bool) -> None:
    assert program(yaml).reads_texts is expected


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        (PROVIDERS, False),
        (GUARD, False),
        (rule("deny: 'llm.prompt.contains(\"x\")'"), False),
        (rule("deny: 'llm.estimated_input_tokens > 9'"), True),
        (f"{PROVIDERS}    cheap: {{cheapest: [a/x, b/y]}}\n", True),
        (PROVIDERS + "budgets: [{name: all, limit: 9 tokens, per: day}]\n", True),
    ],
)
def test_tokens_are_estimated_only_for_those_who_ask(yaml: str, expected: bool) -> None:
    assert program(yaml).reads_estimates is expected


def test_budgets_draw_on_the_ledger_at_the_prices_of_the_configuration() -> None:
    ledger = MemoryLedger()
    made = program(
        f"""{PROVIDERS}
  prices: {{ma: {{input: 1, output: 2}}, mb: {{input: 3, output: 4}}}}
budgets: [{{name: day, limit: 1 USD, per: day}}]
""",
        ledger=ledger,
    )
    plan = made.planners[Steering.METADATA].plan("pair", CHAT, anybody())
    assert isinstance(plan, Plan)
    facts = Facts(NOW, model="pair", provider="a", estimated_input_tokens=10, max_output_tokens=100)
    held = made.budgets.begin(facts, plan.dearest)
    assert isinstance(held, Held)
    assert held is not NOTHING_HELD
    dearest = 10 * 3_000 + 100 * 4_000  # nanodollars, at b's prices
    assert asyncio.run(reserved(ledger)) == [dearest]


class Unread:
    """Whoever looks at it fails."""

    def _fails(self, *_: object) -> NoReturn:
        raise AssertionError("read on the request path, and not told to workers")

    __eq__ = __hash__ = __bool__ = __iter__ = __len__ = __getattr__ = __str__ = _fails


@pytest.mark.parametrize("case", CASES)
def test_a_program_reads_no_more_than_workers_are_told(case: str) -> None:
    """See `for_workers`, and what its test compares."""
    gateway, unread = golden_gateway(case), Unread()
    hidden: Any = replace(
        gateway,
        listeners=unread,
        admin=unread,
        xds=unread,
        providers=tuple(
            replace(
                each,
                upstream=unread,
                credential=unread,
                silence_seconds=unread,
                forward_headers=unread,
            )
            for each in gateway.providers
        ),
        routes=tuple(
            replace(
                each,
                listeners=unread,
                match=unread,
                backends=unread,
                replace_prefix=unread,
                timeout_seconds=unread,
                retries=unread,
            )
            for each in gateway.routes
        ),
    )
    made = build(hidden, "v", ledger=MemoryLedger(), choose=lambda: 0.5, created=0)
    for planner in made.planners.values():
        for model in gateway.models:
            plan = planner.plan(model.name.replace("*", "some"), CHAT, anybody())
            assert (plan is None) == model.is_internal


AUTHS = (None, "key", "none")
SCOPES = ("", "for: {route: r0}, ", "for: {route: 'r*'}, ", "for: {route: '*2'}, ")
RULES = (*(f"{{name: x, {scope}allow: 'apiKey.name == \"ann\"'}}" for scope in SCOPES), "")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(AUTHS), min_size=1, max_size=4),
    st.sampled_from(RULES),
    st.sampled_from((None, True, False)),
    st.booleans(),
)
def test_what_workers_are_told_decides_as_the_whole_does(
    auths: list[str | None], rule: str, is_required: bool | None, has_keys: bool
) -> None:
    blocks = [
        f"  - {{name: r{place}, backend: 'http://b', retries: {place}"
        + (f", auth: {auth}}}" if auth else "}")
        for place, auth in enumerate(auths)
    ]
    required = "" if is_required is None else f"required: {str(is_required).lower()}, "
    keys = "{name: ann, key: k-ann}, {name: bob, key: k-bob}" if has_keys else ""
    text = "\n".join(
        [
            f"identity: {{{required}api_keys: {{keys: [{keys}]}}}}",
            f"authorize: [{rule}]",
            "routes:",
            *blocks,
        ]
    )
    config = load(text, file="whole", environment={})
    if not isinstance(config, Config):  # a rule for an open route
        return
    told = load(for_workers(config), file="told", environment={})
    assert isinstance(told, Config), told
    whole, cut = (
        build(resolve(each), "v", ledger=MemoryLedger(), choose=lambda: 0.0, created=0)
        for each in (config, told)
    )
    for route in (*(f"r{place}" for place in range(5)), ""):
        assert (route in whole.routes) == (route in cut.routes)
        for credential in (None, "k-ann", "k-bob", "k-eve"):
            headers = {} if credential is None else {"authorization": f"Bearer {credential}"}
            assert decided(whole, route, headers) == decided(cut, route, headers)


def decided(made: Program, route: str, headers: dict[str, str]) -> list[object]:
    facts = Facts(now=NOW, route=route, headers=headers)
    verdict = made.authenticate.on_headers(facts)
    if isinstance(verdict, Deny):
        return [verdict]
    return [verdict, *(policy.on_request(facts) for policy in made.header_policies)]
