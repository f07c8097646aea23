"""The ledger on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from extproc.adapters.leased_ledger import LeasedLedger
from tests.kit.ledger_suite import LedgerSuite
from tests.kit.remote_ledgers import opened, place_at
from tests.kit.servers import Server, postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("postgres") / "server") as running:
        yield running


class TestExactOnPostgres(LedgerSuite):
    ahead_permille = 0

    @pytest.fixture(autouse=True)
    def _at(self, server: Server) -> None:
        self.url = f"postgresql://127.0.0.1:{server.port}/ledger"

    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[LeasedLedger]:
        place = place_at(self.url, directory.name, ahead_permille=self.ahead_permille)
        async with opened(place, "only") as ledger:
            yield ledger


class TestLeasedOnPostgres(TestExactOnPostgres):
    ahead_permille = 500
