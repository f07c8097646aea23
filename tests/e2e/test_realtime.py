"""Sessions of the realtime API under budgets: OpenAI's library, a real Envoy, a provider that says
what the API's reference says.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai.resources.realtime.realtime import RealtimeConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.conftest import SERVED, Serve
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.realtime_provider import (
    BINARY,
    SOUND,
    Ending,
    RealtimeProvider,
    realtime_provider,
)
from tests.kit.stack import Stack, descendants, eventually

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings(
        r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"
    ),
]
CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  api_keys:
    keys:
      - {name: rich, key: k-rich}
      - {name: tight, key: k-tight}
      - {name: poor, key: k-poor}
      - {name: mortal, key: k-mortal}
      - {name: free, key: k-free}
      - {name: short, key: k-short}
llm:
  providers: {openai: {type: openai, url: "%s", key: sk-realtime}}
  models:
    live: openai/gpt-realtime
    less: openai/gpt-realtime-mini
    nameless: openai/no-price
  prices:
    gpt-realtime: {input: 1, output: 2, audio_input: 5, audio_output: 10}
    gpt-realtime-mini: {input: 0.1, output: 0.2, audio_input: 0.5, audio_output: 1}
    whisper-1: {second: 0.0001}
budgets:
  - {name: rich, for: {key: rich}, limit: 100 USD, per: total}
  - {name: tight, for: {key: tight}, limit: 0.011 USD, per: total}
  - {name: poor, for: {key: poor}, limit: 0.01 USD, per: total}
  - {name: mortal, for: {key: mortal}, limit: 100 USD, per: total}
  - name: short
    for: {key: short}
    limit: 100 USD
    per: total
    when_low: {below: 99.9%%, route_to: less}
"""
ESTIMATE = 1024 * 10_000
"""Nanodollars: what is reserved for the first response of a session."""


@dataclass(slots=True)
class Realtime:
    stack: Stack
    provider: RealtimeProvider

    @contextmanager
    def session(self, key: str, model: str = "live") -> Iterator[RealtimeConnection]:
        client = openai.OpenAI(base_url=f"{self.stack.url}/v1", api_key=f"k-{key}", max_retries=0)
        with client, client.realtime.connect(model=model) as connection:
            assert connection.recv().type == "session.created"
            yield connection

    def websocket(self, key: str) -> ClientConnection:
        """For what the library does not show."""
        url = f"ws://127.0.0.1:{self.stack.port}/v1/realtime?model=live"
        headers = {"authorization": f"Bearer k-{key}"}
        return connect(url, additional_headers=headers, max_size=None, proxy=None)

    def spent(self, budget: str) -> tuple[int, int]:
        rows = [row for name, row in self.stack.budgets().items() if name.startswith(budget)]
        return (rows[0]["settled"], rows[0]["reserved"]) if rows else (0, 0)

    def books(self, budget: str, settled: int, reserved: int) -> None:
        eventually(
            lambda: self.spent(budget) == (settled, reserved),
            f"{settled} and {reserved} of {budget}",
            seconds=15,
        )


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def realtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Realtime]:
    serve: Serve = SERVED[NEWEST if request.param == NEWEST else f"{OLDEST}-delta"]
    folder = tmp_path_factory.mktemp("realtime")
    with realtime_provider() as provider:
        file = folder / "gateway.yaml"
        file.write_text(CONFIG % provider.url)
        with serve(file, folder / "state") as stack:
            yield Realtime(stack, provider)


@pytest.fixture
def here(realtime: Realtime) -> Realtime:
    realtime.provider.forget()
    return realtime


def respond(connection: RealtimeConnection, **asked: Any) -> list[Any]:
    """Ask for a response; all its events but the last, which follows `response.done`."""
    metadata = {name: str(value) for name, value in asked.items()}
    connection.response.create(response={"metadata": metadata})
    events = [connection.recv()]
    while events[-1].type not in ("response.done", "error"):
        events.append(connection.recv())
    return events


def create(**asked: Any) -> str:
    metadata = {name: str(value) for name, value in asked.items()}
    return json.dumps({"type": "response.create", "response": {"metadata": metadata}})


def test_what_the_provider_tells_is_booked_while_the_session_goes_on(here: Realtime) -> None:
    before, _ = here.spent("rich")
    with here.session("rich") as connection:
        here.books("rich", before, ESTIMATE)
        respond(connection, read=100, heard=40, written=50, spoken=30)
        first = 60 * 1000 + 40 * 5000 + 20 * 2000 + 30 * 10_000
        eventually(lambda: here.spent("rich")[0] == before + first, "the first is booked")
        assert connection.recv().type == "rate_limits.updated"
        respond(connection, read=7, written=0, parts="yes")
        eventually(lambda: here.spent("rich")[0] == before + first + 7000, "the second is booked")
    here.books("rich", before + first + 7000, 0)
    (asked,) = here.provider.asked
    assert asked[":path"] == "/v1/realtime?model=gpt-realtime"
    assert "sec-websocket-extensions" not in asked


def test_what_was_heard_costs_what_its_own_model_costs(here: Realtime) -> None:
    before, _ = here.spent("rich")
    with here.session("rich") as connection:
        heard: Any = {"input": {"transcription": {"model": "whisper-1"}}}
        connection.session.update(session={"type": "realtime", "audio": heard})
        assert connection.recv().type == "session.updated"
        connection.input_audio_buffer.commit()
        assert connection.recv().type == "input_audio_buffer.committed"
        told = connection.recv()
        assert told.type == "conversation.item.input_audio_transcription.completed"
        here.books("rich", before + 250_000, ESTIMATE)
    here.books("rich", before + 250_000, 0)


