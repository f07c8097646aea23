"""What theirs writes into the bodies of requests → what a model of ours does: fields, system
prompts, cache marks. Also when a provider is set aside.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config.scalars import Duration, Retries, TokenCount
from gateway.config.shaping import FieldName, FieldValue, Prompt, ValueExpression, folded
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.cel import Untranslated, translate_value
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.durations import duration, seconds
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node
from gateway.shaping import path_of

Shaping = Mapping[str, object]
"""Of the block of a model."""

_NO_FIELD = "no field that ours can set: {}"
_NOT_HERE = "it is one provider's of several, and ours shapes bodies of a model"
_CLOSER = "what stands closer to the provider counts"
_OTHER_NAMES = "models of the route have other names here"
_ROLES = "only messages of the role system are put before and after a prompt"
_PROMPTS = "before and after the client's own system prompt, in every dialect"
_MARKS = "marks for Anthropic, Bedrock and OpenAI, where the client has set none"
_OFFSET = "the mark is at the end of the conversation"
_SET_ASIDE = "for all models, and after failures in a row of any kind that leads on"
_ONE_FOR_ALL = "the health of all models is one: what is written first counts"
_COOL_DOWN = "each time twice as long; theirs grows by as much each time"
_FAR_SECONDS = 300


def read_fields(node: Node, to: str, known: dict[str, object]) -> tuple[str, ...]:
    """`defaults` or `overrides`; the names of those that cannot be set."""
    lost = []
    for name, value in node.fields():
        is_new = all(folded(name) != folded(other) or name == other for other in known)
        if name in known:
            value.exact(note=_CLOSER)
        elif is_new and _is_top(name) and fits_json(value.value):
            known[name] = value.value
            value.exact(to)
        else:
            value.unsupported(_NO_FIELD.format("say it otherwise at the model"))
            lost.append(name)
    return tuple(lost)


def _is_top(name: str) -> bool:
    """Whether it is a field here, too: with a dot, it would be one within an object."""
    return fits(FieldName, name) and "${" not in name and len(path_of(name)) == 1


def fits_json(value: object) -> bool:
    """Whether a body can have the value."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and fits_json(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(fits_json, value))
    return fits(FieldValue, value) if not isinstance(value, str) else True


def read_expressions(node: Node, draft: Draft, known: dict[str, object]) -> None:
    """`transformations`: fields and their expressions."""
    for name, value in node.fields():
        text = value.text() or ""
        said = translate_value(text, unusable=draft.unusable)
        if isinstance(said, str) and not draft.is_single_llm and "llm.model" in said:
            said = Untranslated(_OTHER_NAMES)
        is_new = all(folded(name) != folded(other) for other in known)
        if isinstance(said, Untranslated):
            value.unsupported(f"{policy_keys.UNCOMPUTED}: {said.reason}", is_security=True)
        elif is_new and _is_top(name) and fits(ValueExpression, said):
            known[name] = said
            value.exact("llm.models")
        else:
            value.unsupported(policy_keys.UNCOMPUTED, is_security=True)


def read_prompts(node: Node) -> dict[str, object]:
    """`prompts`: messages before and after."""
    settle(node, policy_keys.PROMPTS, unknown_is_lock=False)
    found: dict[str, object] = {}
    for place in ("prepend", "append"):
        texts = []
        for item in node.take(place).items():
            settle(item, policy_keys.PROMPT, unknown_is_lock=False)
            role, content = item.take("role").text(), item.take("content").text()
            if role == "system" and content is not None and fits(Prompt, content):
                texts.append(content)
                item.different("llm.models", _PROMPTS)
            else:
                item.unsupported(_ROLES)
        if texts:
            found[place] = "\n\n".join(texts)
    return {"system_prompt": found} if found else {}


