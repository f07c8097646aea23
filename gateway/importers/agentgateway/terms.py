"""Policies of theirs → on what terms ours lets anybody in: keys, rules, and what must stay closed.

All of a block of policies is answered here but what the caller reads itself.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.api_keys import read_api_keys
from gateway.importers.agentgateway.cel import Untranslated, names_of, translate, without_prefix
from gateway.importers.agentgateway.draft import Draft, Rule, Terms
from gateway.importers.agentgateway.keys import Rows, settle
from gateway.importers.agentgateway.logins import read_login
from gateway.importers.agentgateway.passwords import read_passwords
from gateway.importers.agentgateway.services import read_service
from gateway.importers.walk import Node

_ELSEWHERE = (
    "it asks for the path, which is another here: models are under /v1/ alone; all models of the"
    " route are refused"
)
_ERRORS_DENY = "an expression that fails denies too; theirs lets such requests pass"


def read_terms(node: Node, rows: Rows, draft: Draft, *, is_llm: bool) -> Terms:
    """The terms that a block of policies sets."""
    locks = [*settle(node, rows), *_header_locks(node, is_llm=is_llm)]
    terms = Terms(tuple(locks))
    if node.has("apiKey"):
        terms += read_api_keys(node.take("apiKey"), draft)
    terms += _asked_elsewhere(node, rows, draft, is_llm=is_llm)
    if node.has("authorization"):
        terms += read_rules(node.take("authorization"), draft, is_llm=is_llm)
    return terms


def _asked_elsewhere(node: Node, rows: Rows, draft: Draft, *, is_llm: bool) -> Terms:
    """What others are asked, where the table has it read."""
    terms = Terms()
    is_read = {name for row in rows if row.note is None for name in row.names}
    for name, read, note in (
        ("oidc", read_login, policy_keys.NO_LOGIN),
        ("extAuthz", read_service, policy_keys.NO_SERVICE),
        ("basicAuth", read_passwords, policy_keys.NO_PASSWORD),
    ):
        if name not in is_read or not node.has(name):
            continue
        if is_llm:
            node.take(name).unsupported(note, is_security=True)
            terms += Terms(locks=(name,))
        else:
            terms += read(node.take(name), draft)
    return terms


def read_rules(node: Node, draft: Draft, *, is_llm: bool) -> Terms:
    """A set of rules. Any of the allows of one set is enough, but each set has to allow."""
    settle(node, policy_keys.RULES)
    found: list[Rule] = []
    is_whole = True
    for item in node.take("rules").items():
        rule = _rule(item, draft, is_llm=is_llm)
        if rule is None:
            is_whole = False
        else:
            found.append(rule)
    if not is_whole:
        return Terms(locks=("authorization",))
    allows = [rule for rule in found if rule.effect == "allow"]
    others = [rule for rule in found if rule.effect != "allow"]
    if allows:
        sources = tuple(path for rule in allows for path in rule.sources)
        tests = [rule.expression for rule in allows]
        whole = tests[0] if len(tests) == 1 else " || ".join(f"({each})" for each in tests)
        others.append(Rule("require", whole, sources))
    return Terms(rules=tuple(others))


def of_models(terms: Terms, prefix: str, draft: Draft, *, is_elsewhere: bool) -> Terms:
    """The terms of a route, for its models: their names have a prefix here.

    `is_elsewhere`: theirs may serve them under other paths than ours.
    """
    terms = terms.of_models
    locks = list(terms.locks)
    rules: list[Rule] = []
    for rule in terms.rules:
        names = names_of(rule.expression)
        expression: str | Untranslated = rule.expression
        if is_elsewhere and "request.path" in names:
            expression = Untranslated(_ELSEWHERE)
        elif prefix and "llm.model" in names:
            expression = without_prefix(rule.expression, prefix)
        if isinstance(expression, Untranslated):
            locks.append("authorization")
            for path in rule.sources:
                draft.walk.at(path).unsupported(expression.reason, is_security=True)
            continue
        if expression != rule.expression:
            note = f"models of the route are called {prefix}NAME here: it asks for what follows"
            for path in rule.sources:
                draft.walk.at(path).different("authorize", note)
        rules.append(replace(rule, expression=expression))
    return Terms(tuple(locks), tuple(rules), terms.doors)


def _rule(item: Node, draft: Draft, *, is_llm: bool) -> Rule | None:
    """None: it cannot be taken over, and has been answered."""
    effect, place = "allow", item
    if isinstance(item.value, dict):
        unknown = settle(item, policy_keys.RULE)
        effects = [name for name in ("allow", "deny", "require") if item.has(name)]
        if unknown or len(effects) != 1:
            item.unsupported("needs one of allow, deny and require", is_security=True)
            return None
        (effect,) = effects
        place = item.take(effect)
    text = place.text()
    if text is None:
        return None
    expression = translate(text, is_llm=is_llm, unusable=draft.unusable)
    if isinstance(expression, Untranslated):
        place.unsupported(expression.reason, is_security=True)
        return None
    if effect == "deny":
        place.different("authorize", _ERRORS_DENY)
    else:
        place.exact("authorize")
    return Rule(effect, expression, (place.path,))


def _header_locks(node: Node, *, is_llm: bool) -> list[str]:
    request, response = node.take("requestHeaderModifier"), node.take("responseHeaderModifier")
    if is_llm:
        request.unsupported("of the client's headers a provider sees only forward_headers")
    locks = [] if is_llm else _settled(request, policy_keys.HEADER_MODIFIER)
    return [*locks, *_settled(response, policy_keys.RESPONSE_HEADER_MODIFIER)]


def _settled(node: Node, rows: Rows) -> list[str]:
    """Settles a block; an empty list or block in it says nothing."""
    if node.is_empty:
        return []
    said = {name: field for name, field in node.fields() if field.value not in ({}, [])}
    locks = settle(node, rows)
    return [f"{node.path[-1]}.{name}" for name in locks if name in said]
