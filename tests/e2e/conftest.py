"""One quickstart for all tests that leave it as it was; `fresh` for those that break it.

What Envoys of different levels do in different ways is asked of the newest, which `dragoman run`
starts, and of the oldest, beside `dragoman xds` and `dragoman extproc`, in both variants of xDS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cache, partial
from pathlib import Path

import pytest

from tests.kit.any_envoy import running_beside
from tests.kit.dialects import BUDGETS, Dialects, dialects
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.stack import Stack, running

EXAMPLES = Path(__file__).parents[2] / "examples"

WITHOUT_HEALTH = "\nllm:\n  failover: {health: {failures: 0}}\n"
"""A provider that failed in one test is asked first in the next, too."""

Serve = Callable[[Path, Path], AbstractContextManager[Stack]]
"""A gateway file and a folder for state → a gateway that is ready."""
SERVED: Mapping[str, Serve] = {
    NEWEST: partial(running, workers=1),
    f"{OLDEST}-delta": partial(running_beside, version=OLDEST),
    f"{OLDEST}-sotw": partial(running_beside, version=OLDEST, is_delta=False),
}


@pytest.fixture(scope="session", params=SERVED)
def quickstart(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("quickstart")
    config = folder / "gateway.yaml"
    written = (EXAMPLES / "quickstart.yaml").read_text()
    config.write_text(written.replace("\nllm:\n", WITHOUT_HEALTH))
    with SERVED[request.param](config, folder) as stack:
        yield stack


@pytest.fixture(scope="session", params=[NEWEST, f"{OLDEST}-delta"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """By the newest Envoy and by the oldest."""
    return SERVED[request.param]


@pytest.fixture(scope="session", params=[NEWEST, f"{OLDEST}-delta"])
def serve_widely(request: pytest.FixtureRequest) -> Serve:
    """The same, by several workers where `dragoman run` starts them: they share what is counted."""
    return running if request.param == NEWEST else SERVED[request.param]


@pytest.fixture(scope="session")
def serve_newest() -> Serve:
    """Where Python alone decides, Envoys do not differ. That each level takes what is compiled for
    it, `tests/xds_server/test_compile.py` knows."""
    return SERVED[NEWEST]


@pytest.fixture(scope="session")
def serve_newest_widely() -> Serve:
    """The same, by several workers."""
    return running


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


@pytest.fixture(scope="session")
def dialects_by(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Dialects]]:
    """A provider of each dialect, by an Envoy of this version; under a budget."""
    starts: Mapping[str, Serve] = {
        NEWEST: SERVED[NEWEST],
        OLDEST: SERVED[f"{OLDEST}-delta"],
    }
    with ExitStack() as opened:

        @cache
        def by(version: str) -> Dialects:
            folder = tmp_path_factory.mktemp("dialects")
            return opened.enter_context(dialects(starts[version], folder, BUDGETS))

        yield by


@pytest.fixture(params=[NEWEST, OLDEST])
def all_dialects(
    request: pytest.FixtureRequest, dialects_by: Callable[[str], Dialects]
) -> Dialects:
    """By the newest Envoy and by the oldest."""
    return dialects_by(request.param)


@pytest.fixture
def here(all_dialects: Dialects) -> Iterator[Dialects]:
    """What no test may do: ask a provider in a way that it documents as wrong."""
    all_dialects.forget()
    yield all_dialects
    assert all_dialects.faults() == []
    assert not all_dialects.providers.script
