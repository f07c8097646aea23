"""Addresses of hosts."""

from __future__ import annotations

import asyncio

import pytest

from extproc.adapters.resolver import Resolver
from extproc.ports import Unresolved


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433"])
def test_addresses_are_what_the_system_says(host: str) -> None:
    assert asyncio.run(Resolver(30.0)(host, 443)) == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 70, ".x"])
def test_who_has_none_is_told_apart(host: str) -> None:
    with pytest.raises(Unresolved):
        asyncio.run(Resolver(30.0)(host, 443))


def test_nobody_waits_for_ever() -> None:
    with pytest.raises(Unresolved, match="no address within 0 s"):
        asyncio.run(Resolver(0.0)("127.0.0.1", 443))
