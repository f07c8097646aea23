"""Routes of theirs that lead to model providers → providers and models of ours.

Theirs takes any path and any model; ours serves `/v1/` and the models that are named. The models
of a route are `*`, or `ROUTE/*` when the file has several such routes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.config.llm import ModelName
from gateway.importers.agentgateway import llm_keys, policy_keys
from gateway.importers.agentgateway.apis import Types, read_types
from gateway.importers.agentgateway.backends import Ai, provider_ca, read_backend_tls
from gateway.importers.agentgateway.clouds import CLOUDS, IN_ROUTES
from gateway.importers.agentgateway.draft import OPEN, Draft, Llm, Terms
from gateway.importers.agentgateway.fitting import fits, is_model
from gateway.importers.agentgateway.guards import read_prompt_guard
from gateway.importers.agentgateway.keys import settle
from gateway.importers.agentgateway.providers import (
    KNOWN,
    Address,
    add_offers,
    in_cloud,
    known,
    provider_name,
    read_auth,
    read_custom,
    speaks_tls,
)
from gateway.importers.agentgateway.rates import read_token_limits
from gateway.importers.agentgateway.shaping import Bodies, Shaping, read_health, refuse_shaping
from gateway.importers.agentgateway.terms import of_models, read_terms
from gateway.importers.walk import Node

_CLOUD_KEYS = {
    "azure": llm_keys.AZURE,
    "bedrock": llm_keys.BEDROCK,
    "vertex": llm_keys.VERTEX,
}
_CLOSER = "one that stands closer to the provider counts"
_NO_KEY = "no key is written, and clients' own are not passed on: write the provider's key"
_FAILOVER = "no target is tried twice: llm.failover says after what the next one is, and how many"
_NO_TIMEOUT = "a model's answer may take its time; timeouts.silence of the provider limits pauses"


@dataclass(frozen=True, slots=True)
class Target:
    """A provider of ours and the one model that it is asked for, if it is one."""

    provider: str
    model: str | None


@dataclass(slots=True)
class _Reading:
    """What the policies around the providers of a route say."""

    draft: Draft
    blocks: list[Node]
    """Every block of policies."""
    aliases: dict[str, str] = field(default_factory=dict)
    types: list[Types] = field(default_factory=list)
    shaping: Shaping = field(default_factory=dict)
    terms: Terms = OPEN


def read_ai_route(
    node: Node, backends: list[Ai], terms: Terms, gateways: tuple[str, ...], draft: Draft
) -> bool:
    """Takes over the models of a route; False: none can be served."""
    policies = node.take("policies")
    reading = _Reading(draft, [policies])
    _route_policies(policies)
    label = node.take("name").text()
    name = draft.name("llm-route", label, f"route-{len(draft.llms) + 1}")
    prefix = "" if draft.is_single_llm else f"{name}/"
    if len(backends) == 1:
        tiers = _tiers(backends[0], reading)
    else:
        targets = [
            target for each in backends for tier in _tiers(each, reading) or [[]] for target in tier
        ]
        tiers = [targets] if len(targets) == len(backends) else None
    terms += reading.terms + _guarded(reading) + _shaped(reading, tiers)
    reading.types = reading.types or [{}]
    if not tiers or not all(_is_shared(tier) for tier in tiers):
        node.unsupported("its models cannot be served", is_security=not terms.is_open)
        return False
    is_elsewhere = node.has("matches") or "routeGroups" in node.path
    terms = of_models(terms, prefix, draft, is_elsewhere=is_elsewhere)
    pattern = f"{prefix}*"
    _models(pattern, prefix, tiers, reading)
    limits = policies.take("localRateLimit")
    read_token_limits(limits, {} if draft.is_single_llm else {"model": pattern}, draft)
    names = {target.provider for tier in tiers for target in tier}
    provider = names.pop() if len(names) == 1 else ""
    draft.llms.append(Llm(pattern, node, gateways, terms, tuple(reading.types), provider))
    return True


def _route_policies(policies: Node) -> None:
    policies.take("timeout").unsupported(_NO_TIMEOUT)
    policies.take("retry").unsupported(_FAILOVER)
    policies.take("urlRewrite").unsupported("the provider's path is made by the gateway")


def _guarded(reading: _Reading) -> Terms:
    """Guards and aliases of all blocks of policies."""
    terms = OPEN
    for block in reading.blocks:
        ai = block.take("ai")
        if not ai.block():
            continue
        terms += Terms(settle(ai, policy_keys.AI_POLICY))
        if ai.has("routes"):
            reading.types.append(read_types(ai.take("routes")))
        guard = ai.take("promptGuard")
        is_for_all = reading.draft.is_single_llm
        terms += Terms(read_prompt_guard(guard, reading.draft, is_for_all=is_for_all))
        for alias, model in ai.take("modelAliases").fields():
            text = model.text()
            if text is not None and is_model(alias) and fits(ModelName, text):
                model.exact("llm.models")
                reading.aliases.setdefault(alias, text)
            else:
                model.unsupported("no name that a model can have")
    return terms


def _shaped(reading: _Reading, tiers: list[list[Target]] | None) -> Terms:
    """What the blocks of policies write into bodies: of one provider all of them, else the
    route's alone."""
    bodies = Bodies(reading.draft)
    terms = OPEN
    is_one = tiers is not None and sum(map(len, tiers)) == 1
    for block in reversed(reading.blocks):  # the closest to a provider first
        read_health(block.take("health"), reading.draft)
        ai = block.take("ai")
        if ai.is_empty:
            continue
        if is_one or block is reading.blocks[0]:
            terms += Terms(bodies.read(ai))
        else:
            terms += Terms(refuse_shaping(ai))
    reading.shaping = bodies.block()
    return terms


