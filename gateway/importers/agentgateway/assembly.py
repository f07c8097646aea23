"""What was taken over → our document: routes in their order, identity, rules.

What cannot be served on its terms is closed: a route keeps its place and refuses everything, when
another would take its requests; else it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.config import stars
from gateway.importers.agentgateway.apis import kept_at, opened, path_rule
from gateway.importers.agentgateway.draft import (
    CLOSED,
    ELSEWHERE,
    OPEN,
    Door,
    Draft,
    Entry,
    Llm,
    Rule,
    Terms,
    quoted,
)
from gateway.importers.agentgateway.matches import Match, closest, overlap
from gateway.importers.agentgateway.patterns import any_of, may_share
from gateway.importers.opened import Place, of_families, paths
from gateway.names import LLM_PREFIX

_ADMIN_PORT = 15000
_FAR = 1_000_000
_PLAIN = len(Match().precision)
"""Parts of the precision of a route that is in no group."""
_STRICTER = "it asks for a key, since other models do, and rules come after keys"
_NO_LLM_PATH = f"{LLM_PREFIX} belongs to the models"


@dataclass(slots=True)
class Assembled:
    """The document, and what became of each route."""

    document: dict[str, object] = field(default_factory=dict)
    routes: list[Entry] = field(default_factory=list)
    left_out: list[tuple[Entry, str]] = field(default_factory=list)
    """With the reason."""
    gateways: tuple[str, ...] = ()


def assemble(draft: Draft) -> Assembled:
    """The whole document."""
    found = Assembled()
    has_models = bool(draft.models and draft.llms)
    _place(draft, found, has_models=has_models)
    found.gateways = _emitted(draft, found)
    apis = opened(draft, _precedes) if has_models else {}
    llms = [_everywhere(llm, draft, found) for llm in draft.llms] if has_models else []
    required = _required(llms, found.routes, draft)
    is_required = _has_credentials(draft) if required is None else required
    identity = _identity(required, draft)
    for llm in llms:
        if is_required and not (llm.terms.is_strict or llm.terms.locks):
            llm.node.different("identity.required", _STRICTER)
    stored_at = kept_at(llms, apis)
    served = of_families(frozenset().union(*apis.values()))
    for llm in llms:
        _llm_rules(llm, draft, is_required=is_required)
        if not llm.terms.locks:
            path_rule(llm, apis[llm.pattern], served, draft)
    if llms:
        _rules_of_models(draft, is_required=is_required)
    routes = [_route(entry, draft, found, is_required=is_required) for entry in found.routes]
    found.document = {
        "gateways": {name: _gateway(name, draft) for name in found.gateways},
        "identity": identity,
        "llm": _llm(draft, served, stored_at) if has_models else {},
        "external_authz": draft.services,
        "authorize": draft.rules,
        "guardrails": draft.guards if has_models else [],
        "budgets": draft.budgets,
        **_limits(draft, found),
        "routes": routes,
        "admin": _admin(draft, found),
    }
    return found


def _limits(draft: Draft, found: Assembled) -> dict[str, object]:
    """Of services that are asked, each for one route; and these services."""
    limits = [
        {"name": draft.name("limit", f"{entry.name}-asked", "asked"), "for": {"route": entry.name}}
        | dict(each)
        for entry in found.routes
        if not entry.is_closed
        for each in entry.limits
    ]
    asked = {each["service"] for each in limits}
    services = {name: each for name, each in draft.limit_services.items() if name in asked}
    return {"limit_services": services, "limits": limits} if limits else {}


def _place(draft: Draft, found: Assembled, *, has_models: bool) -> None:
    """Sorts the entries and drops closed ones that keep nothing out."""
    ordered = _strictest(sorted(_apart(draft.entries, draft), key=_order))
    kept: list[Entry] = []
    behind: list[Entry] = []
    for entry in reversed(ordered):
        reason = _unneeded(entry, behind, has_models=has_models)
        if reason:
            found.left_out.append((entry, reason))
            continue
        kept.append(entry)
        if not entry.is_closed:
            behind.append(entry)
    found.routes = kept[::-1]


def _order(entry: Entry) -> tuple[int, ...]:
    """The smaller goes first. Of equally close ones, theirs may take either: the stricter does."""
    ranks = _ranks(entry)
    strictness = 0 if entry.is_closed else 1 + int(entry.terms.is_open)
    if not _is_grouped(entry):
        # beside a route that leads to a group, and is as close
        ranks = (*ranks, -_FAR if entry.is_closed else _FAR)
    return (*ranks, strictness)


def _ranks(entry: Entry) -> tuple[int, ...]:
    """How close it is to a request: the smaller, the closer."""
    hosts = (2, 0) if "hostnames" in entry.reasons else entry.closeness
    closeness = (*closest(entry.listener), *hosts, *entry.match.precision)
    return tuple(-part for part in closeness)


def _apart(entries: Sequence[Entry], draft: Draft) -> Iterator[Entry]:
    """Routes for several hosts of which only some are another's as well: one for each host."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_place_of(entry), []).append(entry)
    for entry in entries:
        hosts = set(entry.hostnames)
        is_shared = any(
            hosts != set(other.hostnames) and not hosts.isdisjoint(other.hostnames)
            for other in groups[_place_of(entry)]
        )
        if not is_shared:
            yield entry
            continue
        for index, host in enumerate(entry.hostnames):
            name = draft.name("route", entry.name, "route") if index else entry.name
            yield replace(entry, name=name, hostnames=(host,))


