"""The `llm` section of theirs → `llm` of ours: providers, models, and models that lead to others.

A name that a `*` would take, and that cannot be served as theirs is, is kept and refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config.llm import ModelName
from gateway.importers.agentgateway import llm_keys
from gateway.importers.agentgateway.backends import provider_ca, read_backend_tls
from gateway.importers.agentgateway.clouds import CLOUDS, IN_MODELS
from gateway.importers.agentgateway.draft import OPEN, Draft, Llm, Served, Terms
from gateway.importers.agentgateway.entrypoints import Gate
from gateway.importers.agentgateway.fitting import fits, is_model
from gateway.importers.agentgateway.guards import read_prompt_guard
from gateway.importers.agentgateway.keys import settle
from gateway.importers.agentgateway.patterns import may_share
from gateway.importers.agentgateway.policy_keys import UNCOMPUTED
from gateway.importers.agentgateway.providers import (
    KNOWN,
    REFUSED,
    Address,
    add_offers,
    in_cloud,
    known,
    provider_name,
    read_auth,
    read_custom,
    read_key,
    speaks_tls,
)
from gateway.importers.agentgateway.rates import read_token_limits
from gateway.importers.agentgateway.shaping import Bodies, read_health
from gateway.importers.agentgateway.terms import read_rules, read_terms
from gateway.importers.agentgateway.virtual_models import Concrete, read_virtual_models
from gateway.importers.walk import Node

_STRIPPED = re.compile(r"""llmRequest\.model\.stripPrefix\(\s*(["'])(.*?)\1\s*\)""")
_LITERAL = re.compile(r"""(["'])([^"'\\]*)\1""")
_WHOLE_NAME = "the whole name is sent on; leave out `model` to send what `*` stands for"
_HIDDEN = "it does not exist for clients, also where theirs has a `*` for its name"
_EVERYWHERE = "models are served under /v1/ of every gateway and for every host"


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a model cannot be served."""

    reason: str
    is_security: bool = False


@dataclass(slots=True)
class _Guards:
    """Guards that models share by name; each is taken over once."""

    draft: Draft
    shared: Mapping[str, Node] = field(default_factory=dict)
    locks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of those that have been read."""

    def read(self, node: Node, *, is_for_all: bool) -> Terms:
        """What a model, or all, is guarded by: a block, or the name of one."""
        name = node.value
        if not isinstance(name, str):
            return Terms(read_prompt_guard(node, self.draft, is_for_all=is_for_all))
        there = self.shared.get(name)
        if there is None:
            node.unsupported("no guardrails of that name in the file", is_security=True)
            return Terms(("guardrails",))
        if name not in self.locks:
            self.locks[name] = read_prompt_guard(there, self.draft, is_for_all=is_for_all)
        if is_for_all:
            node.exact("guardrails")
        else:
            node.different("guardrails", "guards are asked about every model")
        return Terms(self.locks[name])


@dataclass(frozen=True, slots=True)
class _Sources:
    """A model and the provider that it refers to: the closer one first."""

    blocks: tuple[Node, ...]
    """That hold `params`."""
    defaults: tuple[Node, ...]
    """That hold `auth`, `transformation` and the like."""
    kind: str
    provider: Node
    label: str

    def param(self, name: str) -> Node:
        """Where a parameter is written, the model's own first."""
        places = [block.take("params").take(name) for block in self.blocks]
        return next((place for place in places if not place.is_empty), places[-1])

    def default(self, *names: str) -> Node:
        """Where something else is written."""
        places = [block.take(name) for block in self.defaults for name in names]
        return next((place for place in places if place.is_written), places[-1])


def read_llm(node: Node, gates: tuple[Gate, ...], draft: Draft) -> None:
    """The whole section, served at some gates."""
    if not node.block():
        return
    terms = Terms(settle(node, llm_keys.LLM))
    policies = node.take("policies")
    guards = _Guards(draft, dict(node.take("guardrails").fields()))
    if policies.block():
        terms += read_terms(policies, llm_keys.LLM_POLICY, draft, is_llm=True)
        terms += guards.read(policies.take("guardrails"), is_for_all=draft.is_single_llm)
        read_token_limits(policies.take("localRateLimit"), {}, draft)
    open_gates = [gate for gate in gates if not gate.why_not]
    for gate in open_gates:
        terms += gate.terms
    providers = _providers(node.take("providers"))
    models = [_read_model(item, providers, guards) for item in node.take("models").items()]
    concrete = [model for model in models if model is not None]
    for model in concrete:
        if model.refusal is None and model.name not in draft.models:
            draft.models[model.name] = dict(model.block)
            draft.served.append(Served(model.name, model.terms))
    for model in concrete:
        if model.refusal is not None:
            _keep_closed(model, draft)
    read_virtual_models(node.take("virtualModels"), concrete, draft)
    for provider in node.take("providers").items():
        if provider.path not in draft.provider_of:
            provider.unsupported("no model of ours is served by it")
            draft.gone.add(provider.path)
    gateways = tuple(dict.fromkeys(gate.gateway for gate in open_gates))
    if not gateways:
        reasons = "; ".join(dict.fromkeys(gate.why_not for gate in gates))
        node.unsupported(reasons or "no gateway leads here", is_security=True)
        draft.models.clear()
        draft.served.clear()
    elif draft.models:
        draft.llms.append(Llm("*", node, gateways, terms))


def _providers(node: Node) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for item in node.items():
        if item.block():
            settle(item, llm_keys.PROVIDER)
            settle(item.take("params"), llm_keys.PARAMS)
            settle(item.take("defaults"), llm_keys.DEFAULTS)
            name = item.take("name")
            name.exact("llm.providers")
            found[name.text() or ""] = item
    return found


def _read_model(node: Node, providers: Mapping[str, Node], guards: _Guards) -> Concrete | None:
    if not node.block():
        return None
    draft = guards.draft
    locks = [*settle(node, llm_keys.MODEL)]
    locks += settle(node.take("params"), llm_keys.PARAMS)
    name = node.take("name")
    text = name.text() or ""
    if not is_model(text):
        node.unsupported("the name of a model has no spaces and at most one '*'", is_security=True)
        return None
    name.exact(f"llm.models.{text}")
    terms = _terms(node, guards) + Terms(tuple(locks))
    is_internal = node.take("visibility").text() == "internal"
    if is_internal:
        node.take("visibility").different(f"llm.models.{text}.internal", _HIDDEN)
    node.take("visibility").exact()
    made = _made(node, text, providers, draft)
    if not isinstance(made, _Refused):
        locks_of_bodies, shaping = _bodies(node, providers, draft)
        terms += Terms(locks_of_bodies)
        made = {**made, **shaping}
    if terms.locks and not isinstance(made, _Refused):
        made = _Refused(", ".join(terms.locks), is_security=True)
    if not isinstance(made, _Refused) and text in draft.models:
        made = _Refused("another model of the same name comes first")
    if isinstance(made, _Refused):
        return Concrete(text, node, {}, terms, made.reason, is_security=made.is_security)
    if is_internal:
        made = {**made, "internal": True}
    return Concrete(text, node, made, terms)


def _bodies(
    node: Node, providers: Mapping[str, Node], draft: Draft
) -> tuple[tuple[str, ...], dict[str, object]]:
    """What is written into bodies, by the model and by the provider that it refers to."""
    sources = _sources(node, providers)
    bodies = Bodies(draft)
    locks: tuple[str, ...] = ()
    for block in sources.defaults if isinstance(sources, _Sources) else ():
        read_health(block.take("health"), draft)
        locks += bodies.read(block, expressions="")
    return locks, bodies.block()


def _terms(node: Node, guards: _Guards) -> Terms:
    terms = OPEN
    if node.has("authorization"):
        terms += read_rules(node.take("authorization"), guards.draft, is_llm=True)
    return terms + guards.read(node.take("guardrails"), is_for_all=False)


def _made(
    node: Node, name: str, providers: Mapping[str, Node], draft: Draft
) -> dict[str, object] | _Refused:
    """The block of a model, its provider added."""
    matches = node.take("matches")
    if matches.value:
        matches.unsupported("a model is not chosen by headers", is_security=True)
        return _Refused("matches", is_security=True)
    sources = _sources(node, providers)
    if isinstance(sources, _Refused):
        return sources
    block = _provider_block(sources)
    if isinstance(block, _Refused):
        return block
    asked = _asked(name, sources)
    if isinstance(asked, _Refused):
        return asked
    provider = provider_name(block, sources.label, draft)
    for path in {block.path for block in sources.blocks}:
        draft.provider_of.setdefault(path, provider)
    model: dict[str, object] = {"provider": provider}
    return model if asked is None else {**model, "model": asked}


def _sources(node: Node, providers: Mapping[str, Node]) -> _Sources | _Refused:
    place = node.take("provider")
    blocks: tuple[Node, ...] = (node,)
    defaults: tuple[Node, ...] = (node,)
    label = ""
    if isinstance(place.value, dict) and place.has("reference"):
        reference = place.take("reference")
        label = reference.text() or ""
        there = providers.get(label)
        if there is None:
            reference.unsupported(f"no provider '{label}' in the file")
            return _Refused(f"no provider '{label}' in the file")
        reference.exact("llm.providers")
        blocks, defaults = (node, there), (node, there.take("defaults"))
        place = there.take("provider")
    kind = "custom" if isinstance(place.value, dict) else place.text() or ""
    if isinstance(place.value, dict):
        settle(place, llm_keys.MODEL_PROVIDER)
        if not place.has("custom"):
            return _Refused("no provider that this version can ask")
    if kind not in KNOWN:
        reason = REFUSED.get(kind, f"'{kind}' is no provider that this version can ask")
        place.unsupported(reason)
        return _Refused(reason)
    return _Sources(blocks, defaults, kind, place, label or kind)


def _provider_block(sources: _Sources) -> dict[str, object] | _Refused:
    path, provider = sources.param("pathOverride").text(), sources.provider
    base_url = sources.param("baseUrl").text()
    if sources.kind == "custom":
        own_path, is_served = read_custom(provider.take("custom"))
        if not is_served:
            return _Refused("it has no chat completions of OpenAI's kind")
        path = path or own_path
    tls = sources.default("backendTLS", "tls")
    address = Address(
        base_url,
        sources.param("hostOverride").text(),
        path,
        sources.param("pathPrefix").text(),
        is_tls=tls.is_written,
    )
    block = _placed(sources, address)
    if sources.kind == "custom" and block and isinstance(provider.value, dict):
        add_offers(provider.take("custom"), block)
    if speaks_tls(block) and (ca := provider_ca(tls)):
        block["ca"] = ca
    locks = read_backend_tls(tls, to="llm.providers.url")
    if not block or locks:
        return _Refused("where its API is cannot be taken over", is_security=bool(locks))
    for name in ("baseUrl", "hostOverride", "pathOverride", "pathPrefix"):
        sources.param(name).exact("llm.providers.url")
    return _with_key(sources, block)


def _placed(sources: _Sources, address: Address) -> dict[str, object]:
    if sources.kind in CLOUDS:
        model = sources.param("model").text() or sources.blocks[0].take("name").text()
        return in_cloud(sources.kind, sources.param, IN_MODELS, model, address)
    return known(sources.kind, address)


def _with_key(sources: _Sources, block: dict[str, object]) -> dict[str, object] | _Refused:
    key, auth, provider = sources.param("apiKey"), sources.default("auth"), sources.provider
    to = "llm.providers.type"
    variable = KNOWN[sources.kind].variable
    found_in = ""
    if not key.is_empty:
        name = variable or f"{re.sub('[^A-Za-z0-9]', '_', sources.label).upper()}_API_KEY"
        if not read_key(key, block, name):
            return _Refused("its key cannot be sent")
        auth.exact(note="params.apiKey counts")
    elif not auth.is_empty:
        if not read_auth(auth, block):
            return _Refused("its credential cannot be sent")
    elif variable is not None:
        block["key"] = f"${{{variable}}}"
        found_in = f"its key is read from {variable}"
    if found_in:
        provider.different(to, found_in)
    else:
        provider.exact(to)
    return block


def _asked(name: str, sources: _Sources) -> str | _Refused | None:
    """What the provider calls the model; None: what ours asks for anyway."""
    node = sources.param("model")
    text = node.text()
    if text is None and sources.kind == "custom":
        node = sources.provider.take("custom").take("model")
        text = node.text()
    transformation = sources.default("transformation")
    for key, value in transformation.fields():
        if key != "model":
            value.unsupported(UNCOMPUTED, is_security=True)
    computed = transformation.take("model") if transformation.block() else None
    if computed is not None and computed.is_written:
        return _computed(name, computed)
    if text is not None:
        if not fits(ModelName, text) or "*" in text:
            node.unsupported("no name that a model can have")
            return _Refused("its provider's name for it cannot be taken over")
        node.exact(f"llm.models.{name}.model")
        return None if text == name else text
    if "*" in name and name != "*":
        sources.blocks[0].take("name").different(f"llm.models.{name}", _WHOLE_NAME)
        return name
    return None


def _computed(name: str, node: Node) -> str | _Refused | None:
    """`transformation.model`, when it is one of the usual."""
    text = node.text() or ""
    stripped, literal = _STRIPPED.fullmatch(text.strip()), _LITERAL.fullmatch(text.strip())
    before = name.partition("*")[0]
    if stripped is not None and stripped[2] == before and name.endswith("*"):
        node.exact(f"llm.models.{name}")
        return None
    if literal is not None and fits(ModelName, literal[2]) and "*" not in literal[2]:
        node.exact(f"llm.models.{name}.model")
        return literal[2]
    node.unsupported("the name of a model is not computed: write llm.models.NAME.model")
    return _Refused("its provider's name for it is computed")


def _keep_closed(model: Concrete, draft: Draft) -> None:
    """Keeps a name from falling to a `*`."""
    reason = model.refusal or ""
    draft.gone.add(model.node.path)
    cover = [
        name
        for name in draft.models
        if "*" in name
        and name != model.name
        and ("*" not in model.name or len(name) <= len(model.name))
        and may_share(name, model.name)
    ]
    is_taken = model.name in draft.models
    model.node.unsupported(
        f"it is {'refused' if cover else 'left out'}: {reason}", is_security=model.is_security
    )
    if cover and not is_taken:
        draft.models[model.name] = draft.refused_model()
        draft.served.append(Served(model.name, Terms(locks=(reason,))))