def _tiers(backend: Ai, reading: _Reading) -> list[list[Target]] | None:
    """The providers of a backend, by priority; None: one of them cannot be asked."""
    draft = reading.draft
    for block in backend.policies:
        reading.terms += read_terms(block, policy_keys.BACKEND_POLICY, draft, is_llm=True)
    reading.blocks += backend.policies
    around = (*backend.policies, reading.blocks[0])  # no other backend's: keys are in them
    node = backend.node
    if not node.has("groups"):
        found = _provider(node, around, reading)
        return [[found]] if found else None
    reading.terms += Terms(settle(node, llm_keys.AI_BACKEND))
    if node.has("routes"):
        reading.types.append(read_types(node.take("routes")))
    tiers: list[list[Target]] = []
    for group in node.take("groups").items():
        reading.terms += Terms(settle(group, llm_keys.AI_GROUP))
        targets = [_provider(each, around, reading) for each in group.take("providers").items()]
        tiers.append([target for target in targets if target is not None])
    return [tier for tier in tiers if tier] or None


def _provider(node: Node, around: tuple[Node, ...], reading: _Reading) -> Target | None:
    """`around`: policies of its backend and route, the closest first."""
    if not node.block():
        return None
    draft = reading.draft
    reading.terms += Terms(settle(node, llm_keys.AI_BACKEND))
    if node.has("routes"):
        reading.types.append(read_types(node.take("routes")))
    own = node.take("policies")
    blocks = around
    if own.block():
        reading.terms += read_terms(own, policy_keys.BACKEND_POLICY, draft, is_llm=True)
        blocks = (own, *around)
        reading.blocks.append(own)
    kinds = node.take("provider")
    reading.terms += Terms(settle(kinds, llm_keys.AI_PROVIDER))
    kind = next((each for each in KNOWN if kinds.has(each) or each in _keys(kinds)), None)
    if kind is None:
        kinds.unsupported("no provider that this version can ask", is_security=False)
        return None
    address = Address(
        host=node.take("hostOverride").text(),
        path=node.take("pathOverride").text(),
        prefix=node.take("pathPrefix").text(),
        is_tls=_is_tls(blocks),
    )
    there = kinds.take(kind)
    found = _located(there, kind, address)
    if found is None:
        kinds.unsupported("where its API is cannot be taken over")
        return None
    block, model = found
    for key in ("hostOverride", "pathOverride", "pathPrefix"):
        node.take(key).exact("llm.providers.url")
    if not _verified(blocks, block):
        kinds.unsupported("its certificate cannot be verified as theirs is", is_security=True)
        return None
    if not _authenticated(blocks, block):
        return None
    wanted = node.take("name")
    given = provider_name(block, wanted.text() or kind, draft)
    draft.provider_of.setdefault(node.path, given)
    wanted.exact(f"llm.providers.{given}")
    has_key = kind == "custom" or kind in CLOUDS or bool({"key", "auth"} & block.keys())
    _say(there, given, has_key=has_key)
    return Target(given, model)


