"""How agents are, as workers write it down."""

from __future__ import annotations

import json
from pathlib import Path

from extproc.adapters.agent_looks import AgentLooks
from gateway.names import AGENT_LOOKS_FOLDER
from tests.extproc.adapters.test_tally import Later
from tests.kit.gateways import gateway_of
from xds_server.admin.agent_looks import agent_health

PLACES = gateway_of(
    """
a2a:
  agents:
    hotels: {url: "http://hotels"}
    rare: {url: "http://rare"}
    travel: {instances: {blue: {url: "http://blue"}, green: {url: "http://green"}}}
"""
).a2a.places


def test_who_looked_last_says_how_an_agent_is(tmp_path: Path) -> None:
    for worker, at, is_well in (("0", 5.0, False), ("1", 7.0, True), ("2", 6.0, False)):
        later, now = Later(), at
        looks = AgentLooks(tmp_path / AGENT_LOOKS_FOLDER, worker, later, lambda now=now: now)  # type: ignore[misc]
        looks.looked("travel~blue", is_well)
        looks.looked("hotels", not is_well)
        looks.looked("gone", is_well)
        later.run()
    assert agent_health(tmp_path, PLACES) == {("travel", "blue"): True, ("hotels", ""): False}


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert agent_health(tmp_path, PLACES) == {}
    folder = tmp_path / AGENT_LOOKS_FOLDER
    folder.mkdir()
    (folder / "0.json").write_text(json.dumps([["hotels", True, 1.0]]))
    (folder / "1.json").write_text("{")
    (folder / "2.unfinished").write_text("[")
    assert agent_health(tmp_path, PLACES) == {("hotels", ""): True}
