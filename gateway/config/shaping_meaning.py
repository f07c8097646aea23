"""What a model's keys about bodies mean, and rules about them that a schema cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.choice import Target, leaves
from gateway.config.finding import Finding, Path
from gateway.config.llm import LlmBlock, ModelBlock
from gateway.config.provider_meaning import credential
from gateway.config.shaping import fields
from gateway.config.tiers import choice, is_followable, meaning, references
from gateway.config.written import Written
from gateway.credentials import PassThrough
from gateway.problem import did_you_mean
from gateway.shaping import Mirror, Shaping


def shaping(block: ModelBlock) -> Shaping:
    """What is added to requests for a model."""
    prompt = block.system_prompt
    return Shaping(
        fields(block.defaults, block.overrides),
        tuple(block.transformations.items()),
        prompt.before if prompt is not None else "",
        prompt.after if prompt is not None else "",
    )


def mirror(name: str, llm: LlmBlock) -> Mirror | None:
    """Who gets a copy. Total on a checked configuration."""
    block = llm.models[name].mirror
    if block is None:
        return None
    target = _target(name, block.to, llm)
    if target is None:
        raise KeyError(block.to)
    return Mirror(target.provider, target.model, block.percent)


def _target(name: str, reference: str, llm: LlmBlock) -> Target | None:
    """The first of those that a reference leads to."""
    match meaning(name, reference, llm):
        case Target() as target:
            return target
        case str() as other:
            return next(leaves(choice(other, llm))).target
        case None:
            return None


def mirrors_lead_somewhere(written: Written) -> Iterator[Finding]:
    """To what is known, and to what has a credential of the gateway's own."""
    llm = written.config.llm
    for name, block in llm.models.items():
        if block.mirror is None:
            continue
        path: Path = ("llm", "models", name, "mirror", "to")
        reference = block.mirror.to
        if not written.knows_reference(name, reference):
            hint = did_you_mean(reference, written.models - {name})
            hint = hint or "a reference is provider/model, or the name of another model"
            yield Finding(path, f"no model '{reference}'", hint)
            continue
        if "*" in reference and "*" not in name:
            yield Finding(path, f"'*' in '{reference}' stands for nothing", "name the model")
        if not _can_be_followed(name, reference, llm):
            continue  # that is said where the model stands
        target = _target(name, reference, llm)
        provider = llm.providers.get(target.provider) if target is not None else None
        if provider is not None and isinstance(credential(provider), PassThrough):
            yield Finding(
                path,
                f"'{reference}' is at a provider that is shown the client's own key",
                "a mirror never sees what the client showed: name one with a key of yours",
            )


def _can_be_followed(name: str, reference: str, llm: LlmBlock) -> bool:
    """Whether all that it leads to was understood."""
    found = meaning(name, reference, llm)
    if not isinstance(found, str):
        return found is not None
    if not is_followable(found, llm):
        return False
    waiting = [found]
    while waiting:
        here = waiting.pop()
        block = llm.models.get(here)
        if block is None or (block.provider is not None and block.provider not in llm.providers):
            return False
        for reference_below in [text for _, text in references(block)]:
            below = meaning(here, reference_below, llm)
            if below is None:
                return False
            if isinstance(below, str):
                waiting.append(below)
    return True
