"""Models that choose, behind real Envoys: the example, with the demo providers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit.stack import Stack

pytestmark = pytest.mark.envoy

ASK = [{"role": "user", "content": "say hello"}]


@pytest.fixture(scope="module")
def virtual(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Nobody is set aside: what one test breaks is not remembered in the next."""
    folder: Path = tmp_path_factory.mktemp("virtual")
    config = folder / "gateway.yaml"
    text = (EXAMPLES / "virtual-models.yaml").read_text()
    config.write_text(text.replace("\nllm:\n", "\nllm:\n  failover: {health: {failures: 0}}\n", 1))
    with serve(config, folder) as stack:
        yield stack


@pytest.fixture
def here(virtual: Stack) -> Stack:
    """Both providers work."""
    for provider in ("a", "b"):
        virtual.switch(provider, "ok")
    return virtual


def served(stack: Stack, model: str, who: str = "bob", text: str = "hi", **headers: str) -> str:
    """The provider that answers, by the model that it was asked for."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    answer = stack.chat(body, key=f"key-of-{who}", headers=named)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["model"]
    return name


def test_conditions_see_the_caller_the_size_and_the_headers(here: Stack) -> None:
    assert served(here, "routed") == "demo-a"
    assert served(here, "routed", "ann") == "demo-b"
    assert served(here, "routed", text="word " * 20_000) == "demo-b"
    assert served(here, "routed", x_tier="gold") == "demo-b"
    assert served(here, "routed", x_tier="lead") == "demo-a"


def test_a_branch_fails_over_as_it_would_alone(here: Stack) -> None:
    here.switch("b", "503")
    assert served(here, "routed", "ann") == "demo-a"


def test_the_cheapest_goes_first_and_the_other_follows(here: Stack) -> None:
    assert served(here, "cheap") == "demo-a"
    here.switch("a", "429")
    assert served(here, "cheap") == "demo-b"


def test_sessions_stay_where_they_are_and_come_back(here: Stack) -> None:
    sessions = [f"session-{number}" for number in range(12)]

    def homes() -> list[str]:
        return [served(here, "split", x_session_id=session) for session in sessions]

    first = homes()
    assert set(first) == {"demo-a", "demo-b"}
    assert homes() == first
    here.switch("a", "500")
    assert set(homes()) == {"demo-b"}


def test_the_fastest_goes_first_once_it_is_known(here: Stack) -> None:
    here.switch("a", "slow")
    last = [served(here, "quick") for _ in range(60)][-40:]
    assert last.count("demo-b") > 30
    assert any(one == other == "demo-b" for one, other in pairwise(last))


def test_an_internal_model_does_not_exist_for_clients(here: Stack) -> None:
    answer = here.chat({"model": "thorough", "messages": ASK}, key="key-of-ann")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


SHARED = """
llm:
  failover: {health: {failures: 2, cool_down: 60s}}
  models:
    shared: {weighted: {demo-a/demo-a: 1, demo-b/demo-b: 1}}
"""


def test_who_fails_gets_no_share_until_it_is_back(
    serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shared")
    config = folder / "gateway.yaml"
    text = (EXAMPLES / "virtual-models.yaml").read_text()
    before, _, rest = text.partition("\nllm:\n")
    blocks = rest.partition("  models:\n")[0]
    config.write_text(before + SHARED.replace("  models:", blocks.rstrip() + "\n  models:"))
    body = {"model": "shared", "messages": ASK}
    with serve(config, folder) as stack:
        stack.switch("a", "500")
        answers = [stack.chat(body, key="key-of-ann") for _ in range(60)]
        statuses = [answer.status_code for answer in answers]
        assert 500 in statuses
        assert set(statuses[-30:]) == {200}
        assert {answer.json()["model"] for answer in answers[-30:]} == {"demo-b"}
