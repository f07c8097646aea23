"""How these tests load YAML: what is expected to be right, and what is expected to be wrong."""

from __future__ import annotations

from textwrap import dedent

from gateway.config.check import warnings
from gateway.config.load import load
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve


def loaded(text: str, **environment: str) -> Config:
    """A Config, or a failure that shows the Problems."""
    config = load(dedent(text), file="test.yaml", environment=environment)
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


def meant(text: str, **environment: str) -> Gateway:
    """The same, resolved."""
    return resolve(loaded(text, **environment))


def problems(text: str, **environment: str) -> tuple[Problem, ...]:
    """What is wrong with the text."""
    found = load(dedent(text), file="test.yaml", environment=environment)
    return found if isinstance(found, tuple) else ()


def complaints(text: str, **environment: str) -> list[str]:
    """What is wrong with the text, as `path: message`."""
    return [f"{each.path}: {each.message}" for each in problems(text, **environment)]


def warned(text: str, **environment: str) -> list[str]:
    """What is not wrong, and will surprise, as `path: message`."""
    found = warnings(loaded(text, **environment))
    return [f"{each.path}: {each.message}" for each in found]