def read_caching(node: Node) -> dict[str, object]:
    """`promptCaching`."""
    if not node.block():
        return {}
    settle(node, policy_keys.PROMPT_CACHING, unknown_is_lock=False)
    system, messages, tools = (
        _switch(node.take(name), otherwise=otherwise)
        for name, otherwise in (
            ("cacheSystem", True),
            ("cacheMessages", True),
            ("cacheTools", False),
        )
    )
    least = node.take("minTokens")
    tokens = least.integer()
    if node.take("cacheMessageOffset").value in (None, 0):
        node.take("cacheMessageOffset").exact()
    else:
        node.take("cacheMessageOffset").different("llm.models", _OFFSET)
    if not (system or messages or tools):
        node.exact(note="nothing is marked")
        return {}
    node.different("llm.models", _MARKS)
    block: dict[str, object] = {"system": system, "tools": tools}
    block["messages"] = "last" if messages else "none"
    if tokens is not None and fits(TokenCount, tokens):
        block["min_tokens"] = tokens
        least.exact("llm.models")
    elif tokens is not None:
        least.unsupported("no number of tokens that ours can have")
    return {"prompt_caching": block}


def _switch(node: Node, *, otherwise: bool) -> bool:
    if isinstance(node.value, bool):
        node.exact("llm.models")
        return node.value
    if not node.is_empty:
        node.problem("must be true or false")
    return otherwise


def read_health(node: Node, draft: Draft) -> None:
    """When a provider is set aside; one for all models here."""
    if not node.block():
        return
    node.forget()
    settle(node, policy_keys.HEALTH, unknown_is_lock=False)
    eviction = node.take("eviction")
    if not eviction.block():
        return
    settle(eviction, policy_keys.EVICTION, unknown_is_lock=False)
    found: dict[str, object] = {}
    count = eviction.take("consecutiveFailures")
    failures = count.integer()
    if isinstance(failures, int) and failures > 0 and fits(Retries, failures):
        found["failures"] = failures
        count.different("llm.failover.health.failures", _SET_ASIDE)
    elif failures is not None:
        count.unsupported("from 1 to 10 failures in a row")
    place = eviction.take("duration")
    text = place.text()
    written = None if text is None else duration(text)
    if text is not None and (written is None or not fits(Duration, written)):
        place.unsupported("no duration that ours can have")
    elif text is not None:
        found["cool_down"] = written
        length = seconds(text)
        if length is not None and length > _FAR_SECONDS:
            found["most"] = written
        place.different("llm.failover.health.cool_down", _COOL_DOWN)
    if draft.health and found and found != draft.health:
        node.forget()
        node.unsupported(_ONE_FOR_ALL)
    elif found:
        draft.health.update(found)


def refuse_shaping(node: Node) -> tuple[str, ...]:
    """Of one provider of several, or further from it: what was to be enforced is a lock."""
    locks = []
    for key in ("overrides", "defaults", "prompts", "promptCaching"):
        place = node.take(key)
        if not place.is_empty:
            place.unsupported(_NOT_HERE, is_security=key == "overrides")
            locks += ["overrides"] if key == "overrides" else []
    return tuple(locks)


class Bodies:
    """What a model does to bodies, the closest block read first."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._defaults: dict[str, object] = {}
        self._overrides: dict[str, object] = {}
        self._expressions: dict[str, object] = {}
        self._others: dict[str, object] = {}

    def read(self, node: Node, *, expressions: str = "transformations") -> tuple[str, ...]:
        """One block; the names of what keeps something out there and cannot here."""
        read_fields(node.take("defaults"), "llm.models", self._defaults)
        lost = read_fields(node.take("overrides"), "llm.models", self._overrides)
        for name in lost:
            node.take("overrides").take(name).forget()
            node.take("overrides").take(name).unsupported(
                _NO_FIELD.format("what it enforces is refused as a whole"), is_security=True
            )
        if expressions:
            read_expressions(node.take(expressions), self._draft, self._expressions)
        for key, found in (
            ("system_prompt", read_prompts(node.take("prompts"))),
            ("prompt_caching", read_caching(node.take("promptCaching"))),
        ):
            if found:
                self._others.setdefault(key, found[key])
        return ("overrides",) if lost else ()

    def block(self) -> dict[str, object]:
        """As ours writes it."""
        blocks: dict[str, object] = {
            "defaults": self._defaults,
            "overrides": self._overrides,
            "transformations": self._expressions,
            **self._others,
        }
        return {name: block for name, block in blocks.items() if block}