def _strictest(ordered: Sequence[Entry]) -> list[Entry]:
    """Routes that take the same requests are reached on the terms of all of them."""
    terms: dict[object, Terms] = {}
    for entry in ordered:
        place = (_place_of(entry), frozenset(entry.hostnames))
        terms[place] = terms.get(place, OPEN) + entry.terms
    merged = [
        replace(each, terms=terms[_place_of(each), frozenset(each.hostnames)]) for each in ordered
    ]
    return _strictest_of_groups(merged)


def _strictest_of_groups(ordered: Sequence[Entry]) -> list[Entry]:
    """The same where one of the routes leads to a group, and stands for all of it."""
    ties: dict[object, list[Entry]] = {}
    for entry in ordered:
        ties.setdefault(_outer_place(entry), []).append(entry)
    found: list[Entry] = []
    for entry in ordered:
        terms = entry.terms
        for other in ties[_outer_place(entry)] if _is_grouped(entry) else ():
            if other.leader != entry.leader and _would_take(other, entry):
                closed = Terms(other.obstacles)
                terms += other.terms + closed
        found.append(replace(entry, terms=terms))
    return found


def _is_grouped(entry: Entry) -> bool:
    return len(entry.match.precision) > _PLAIN


def _outer_place(entry: Entry) -> object:
    return (entry.gateways, entry.listener, entry.closeness, entry.match.precision[:_PLAIN])


def _place_of(entry: Entry) -> object:
    return (entry.gateways, entry.listener, entry.closeness, entry.match)


def _unneeded(entry: Entry, behind: Iterable[Entry], *, has_models: bool) -> str:
    """Why an entry is left out; empty: it is not."""
    if has_models and _is_of_models(entry):
        return _NO_LLM_PATH
    if not entry.is_closed:
        return ""
    reasons = ", ".join(entry.obstacles)
    is_only_unmatched = entry.terms.is_open and not entry.reasons
    if is_only_unmatched or not any(_would_take(other, entry) for other in behind):
        return reasons
    return ""


def _is_of_models(entry: Entry) -> bool:
    path = entry.match.path if entry.match.is_exact else f"{entry.match.path.rstrip('/')}/"
    return path.startswith(LLM_PREFIX)


def _would_take(other: Entry, entry: Entry) -> bool:
    """Whether requests of an entry would come to another that stands behind it."""
    if set(other.gateways).isdisjoint(entry.gateways):
        return False
    hosts = not other.hostnames or not entry.hostnames
    hosts = hosts or any(
        a == b or stars.matches(a, b) or stars.matches(b, a)
        for a in other.hostnames
        for b in entry.hostnames
    )
    return hosts and overlap(other.match, entry.match)


def _emitted(draft: Draft, found: Assembled) -> tuple[str, ...]:
    """Gateways that serve something; at least one."""
    used = {name for entry in found.routes for name in entry.gateways}
    if draft.models:
        used |= {name for llm in draft.llms for name in llm.gateways}
    names = tuple(name for name in draft.gateways if name in used)
    if not names:
        names = tuple(draft.gateways)[:1]
    if not names:
        draft.gateways["default"] = {"port": 8080}
        names = ("default",)
    return names


