from __future__ import annotations

from gateway.config.finding import dotted


def test_a_path_is_written_with_dots() -> None:
    assert dotted(("routes", 0, "match")) == "routes.0.match"
    assert dotted(()) == ""
