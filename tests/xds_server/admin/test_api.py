"""The admin API over a view that says what we tell it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
import pytest

from xds_server.admin.api import View, admin_app, without_port


@dataclass(slots=True)
class Running:
    """A gateway as the API sees it."""

    lacking: tuple[str, ...] = ()

    async def missing(self) -> tuple[str, ...]:
        return self.lacking

    def view(self) -> View:
        return View(
            missing=self.missing,
            status=lambda: {"version": "v1", "problems": []},
            compiled=lambda: "listeners: []\n",
            counters=lambda: [{"counter": "team", "settled": 5, "reserved": 2}],
        )


def get(path: str, running: Running | None = None, host: str = "127.0.0.1:15000") -> httpx.Response:
    async def ask() -> httpx.Response:
        app = admin_app((running or Running()).view(), frozenset({"admin.example"}))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            return await client.get(path, headers={"host": host})

    return asyncio.run(ask())


def test_it_is_ready_when_nothing_is_missing() -> None:
    answer = get("/healthz/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_it_says_what_is_missing() -> None:
    answer = get("/healthz/ready", Running(("no worker has the configuration",)))
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "missing": ["no worker has the configuration"],
    }


def test_it_is_live_although_something_is_missing() -> None:
    assert get("/healthz/live", Running(("everything",))).status_code == 200


def test_status_configuration_and_budgets_are_shown() -> None:
    assert get("/api/status").json() == {"version": "v1", "problems": []}
    assert get("/api/config").text == "listeners: []\n"
    assert get("/api/budgets").json() == {
        "counters": [{"counter": "team", "settled": 5, "reserved": 2}]
    }


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:15000", "", "127.0.0.1.evil.example"]
)
def test_a_foreign_host_name_is_refused(host: str) -> None:
    assert get("/api/status", host=host).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:15000", "admin.example:80"])
def test_known_host_names_are_answered(host: str) -> None:
    assert get("/api/status", host=host).status_code == 200


def test_probes_may_use_any_address() -> None:
    assert get("/healthz/ready", host="10.1.2.3:15000").status_code == 200


def test_nothing_is_shared_with_other_origins() -> None:
    assert "access-control-allow-origin" not in get("/api/status").headers


@pytest.mark.parametrize(
    ("header", "host"),
    [("a:1", "a"), ("a", "a"), ("[::1]", "[::1]"), ("[::1]:2", "[::1]"), ("A:b", "a:b")],
)
def test_the_port_is_no_part_of_the_host(header: str, host: str) -> None:
    assert without_port(header) == host
