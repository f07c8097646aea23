"""What every command shares."""

from __future__ import annotations

import pytest

from xds_server.commands.command import refuses


def test_complaints_go_to_stderr_and_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert refuses(["one", "two"])
    assert capsys.readouterr().err == "one\ntwo\n"


def test_without_complaints_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert not refuses([])
    assert capsys.readouterr().err == ""
