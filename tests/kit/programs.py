"""What a worker's source gives, as small as it can be: a program that knows its models."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Gateway


@dataclass(frozen=True, slots=True)
class Program:
    """What is built of a gateway."""

    version: str
    models: tuple[str, ...]


def build(gateway: Gateway, version: str) -> Program:
    """A version can be told to fail."""
    if version == "unbuildable":
        raise ZeroDivisionError("no such number")
    return Program(version, tuple(model.name for model in gateway.models))


def text(*models: str) -> str:
    """A configuration of these models."""
    lines = "".join(f"    {model}: {{provider: p, model: m}}\n" for model in models)
    provider = "{type: openai, url: 'http://127.0.0.1:9/v1'}"
    return f"llm:\n  providers:\n    p: {provider}\n  models:\n{lines}"