def _say(node: Node, name: str, *, has_key: bool) -> None:
    to = f"llm.providers.{name}"
    if has_key:
        node.exact(to)
    else:
        node.different(to, _NO_KEY)


def _keys(node: Node) -> frozenset[str]:
    return frozenset(node.value) if isinstance(node.value, dict) else frozenset()


def _located(
    node: Node, kind: str, address: Address
) -> tuple[dict[str, object], str | None] | None:
    """Type and place, and the one model."""
    path: str | None = None
    if kind == "custom":
        path, is_served = read_custom(node)
        if not is_served:
            return None
    elif kind in CLOUDS:
        if settle(node, _CLOUD_KEYS[kind], unknown_is_lock=False):
            return None
    elif not node.is_empty and settle(node, llm_keys.VENDOR):
        return None
    model = node.take("model")
    text = model.text()
    if text is not None and not (fits(ModelName, text) and "*" not in text):
        model.unsupported("no name that a model can have")
        return None
    model.exact("llm.models")
    if kind in CLOUDS:
        block = in_cloud(kind, node.take, IN_ROUTES, text, address)
    else:
        block = known(kind, address, path=path)
        if kind == "custom" and block:
            add_offers(node, block)
    return (block, text) if block else None


def _is_tls(blocks: tuple[Node, ...]) -> bool:
    is_tls = False
    for block in blocks:
        tls = block.take("backendTLS")
        if tls.is_written:
            is_tls = True
    return is_tls


def _verified(blocks: tuple[Node, ...], block: dict[str, object]) -> bool:
    """Gives a provider its authorities, those that are written closest to it; whether it can."""
    is_whole = True
    for each in blocks:
        tls = each.take("backendTLS")
        if speaks_tls(block) and (ca := provider_ca(tls)):
            block.setdefault("ca", ca)
        is_whole = not read_backend_tls(tls, to="llm.providers.url") and is_whole
    return is_whole


def _authenticated(blocks: tuple[Node, ...], block: dict[str, object]) -> bool:
    found = [each.take("backendAuth") for each in blocks if each.has("backendAuth")]
    for other in found[1:]:
        if not other.is_answered:
            other.exact(note=_CLOSER)
    return not found or read_auth(found[0], block)


def _models(pattern: str, prefix: str, tiers: list[list[Target]], reading: _Reading) -> None:
    draft = reading.draft
    names = {pattern: "*"}
    names.update({f"{prefix}{alias}": model for alias, model in reading.aliases.items()})
    for name, model in names.items():
        if not is_model(name):
            continue
        block = {**_model(name, model, tiers, draft), **reading.shaping}
        # theirs tells nobody the models of a route
        draft.models[name] = block if "*" in name else {**block, "listed": False}


def _model(name: str, model: str, tiers: list[list[Target]], draft: Draft) -> dict[str, object]:
    if len(tiers) == 1 and len(tiers[0]) == 1:
        (target,) = tiers[0]
        asked = target.model or model
        block: dict[str, object] = {"provider": target.provider}
        return block if asked == "*" else {**block, "model": asked}
    if len(tiers) == 1:
        return {"weighted": _weighted(model, tiers[0])}
    references = []
    for place, tier in enumerate(tiers, start=1):
        if len(tier) == 1:
            references.append(_reference(model, tier[0]))
            continue
        helper = f"tier-{place}/{name}"
        draft.models[helper] = {"weighted": _weighted(model, tier), "internal": True}
        references.append(helper)
    return {"failover": references}


def _is_shared(tier: list[Target]) -> bool:
    """Whether the targets of a tier can have shares, which go by their names."""
    return len(tier) == 1 or all("${" not in (target.model or "") for target in tier)


def _weighted(model: str, tier: list[Target]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for target in tier:
        reference = _reference(model, target)
        shares[reference] = shares.get(reference, 0) + 1
    return shares


def _reference(model: str, target: Target) -> str:
    return f"{target.provider}/{target.model or model}"
