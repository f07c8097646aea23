"""What operators are told of a control plane with clients, refusals and a history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit.publishing import compiled, text
from tests.kit.saved import Saved
from xds_server.admin.overview import Overview
from xds_server.audience import Kind, Node, Principal
from xds_server.clients import Client, Clients
from xds_server.history import History, Origin, Pin, Sources
from xds_server.metrics import Traffic
from xds_server.refusals import Refusals
from xds_server.snapshot import CLUSTER
from xds_server.subscription.words import DeltaRequest

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
ENVOY = Node("edge-1", user_agent="envoy", version=(1, 40, 0), version_text="1.40.0")
SECRET = "secret-a"


def scene(folder: Path, play: Callable[[Overview, Saved], Awaitable[None]]) -> None:
    async def run() -> None:
        refusals = Refusals(lambda: MOMENT)
        clients = Clients(note_refusal=refusals.note)
        saved = Saved.of(clients, folder, compiled)
        history = History(folder / "seen", lambda: MOMENT)
        await play(
            Overview(saved.file, clients, saved.publisher, history, refusals, Traffic()), saved
        )

    asyncio.run(run())


def join(overview: Overview) -> Client:
    return overview.clients.join(Kind.ENVOY, ENVOY, Principal("ipv4:127.0.0.1:1"))


async def refuse(overview: Overview, client: Client, reason: str) -> None:
    client.receive(DeltaRequest(CLUSTER))
    (response,) = await client.next_responses()
    request = DeltaRequest(CLUSTER, nonce=response.nonce, error=reason)
    client.receive(request)
    overview.clients.refused(client, request)


def test_before_anything_is_read_nothing_is_known(tmp_path: Path) -> None:
    async def play(overview: Overview, saved: Saved) -> None:
        status = overview.status()
        assert status["version"] is None
        assert status["since"] is None
        assert (status["clients"], status["refusals"], status["pin"]) == ([], [], None)
        assert overview.listing() == {"pin": None, "trouble": [], "entries": []}
        assert overview.figures({}).version is None

    scene(tmp_path, play)


def test_what_is_in_force_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    async def play(overview: Overview, saved: Saved) -> None:
        await saved.apply(text("a"))
        await saved.apply("modles: {}")
        status: Any = overview.status()
        assert status["version"]
        assert (status["since"], status["origin"]) == ("2026-03-01T00:00:00+00:00", "start")
        (problem,) = status["problems"]
        assert (problem["path"], problem["line"]) == ("modles", 1)
        figures = overview.figures({"envoy": 2})
        assert (figures.version, figures.problems) == (status["version"], 1)
        assert figures.taken_seconds == figures.attempted_seconds == MOMENT.timestamp()
        assert figures.restarts == {"envoy": 2}

    scene(tmp_path, play)


def test_a_client_is_told_with_what_it_has(tmp_path: Path) -> None:
    async def play(overview: Overview, saved: Saved) -> None:
        await saved.apply(text("a"))
        client = join(overview)
        client.receive(DeltaRequest(CLUSTER))
        status: Any = overview.status()
        (row,) = status["clients"]
        assert (row["kind"], row["client"]) == ("envoy", "envoy")
        assert row["node"] == "edge-1"
        assert row["user_agent"] == "envoy 1.40.0"
        assert (row["variant"], row["group"], row["level"]) == ("delta", "", "1.40")
        assert (row["version"], row["is_current"]) == (None, False)
        (figure,) = overview.figures({}).clients
        assert (figure.kind, figure.level, figure.is_current) == ("envoy", "1.40", False)

    scene(tmp_path, play)


def test_a_refusal_is_told_with_the_resource_and_without_secrets(tmp_path: Path) -> None:
    async def play(overview: Overview, saved: Saved) -> None:
        await saved.apply(text("a", "b"))
        client = join(overview)
        await refuse(overview, client, f"error adding cluster b: authorization: Bearer {SECRET}")
        status: Any = overview.status()
        (refusal,) = status["refusals"]
        reason = "error adding cluster b: authorization: Bearer [redacted]"
        assert (refusal["node"], refusal["type"]) == ("edge-1", "Cluster")
        assert (refusal["names"], refusal["reason"]) == (["b"], reason)
        (kind,) = status["clients"][0]["types"]
        assert (kind["type"], kind["rejection"], kind["rejected"]) == ("Cluster", reason, ["b"])
        assert overview.figures({}).nacks == {("envoy", "Cluster"): 1}

    scene(tmp_path, play)


@pytest.mark.parametrize("is_pinned", [True, False])
def test_the_history_is_told_without_its_texts(tmp_path: Path, is_pinned: bool) -> None:
    async def play(overview: Overview, saved: Saved) -> None:
        await saved.apply(text("a"))
        assert saved.publisher.in_force is not None
        version = saved.publisher.in_force.version
        for each, origin in (("old", Origin.START), (version, Origin.CHANGE)):
            sources = Sources("/g.yaml", {"/g.yaml": f"key: {SECRET}"}, {"/cert.pem": "d1"})
            overview.history.remember(each, sources, origin, 20)
        if is_pinned:
            overview.history.set_pin(Pin(overview.history.entries[1], "digest"))
        listing: Any = overview.listing()
        assert SECRET not in str(listing)
        assert listing["entries"][0] == {
            "number": 2,
            "version": version,
            "time": "2026-03-01T00:00:00+00:00",
            "origin": "change",
            "is_in_force": True,
            "root": "/g.yaml",
            "files": ["/g.yaml"],
            "referenced": [{"path": "/cert.pem", "digest": "d1"}],
        }
        assert not listing["entries"][1]["is_in_force"]
        status: Any = overview.status()
        assert status["history"] == {"entries": 2, "trouble": []}
        assert overview.figures({}).is_pinned is is_pinned
        said = f"{saved.file} differs and is not in force"
        assert listing["pin"] == status["pin"]
        assert (said in str(listing["pin"])) is is_pinned

    scene(tmp_path, play)