def _everywhere(llm: Llm, draft: Draft, found: Assembled) -> Llm:
    """Ours serves models on every gateway: those that theirs serves openly on one are closed."""
    llm = replace(llm, terms=llm.terms.of_models)
    terms = (llm.terms + draft.everywhere).of_models
    others = [name for name in found.gateways if name not in llm.gateways]
    if others:
        names = ", ".join(f"'{name}'" for name in others)
        note = f"served on {names} too, as on every gateway"
        if _asks_for_certificates(llm.gateways, draft) and not terms.locks:
            llm.node.unsupported(
                f"all models are refused: they would be {note}, without a client's certificate",
                is_security=True,
            )
            terms += Terms(locks=("tls.client_ca",))
        elif terms.is_strict or terms.locks:
            llm.node.different("llm", note)
        else:
            llm.node.unsupported(
                f"all models are refused: they would be {note}, and are open to everybody;"
                " add identity.api_keys and delete the rule",
                is_security=True,
            )
            terms += Terms(locks=("every gateway",))
    if llm.terms.locks or draft.everywhere.locks:
        locks = ", ".join((*llm.terms.locks, *draft.everywhere.locks))
        llm.node.unsupported(f"all its models are refused, in place of: {locks}", is_security=True)
    return replace(llm, terms=terms)


def _asks_for_certificates(gateways: Iterable[str], draft: Draft) -> bool:
    blocks = [draft.gateways[name].get("tls") for name in gateways]
    return any(isinstance(block, dict) and "client_ca" in block for block in blocks)


def _required(llms: Sequence[Llm], routes: Iterable[Entry], draft: Draft) -> bool | None:
    """`identity.required`; None: the default will do."""
    if llms:
        is_strict = any(llm.terms.is_strict or llm.terms.locks for llm in llms)
        return is_strict if _has_credentials(draft) or is_strict else None
    is_optional = any(
        not entry.is_closed and not entry.terms.is_open and not entry.terms.is_strict
        for entry in routes
    )
    return False if _has_credentials(draft) and is_optional else None


def _has_credentials(draft: Draft) -> bool:
    """Ours would ask for one everywhere, if nothing were said."""
    return bool(draft.keys or draft.passwords)


def _identity(required: bool | None, draft: Draft) -> dict[str, object]:
    block: dict[str, object] = {}
    if required is not None and required is not _has_credentials(draft):
        block["required"] = required
    if draft.keys:
        block["api_keys"] = {"keys": draft.keys}
    if draft.passwords:
        block["basic"] = draft.passwords
    if draft.logins:
        block["logins"] = draft.logins
    return block


def _llm_rules(llm: Llm, draft: Draft, *, is_required: bool) -> None:
    label = "llm" if llm.pattern == "*" else llm.pattern.removesuffix("/*")
    scope = {"llm": llm.pattern}
    if llm.terms.locks:
        draft.rule(f"closed-{label}", scope, CLOSED)
        return
    _add_rules(label, scope, llm.terms, draft, is_required=is_required)


def _rules_of_models(draft: Draft, *, is_required: bool) -> None:
    for served in draft.served:
        for rule in _model_rules(served.terms, draft, is_required=is_required):
            draft.rule(served.name, {"llm": served.name}, _narrowed(rule, served.name, draft))


def _model_rules(terms: Terms, draft: Draft, *, is_required: bool) -> list[Rule]:
    if terms.locks:
        return [CLOSED]
    return [*terms.rules, *_door_rules(terms.doors, draft, is_required=is_required)]


def _narrowed(rule: Rule, name: str, draft: Draft) -> Rule:
    """A rule for a name with a `*`, without the names that are closer."""
    closer = [
        other
        for other in draft.models
        if "*" in name and other != name and may_share(name, other) and _is_closer(other, name)
    ]
    is_other = any_of(closer)
    if not is_other:
        return rule
    if rule.effect == "deny":
        return replace(rule, expression=f"!({is_other}) && ({rule.expression})")
    return replace(rule, expression=f"{is_other} || ({rule.expression})")


def _is_closer(name: str, pattern: str) -> bool:
    return "*" not in name or len(name) > len(pattern)


