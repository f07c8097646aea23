"""What a worker found when it looked reaches a file soon."""

from __future__ import annotations

import json
from pathlib import Path

from extproc.adapters.agent_looks import AgentLooks
from tests.extproc.adapters.test_tally import Later


def test_the_latest_look_at_each_is_written_once(tmp_path: Path) -> None:
    now, later = [10.0], Later()
    looks = AgentLooks(tmp_path / "agents", "worker/1", later, lambda: now[0])
    looks.looked("travel", True)
    looks.looked("hotels", True)
    now[0] = 11.5
    looks.looked("travel", False)
    assert not (tmp_path / "agents").exists()
    later.run()
    (path,) = (tmp_path / "agents").iterdir()
    assert json.loads(path.read_text()) == [["hotels", True, 10.0], ["travel", False, 11.5]]
    assert not later.due
    looks.looked("travel", True)
    later.run()
    assert json.loads(path.read_text())[1] == ["travel", True, 11.5]


def test_where_nothing_can_be_written_the_next_look_tries_again(tmp_path: Path) -> None:
    (tmp_path / "agents").write_text("a file")
    later = Later()
    looks = AgentLooks(tmp_path / "agents", "0", later, lambda: 1.0)
    looks.looked("travel", True)
    later.run()
    (tmp_path / "agents").unlink()
    looks.looked("travel", False)
    later.run()
    (path,) = (tmp_path / "agents").iterdir()
    assert json.loads(path.read_text()) == [["travel", False, 1.0]]
