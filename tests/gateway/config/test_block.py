from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.block import Block, refusal


class Example(Block):
    """A block."""

    size: int = 3
    """How big."""


def test_a_key_with_nothing_after_it_is_absent() -> None:
    assert Example.model_validate({"size": None}).size == 3


def test_unknown_keys_are_refused_even_without_a_value() -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"siez": None})


def test_blocks_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Example(size=1).size = 2  # type: ignore[misc]


def test_a_refusal_carries_its_message_as_it_is() -> None:
    assert refusal("no {braces} here").message() == "no {braces} here"
