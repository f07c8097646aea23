"""The ledger on a real Redis: one server, a cluster, and one behind sentinels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from extproc.adapters.leased_ledger import LeasedLedger
from tests.kit.ledger_suite import LedgerSuite
from tests.kit.remote_ledgers import opened, place_at
from tests.kit.servers import Server, redis, redis_cluster


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


class OnRedis(LedgerSuite):
    ahead_permille = 0
    url = ""

    @asynccontextmanager
    async def opened(self, directory: Path) -> AsyncIterator[LeasedLedger]:
        place = place_at(self.url, directory.name, ahead_permille=self.ahead_permille)
        async with opened(place, "only") as ledger:
            yield ledger


class TestExactOnRedis(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, server: Server) -> None:
        self.url = f"redis://127.0.0.1:{server.port}"


class TestLeasedOnRedis(OnRedis):
    ahead_permille = 500

    @pytest.fixture(autouse=True)
    def _at(self, server: Server) -> None:
        self.url = f"redis://127.0.0.1:{server.port}"


class TestOnACluster(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, cluster: Server) -> None:
        self.url = f"redis+cluster://127.0.0.1:{cluster.port}"
