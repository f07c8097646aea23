"""Signals as an event."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from xds_server.stopping import STOP_SIGNALS, stop_event


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    async def scenario() -> None:
        with stop_event() as stop:
            assert not stop.is_set()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stop.wait(), 5)

    asyncio.run(scenario())


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    async def scenario() -> None:
        with stop_event():
            pass
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    asyncio.run(scenario())
