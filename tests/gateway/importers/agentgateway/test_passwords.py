"""Users and passwords of theirs → `identity.basic`."""

from __future__ import annotations

import pytest

from gateway.identity import Accepts
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Terms
from gateway.importers.agentgateway.passwords import read_passwords
from gateway.importers.agentgateway.terms import read_terms
from gateway.model import Gateway
from tests.gateway.importers.agentgateway.imports import (
    answers,
    guarded,
    node,
    ours,
    outcomes,
)

HASH = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
USERS = f"'ann:{HASH}'"
STRICT = f"{{htpasswd: {USERS}, mode: strict, realm: desk}}"
LOCKED = Terms(locks=("basicAuth",))
KEYS = "apiKey: {mode: strict, keys: [{key: k, metadata: {name: ann}}]}"


def llm(policies: str = "") -> str:
    return (
        "llm: {port: 80, models: [{name: m, provider: openAI, params: {apiKey: k}}],"
        f" policies: {{{policies}}}}}"
    )


def file(policies: str, rest: str = "", more: str = "") -> str:
    return (
        "binds: [{port: 80, listeners: [{routes: ["
        f"{{name: app, matches: [{{path: {{pathPrefix: /app}}}}], policies: {{{policies}}},"
        f" backends: [{{host: 'a:1'}}]}}, {{name: rest, policies: {{{rest}}},"
        f" backends: [{{host: 'rest:1'}}]}}]}}]}}]\n{more}"
    )


def closed(gateway: Gateway) -> list[str]:
    return [rule.name for rule in gateway.rules if rule.expression == "true"]


def test_who_has_a_password_comes_in_and_others_come_in_elsewhere() -> None:
    gateway = ours(file(f"basicAuth: {STRICT}"))
    passwords = gateway.identity.passwords
    assert passwords is not None
    assert passwords.realm == "desk"
    assert [(each.user, each.hash) for each in passwords.holders] == [("ann", HASH)]
    app, rest = gateway.routes
    assert (app.accepts, app.is_caller_required) == (Accepts.BASIC, True)
    assert rest.is_open
    assert gateway.rules == ()


def test_what_becomes_of_its_keys_is_said_and_no_hash_is_repeated() -> None:
    found = outcomes(file(f"basicAuth: {STRICT}"))
    at = "binds.0.listeners.0.routes.0.policies.basicAuth"
    assert found[f"{at}.htpasswd"][1] == "identity.basic.htpasswd"
    assert found[f"{at}.realm"][1] == "identity.basic.realm"
    assert not any("SHA" in note for _, _, note in found.values())


def test_users_may_stand_in_a_file() -> None:
    top, draft = node("{htpasswd: {file: users}, mode: strict}")
    assert read_passwords(top, draft) == Terms(asks_password=True)
    assert draft.passwords == {"files": ["users"]}


@pytest.mark.parametrize(
    "text",
    [
        f"{{htpasswd: {USERS}}}",
        f"{{htpasswd: {USERS}, mode: optional}}",
        f"{{htpasswd: {USERS}, mode: loose}}",
        "{mode: strict}",
        "{htpasswd: '', mode: strict}",
        "{htpasswd: 'ann:plain', mode: strict}",
        "{htpasswd: 'ann:$5$x$y', mode: strict}",
        f'{{htpasswd: "ann:{HASH}\\nann:{HASH}", mode: strict}}',
        "{htpasswd: '${USERS}', mode: strict}",
        "{htpasswd: {url: x}, mode: strict}",
        f"{{htpasswd: {USERS}, mode: strict, realm: 'a\"b'}}",
        f"{{htpasswd: {USERS}, mode: strict, authorizationLocation: {{header: {{name: x-a}}}}}}",
        f"{{htpasswd: {USERS}, mode: strict, authorizationLocation: {{cookie: {{name: a}}}}}}",
        f"{{htpasswd: {USERS}, mode: strict, quantum: 1}}",
    ],
)
def test_what_cannot_be_taken_over_whole_closes(text: str) -> None:
    top, draft = node(text)
    assert read_passwords(top, draft) == LOCKED
    assert draft.passwords == {}
    assert closed(ours(file(f"basicAuth: {text}"))) == ["closed-app"]
    assert "binds.0.listeners.0.routes.0.policies.basicAuth" in guarded(file(f"basicAuth: {text}"))


def test_the_usual_place_may_be_written() -> None:
    place = "authorizationLocation: {header: {name: Authorization, prefix: 'Basic '}}"
    top, draft = node(f"{{htpasswd: {USERS}, mode: strict, {place}}}")
    assert read_passwords(top, draft) == Terms(asks_password=True)


def test_a_second_list_of_users_is_not_mixed_with_the_first() -> None:
    top, draft = node(f"[{STRICT}, {STRICT}, {{htpasswd: 'bob:{HASH}', mode: strict}}]")
    first, again, other = (read_passwords(each, draft) for each in top.items())
    assert first == again == Terms(asks_password=True)
    assert other == LOCKED


def test_a_key_or_a_login_beside_it_closes() -> None:
    assert closed(ours(file(f"basicAuth: {STRICT}, {KEYS}"))) == ["closed-app"]
    assert (Terms(asks_password=True) + Terms(logins=("a",))).locks
    assert not (Terms(asks_password=True) + Terms(asks_password=True)).locks


def test_a_password_opens_nothing_that_asks_for_keys() -> None:
    app, rest = ours(file(f"basicAuth: {STRICT}", KEYS)).routes
    assert (app.accepts, rest.accepts) == (Accepts.BASIC, Accepts.KEY)
    rules = ours(file(f"basicAuth: {STRICT}", more=llm(KEYS))).rules
    [rule] = [each for each in rules if each.scope.llm]
    assert rule.expression == 'principal.kind == "api_key" && principal.name in ["ann"]'


def test_open_models_stay_open_and_models_behind_it_are_closed() -> None:
    assert not ours(file(f"basicAuth: {STRICT}", more=llm())).identity.is_required
    top, draft = node(f"{{basicAuth: {STRICT}}}")
    terms = read_terms(top, policy_keys.ROUTE_POLICY, draft, is_llm=True)
    assert terms.locks == ("basicAuth",)
    assert answers(top)["basicAuth"].is_security
    policy = f"policies: [{{target: {{gateway: x}}, policy: {{basicAuth: {STRICT}}}}}]"
    gateway = ours(f"{llm()}\n{policy}")
    assert [(each.name, each.expression) for each in gateway.rules if each.scope.llm] == [
        ("closed-llm", "true")
    ]
