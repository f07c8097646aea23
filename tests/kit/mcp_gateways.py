"""Gateways before the MCP servers of `tests.kit.mcp_peers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.kit.mcp_peers import McpServer
from tests.kit.stack import Stack, running

EXAMPLES = Path(__file__).parents[2] / "examples"


def _by_one_worker(config: Path, state: Path) -> AbstractContextManager[Stack]:
    return running(config, state, workers=1)


@contextmanager
def gateway_before(
    servers: Mapping[str, McpServer],
    text: str,
    folder: Path,
    serve: Callable[[Path, Path], AbstractContextManager[Stack]] = _by_one_worker,
) -> Iterator[Stack]:
    """A configuration that ends within `mcp.servers`; each server gets its row there."""
    config = folder / "gateway.yaml"
    rows = [f'    {name}: {{url: "{each.url}"}}\n' for name, each in servers.items()]
    config.write_text(text + "".join(rows))
    with serve(config, folder / "state") as stack:
        yield stack


@contextmanager
def example_before(
    servers: Mapping[str, McpServer], name: str, folder: Path, workers: int = 1
) -> Iterator[Stack]:
    """An example, which reads where each server is from `NAME_MCP`."""
    with pytest.MonkeyPatch.context() as patch:
        for each in servers.values():
            patch.setenv(f"{each.name.upper()}_MCP", each.url)
        with running(EXAMPLES / name, folder / "state", workers=workers) as stack:
            yield stack
