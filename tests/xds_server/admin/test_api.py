"""The admin API over a view that says what we tell it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest

from xds_server.admin.api import LIMIT_BYTES, Answer, View, admin_app


@dataclass(slots=True)
class Running:
    """A gateway as the API sees it."""

    lacking: tuple[str, ...] = ()
    went_back_to: list[str | None] = field(default_factory=list)

    async def missing(self) -> tuple[str, ...]:
        return self.lacking

    async def roll_back(self, version: str | None) -> Answer:
        self.went_back_to.append(version)
        return Answer(409, {"problems": ["no"]}) if version == "bad" else Answer(200, {"ok": True})

    def view(self) -> View:
        return View(
            missing=self.missing,
            status=lambda: {"version": "v1", "problems": []},
            compiled=lambda: "listeners: []\n",
            resources=lambda: {"resources": []},
            budgets=lambda: {"budgets": [], "counters": [{"counter": "team", "settled": 5}]},
            history=lambda: {"entries": []},
            metrics=lambda: b"dragoman_config_problems 0\n",
            roll_back=self.roll_back,
        )


def ask(
    method: str,
    path: str,
    running: Running | None = None,
    headers: dict[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    async def asking() -> httpx.Response:
        app = admin_app((running or Running()).view(), frozenset({"admin.example"}))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            return await client.request(method, path, headers=headers, content=content)

    return asyncio.run(asking())


def get(path: str, running: Running | None = None, host: str = "127.0.0.1:15000") -> httpx.Response:
    return ask("GET", path, running, {"host": host})


def post(content: bytes, running: Running | None = None, **headers: str) -> httpx.Response:
    usual = {"host": "127.0.0.1:15000", "content-type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask("POST", "/api/rollback", running, usual | named, content)


def test_it_is_ready_when_nothing_is_missing() -> None:
    answer = get("/healthz/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_it_says_what_is_missing() -> None:
    running = Running(("no worker has the configuration",))
    answer = get("/healthz/ready", running)
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "missing": ["no worker has the configuration"],
    }
    assert get("/api/status", running).json()["missing"] == ["no worker has the configuration"]


def test_it_is_live_although_something_is_missing() -> None:
    assert get("/healthz/live", Running(("everything",))).status_code == 200


def test_everything_can_be_read() -> None:
    assert get("/api/status").json() == {"version": "v1", "problems": [], "missing": []}
    assert get("/api/config").text == "listeners: []\n"
    assert get("/api/resources").json() == {"resources": []}
    assert get("/api/history").json() == {"entries": []}
    assert get("/api/budgets").json() == {
        "budgets": [],
        "counters": [{"counter": "team", "settled": 5}],
    }


def test_metrics_are_text_for_prometheus() -> None:
    answer = get("/metrics")
    assert answer.text == "dragoman_config_problems 0\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_going_back_is_to_a_version_or_to_the_file() -> None:
    running = Running()
    assert post(b'{"version": "abc"}', running).json() == {"ok": True}
    assert post(b'{"release": true}', running).status_code == 200
    assert running.went_back_to == ["abc", None]


def test_what_stands_against_going_back_is_passed_on() -> None:
    answer = post(b'{"version": "bad"}')
    assert (answer.status_code, answer.json()) == (409, {"problems": ["no"]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"release": false}',
        b'{"version": 1}',
        b'{"version": "a", "release": true}',
        b'{"verion": "a"}',
    ],
)
def test_what_is_not_understood_changes_nothing(body: bytes) -> None:
    running = Running()
    answer = post(body, running)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the body")
    assert running.went_back_to == []


def test_more_than_the_limit_is_not_read() -> None:
    running = Running()
    assert post(b" " * (LIMIT_BYTES + 1), running).status_code == 413
    assert running.went_back_to == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"host": "evil.example"}, 421),
    ],
)
def test_a_page_in_a_browser_changes_nothing(headers: dict[str, str], status: int) -> None:
    running = Running()
    assert post(b'{"version": "abc"}', running, **headers).status_code == status
    assert running.went_back_to == []


def test_going_back_cannot_be_asked_for_by_a_link() -> None:
    assert get("/api/rollback?version=abc").status_code == 405


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
