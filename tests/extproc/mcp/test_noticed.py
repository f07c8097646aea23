from __future__ import annotations

import logging

import pytest

from extproc.mcp.naming import Target
from extproc.mcp.noticed import Noticed


def test_it_is_told_once_and_again_when_it_has_changed(caplog: pytest.LogCaptureFixture) -> None:
    noticed = Noticed()
    with caplog.at_level(logging.WARNING):
        for times in (0, 2, 2, 3, 0, 0, 3):
            noticed.unread("github", "tools", times)
        noticed.unread("jira", "tools", 3)
    assert len(caplog.records) == 4


def test_what_cannot_be_reached_is_told_by_view(caplog: pytest.LogCaptureFixture) -> None:
    noticed = Noticed()
    with caplog.at_level(logging.WARNING):
        for view in ("", "work", ""):
            noticed.hidden(view, [Target("jira", "search")])
            noticed.hidden("none", [])
    assert len(caplog.records) == 2
    assert "search of jira" in caplog.text
