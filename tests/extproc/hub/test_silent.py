"""Servers that have no streams, and for how long that is believed."""

from __future__ import annotations

from extproc.hub.silent import SECONDS, Silent
from extproc.mcp.views import Served

ONE = Served("one", "service/mcp/one", "/mcp", (), True, 1.0)
TWO = Served("two", "service/mcp/two", "/mcp", (), True, 1.0)


def test_it_is_believed_for_a_while() -> None:
    times = [100.0]
    silent = Silent(lambda: times[-1])
    assert not silent.has(ONE)
    silent.note(ONE)
    assert silent.has(ONE)
    assert not silent.has(TWO)
    times.append(100.0 + SECONDS)
    assert not silent.has(ONE)


def test_another_configuration_may_have_another_server() -> None:
    silent = Silent(lambda: 0.0)
    silent.note(ONE)
    silent.forget()
    assert not silent.has(ONE)
