"""One quickstart for all tests that leave it as it was; `fresh` for those that break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.stack import Stack, running

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(EXAMPLES / "quickstart.yaml", tmp_path_factory.mktemp("quickstart")) as stack:
        yield stack


@pytest.fixture
def stack(quickstart: Stack) -> Stack:
    """The shared quickstart, with both providers working."""
    for provider in ("a", "b"):
        quickstart.switch(provider, "ok")
    return quickstart


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Stack]:
    """A quickstart of its own, whose YAML may be edited."""
    config = tmp_path / "gateway.yaml"
    config.write_text((EXAMPLES / "quickstart.yaml").read_text())
    with running(config, tmp_path / "state") as stack:
        yield stack
