"""Which path is whose."""

from __future__ import annotations

import pytest

from extproc.a2a_serving.serving import World, serving
from gateway.a2a import A2a, A2aAgent
from gateway.identity import Identity
from tests.kit.a2a_exchange import Clock, nowhere
from tests.kit.mcp_exchange import Servers

AGENTS = A2a((A2aAgent("travel", "travel", "/card"),))
WORLD = World(Servers(), Clock().times, lambda: 0.0, nowhere, ())


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a2a", ("", "")),
        ("/a2a/", ("", "")),
        ("/a2a/travel", ("travel", "")),
        ("/a2a/travel/", ("travel", "/")),
        ("/a2a/travel/v1/tasks/1:cancel", ("travel", "/v1/tasks/1:cancel")),
        ("/a2ab", None),
        ("/", None),
    ],
)
def test_the_agents_name_is_behind_the_path_of_all(path: str, place: tuple[str, str]) -> None:
    found = serving(AGENTS, Identity(), WORLD)
    assert found is not None
    assert found.place(path) == place


def test_without_agents_there_is_nothing() -> None:
    assert serving(A2a(), Identity(), WORLD) is None
