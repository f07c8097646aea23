"""`dragoman mcp …`, tools and consents, against a control plane."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.agreed import agreed
from tests.kit.plane import RunningPlane, running_plane
from tests.kit.tool_pins import seen
from xds_server import cli

CONFIG = """
gateways: {default: {port: 8080}}
mcp: {pinning: {}, servers: {a: {url: "http://127.0.0.1:9/mcp"}}}
"""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("plane"), CONFIG) as running:
        yield running


def test_tools_are_shown_and_approved(
    plane: RunningPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--admin", str(plane.admin.port), "--state-dir", str(plane.state_dir)]

    def say(*words: str, status: int = 0) -> str:
        assert cli.main(["mcp", *words, *where], {}) == status
        told = capsys.readouterr()
        return (told.err if status else told.out).rstrip("\n")

    assert say("tools") == "no tools were listed"
    seen(plane.state_dir, "a", x="1 2", y="1")
    assert len(say("tools").splitlines()) == 3
    _, row = say("tools", "--pending").splitlines()
    assert row.split() == ["a", "x", "changed", "2023-11-14", "22:13:20Z", "2", "description"]
    assert json.loads(say("tools", "--json"))["tools"][0]["definition"]["name"] == "x"
    assert "another by now" in say("approve", "a", "x", "--digest", "3", status=1)
    assert say("approve", "a", "x", "--digest", "2") == "approved: x of a, 2"
    assert say("tools", "--pending") == "nothing waits for approval"


def test_connections_are_shown_and_ended(
    plane: RunningPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--admin", str(plane.admin.port), "--state-dir", str(plane.state_dir)]

    def say(*words: str, status: int = 0) -> str:
        assert cli.main(["mcp", *words, *where], {}) == status
        told = capsys.readouterr()
        return (told.err if status else told.out).rstrip("\n")

    assert say("connections") == "nobody has agreed to anything"
    agreed(
        plane.state_dir, ("a" * 32, "a", "key ann", 1_700_000_100), ("b" * 32, "a", "key bob", 0)
    )
    _, first, second = say("connections").splitlines()
    assert first.split() == [
        *("a", "key", "ann", "aaaaaaaaaaaa"),
        *("2023-11-14", "22:13:20Z", "2023-11-14", "22:15:00Z"),
    ]
    assert second.endswith("-")
    assert "sealed" not in say("connections", "--json")
    assert "nobody with a connection" in say("disconnect", "a", "c", status=1)
    assert say("disconnect", "a", "aaaa") == "disconnected: key ann from a"
    (row,) = json.loads(say("connections", "--json"))["connections"]
    assert row["who"] == "key bob"