def test_who_has_too_little_left_gets_no_session(here: Realtime) -> None:
    with pytest.raises(InvalidStatus) as refused, here.session("poor"):
        pass
    answer = refused.value.response
    assert answer.status_code == 429
    assert answer.body is not None
    assert json.loads(answer.body)["error"]["code"] == "budget_exhausted"
    with pytest.raises(InvalidStatus) as refused, here.session("rich", "nameless"):
        pass
    assert refused.value.response.status_code == 403
    assert here.provider.asked == []


def test_a_session_begins_with_a_cheaper_model_when_little_is_left(here: Realtime) -> None:
    with here.session("short") as connection:
        respond(connection, read=0, written=12_000, spoken=12_000)
    here.books("short", 120_000_000, 0)

    def told() -> str:
        with here.websocket("short") as connection:
            connection.recv()
            assert connection.response is not None
            return connection.response.headers.get("x-dragoman-low-budget", "")

    eventually(lambda: told() == "short; model=less", "little is left", interval=0.2)
    paths = [each[":path"] for each in here.provider.asked]
    assert paths[0] == "/v1/realtime?model=gpt-realtime"
    assert paths[-1] == "/v1/realtime?model=gpt-realtime-mini"
    with here.session("short") as connection:
        respond(connection, read=0, written=10_000, spoken=10_000)
    here.books("short", 120_000_000 + 10_000_000, 0)


def test_a_session_ends_when_its_budget_does(here: Realtime) -> None:
    with here.session("tight") as connection:
        events = respond(connection, read=200, written=100)
        assert events[-1].type == "response.done"
        assert connection.recv().type == "rate_limits.updated"
        events = respond(connection, read=2000, written=0)
        assert events[-1].type == "response.done"
        error = connection.recv()
        assert error.type == "error"
        assert error.error.code == "budget_exhausted"
        assert error.error.type == "insufficient_quota"
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason.startswith("budget 'tight'")
    here.books("tight", 400_000 + 2_000_000, 0)
    eventually(lambda: len(here.provider.endings) == 1, "the provider's side is closed")
    with pytest.raises(InvalidStatus), here.session("tight"):
        pass


def test_everything_passes_as_it_is(here: Realtime) -> None:
    for key in ("rich", "free"):
        with here.websocket(key) as websocket:
            assert json.loads(websocket.recv())["type"] == "session.created"
            websocket.send(create(pieces=20, first="binary", parts="yes"))
            assert json.loads(websocket.recv())["type"] == "response.created"
            for _ in range(20):
                assert json.loads(websocket.recv())["delta"] == SOUND
            assert websocket.recv() == BINARY
            assert json.loads(websocket.recv())["type"] == "response.done"
            assert json.loads(websocket.recv())["type"] == "rate_limits.updated"
            websocket.send(create(first="ping"))
            assert [json.loads(websocket.recv())["type"] for _ in range(4)] == [
                "response.created",
                "response.output_audio.delta",
                "response.done",
                "rate_limits.updated",
            ]
            assert websocket.ping().wait(5)
            websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": SOUND * 20}))
            websocket.close(4002, "enough")
        eventually(lambda: bool(here.provider.endings), "the provider knows")
        assert here.provider.endings == [Ending(4002, "enough")]
        assert here.provider.heard[-1]["audio"] == SOUND * 20
        here.provider.forget()


def test_clients_are_told_how_the_provider_closes(here: Realtime) -> None:
    for key in ("rich", "free"):
        with here.websocket(key) as websocket:
            websocket.send(create(first="close"))
            with pytest.raises(ConnectionClosed) as closed:
                hear_all(websocket)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "the model is gone")


def test_a_session_that_no_budget_counts_is_compressed_as_its_ends_like(here: Realtime) -> None:
    for key, is_compressed in (("free", True), ("rich", False)):
        with here.websocket(key) as websocket:
            assert websocket.response is not None
            told = websocket.response.headers.get("sec-websocket-extensions", "")
            assert ("permessage-deflate" in told) is is_compressed
            websocket.send(create())
            kinds = [json.loads(websocket.recv())["type"] for _ in range(4)]
            assert kinds[-1] == "response.done"


def test_a_response_that_never_ended_costs_the_estimate(here: Realtime) -> None:
    before, _ = here.spent("rich")
    with here.websocket("rich") as websocket:
        websocket.send(create(first="wait"))
        kinds = [json.loads(websocket.recv())["type"] for _ in range(3)]
        assert kinds[-1] == "response.output_audio.delta"
    here.books("rich", before + ESTIMATE, 0)


def test_what_is_booked_outlives_the_worker(here: Realtime) -> None:
    """Last: the workers are others then."""
    with here.websocket("mortal") as websocket:
        websocket.send(create(read=100, written=0, pieces=0))
        kinds = [json.loads(websocket.recv())["type"] for _ in range(4)]
        assert kinds[-2:] == ["response.done", "rate_limits.updated"]
        websocket.send(create(first="wait"))
        assert json.loads(websocket.recv())["type"] == "response.created"
        for pid in workers(here.stack):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            hear_all(websocket)
    if here.stack.workers():  # where somebody starts them again
        like_the_first = 100 * 1000 + ESTIMATE
        here.books("mortal", 100_000 + like_the_first, 0)


def hear_all(websocket: ClientConnection) -> None:
    """Until it is closed, which raises."""
    while True:
        websocket.recv(timeout=10)


def workers(stack: Stack) -> list[int]:
    """Also of a stack that is made of parts, which are this process's children."""
    mine = f"--state-dir {stack.state}"
    found = descendants(os.getpid()).items()
    return [pid for pid, line in found if " extproc " in line and mine in line]
