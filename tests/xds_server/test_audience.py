"""Who connects, and what their Envoy can do."""

from __future__ import annotations

import pytest

from xds_server.audience import Level, Node


@pytest.mark.parametrize(
    ("node", "level"),
    [
        (Node("a", user_agent="envoy", version=(1, 40, 0)), Level.V1_40),
        (Node("a", user_agent="envoy", version=(1, 41, 2)), Level.V1_40),
        (Node("a", user_agent="envoy", version=(1, 39, 9)), Level.V1_37),
        (Node("a", user_agent="envoy"), Level.V1_37),
        (Node("a", user_agent="gRPC Python", version=(1, 85, 0)), Level.V1_37),
    ],
)
def test_the_level_follows_the_version(node: Node, level: Level) -> None:
    assert node.level() is level