def _add_rules(
    label: str, scope: dict[str, str], terms: Terms, draft: Draft, *, is_required: bool
) -> None:
    for rule in (*terms.rules, *_door_rules(terms.doors, draft, is_required=is_required)):
        draft.rule(label, scope, rule)


def _door_rules(doors: Iterable[Door], draft: Draft, *, is_required: bool) -> list[Rule]:
    """Which keys open it, where not all do."""
    every = {str(key["name"]) for key in draft.keys}
    rules = []
    for door in doors:
        test = f"principal.name in {quoted(door.keys)}"
        if draft.passwords:  # whose users may have any name
            test = f'principal.kind == "api_key" && {test}'
        elif set(door.keys) == every and (is_required or not door.is_strict):
            continue
        rules.append(
            Rule("require", test if door.is_strict else f"principal.is_anonymous || {test}")
        )
    return rules


def _route(entry: Entry, draft: Draft, found: Assembled, *, is_required: bool) -> dict[str, object]:
    block: dict[str, object] = {"name": entry.name}
    if set(entry.gateways) != set(found.gateways):
        block["gateways"] = list(entry.gateways)
    match = entry.match.block(entry.hostnames)
    block.update({"match": match} if match else {})
    block.update(entry.block)
    terms = entry.terms + draft.everywhere
    scope = {"route": entry.name}
    if entry.is_closed or terms.locks:
        draft.closed_by[entry.name] = draft.rule(f"closed-{entry.name}", scope, CLOSED)
        return block
    if terms.services:
        (block["external_authz"],) = terms.services
    if terms.is_for_anybody:
        return {**block, "auth": "none"} if _has_credentials(draft) or is_required else block
    if terms.logins:
        (block["login"],) = terms.logins
    if terms.is_strict or (terms.doors and is_required):
        block["auth"] = "key"
    if terms.asks_password:
        block["auth"] = "basic"
    if is_required and not (terms.is_strict or terms.logins or terms.asks_password):
        entry.node.different("routes.auth", _STRICTER)
    # a route that asks for a key asks for any key
    asks = bool(block.get("auth")) or is_required
    _add_rules(entry.name, scope, terms, draft, is_required=asks)
    return block


def _precedes(one: Entry, other: Entry) -> bool:
    """Whether theirs may take the one before the other."""
    first, second = _ranks(one), _ranks(other)
    common = min(len(first), len(second))
    if first[:common] == second[:common]:
        return ELSEWHERE not in one.reasons
    return first[:common] < second[:common]


def _llm(draft: Draft, served: frozenset[Place], stored_at: list[str]) -> dict[str, object]:
    used = {_provider(reference) for block in draft.models.values() for reference in _leads(block)}
    providers = {name: block for name, block in draft.providers.items() if name in used}
    prices = {"prices": draft.prices} if draft.prices else {}
    block = {"providers": providers, "models": draft.models, **prices, "paths": paths(served)}
    block |= {"failover": {"health": draft.health} if draft.health else {}, "stored_at": stored_at}
    return {name: value for name, value in block.items() if value or name == "models"}


def _leads(block: dict[str, object]) -> list[str]:
    if "provider" in block:
        return [str(block["provider"])]
    references = block.get("failover") or block.get("weighted") or ()
    return [str(each) for each in references] if isinstance(references, list | dict) else []


def _provider(reference: str) -> str:
    return reference.partition("/")[0]


def _gateway(name: str, draft: Draft) -> dict[str, object]:
    block = {**draft.gateways[name]}
    if draft.max_request_bytes is not None:
        block["max_request_bytes"] = draft.max_request_bytes
    return block


def _admin(draft: Draft, found: Assembled) -> dict[str, object]:
    """The operator's endpoint, on a port that no gateway has."""
    address = str(draft.admin.get("address", f"127.0.0.1:{_ADMIN_PORT}"))
    host, _, port = address.rpartition(":")
    taken = {str(draft.gateways[name]["port"]) for name in found.gateways}
    if port not in taken:
        return draft.admin
    draft.walk.root.take("config").take("adminAddr").different(
        "admin.address", "on another port, since a gateway has this one"
    )
    free = next(str(each) for each in range(_ADMIN_PORT, 65535) if str(each) not in taken)
    return {"address": f"{host}:{free}"}
