from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.config.gateways import GatewayBlock
from gateway.config.kinds import fields, is_union, items, plain, values
from gateway.config.policies import RegexGuardBlock, RuleBlock
from gateway.config.remote_guards import GuardBlock


def test_wrappers_are_taken_off() -> None:
    assert plain(Annotated[tuple[int, ...], Field(min_length=1)] | None) == tuple[int, ...]
    assert plain(Annotated[int | None, Field()]) is int
    assert plain(int | str) == int | str


def test_blocks_have_fields_by_the_names_that_are_written() -> None:
    assert "for" in fields(RuleBlock)
    assert "scope" not in fields(RuleBlock)
    assert fields(int) == fields(dict[str, int]) == {}


def test_lists_have_items_and_mappings_have_values() -> None:
    assert items(tuple[GatewayBlock, ...]) is GatewayBlock
    assert values(dict[str, GatewayBlock]) is GatewayBlock
    assert items(GatewayBlock) is values(tuple[int, ...]) is None


def test_one_of_several_is_a_union() -> None:
    assert is_union(plain(GuardBlock))
    assert not is_union(RegexGuardBlock)
