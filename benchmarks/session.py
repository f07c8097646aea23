"""What a realtime session costs in Python under a budget: `python -m benchmarks.session`.

One message from Envoy for each piece that a provider sends, and the answer to it: speech in events
of several sizes, and a whole turn, whose usage is booked and for whose successor is reserved.
"""

from __future__ import annotations

import json
import time
import timeit
from datetime import UTC, datetime
from typing import Any

from envoy_api import message

from extproc.process import Process
from extproc.program import build
from extproc.protocols.websocket import text
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.calls import RecordedCall
from tests.kit.memory_ledger import MemoryLedger

_Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
_NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
_YAML = """
llm:
  providers: {a: {type: openai, url: "http://a.example/v1"}}
  models: {live: a/gpt-realtime}
budgets: [{name: all, limit: 1000000000 USD, per: day}]
"""
_TIMES = 20_000


def session() -> RecordedCall:
    """One that is open."""
    config = load(_YAML, file="benchmark.yaml", environment={})
    if isinstance(config, tuple):
        raise SystemExit(str(config))
    process = Process(lambda: _NOW)
    process.program = build(
        resolve(config), "1", ledger=MemoryLedger(), choose=lambda: 0.0, created=1
    )
    call = RecordedCall(process)
    asked = {":method": "GET", ":path": "/v1/realtime?model=live"}
    fields = [{"key": key, "raw_value": value.encode()} for key, value in asked.items()]
    call.say(_Request(request_headers={"headers": {"headers": fields}}).SerializeToString())
    fields = [{"key": ":status", "raw_value": b"101"}]
    call.say(_Request(response_headers={"headers": {"headers": fields}}).SerializeToString())
    return call


def shown(*events: dict[str, Any]) -> bytes:
    """What Envoy sends of these events, which came at once."""
    said = b"".join(text(json.dumps(event, separators=(",", ":")).encode()) for event in events)
    return bytes(_Request(response_body={"body": said}).SerializeToString())


def microseconds(call: RecordedCall, piece: bytes) -> float:
    """CPU for one piece, the best of five."""
    turn = timeit.Timer(lambda: call.stream.on_message(piece), timer=time.process_time)
    found = min(turn.repeat(5, _TIMES)) / _TIMES * 1e6
    call.sent.clear()
    return found


def main() -> None:
    call = session()
    for size in (100, 4_000, 16_000, 64_000):
        event = {"type": "response.output_audio.delta", "event_id": "e", "delta": "A" * size}
        print(f"speech, {size:>6} bytes   {microseconds(call, shown(event)):6.1f} µs")
    usage = {
        "input_tokens": 132,
        "output_tokens": 121,
        "input_token_details": {"text_tokens": 109, "audio_tokens": 23, "cached_tokens": 64},
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
    response = {"status": "completed", "output": [], "usage": usage}
    turn = shown(
        {"type": "response.created", "event_id": "e", "response": {}},
        {"type": "response.done", "event_id": "e", "response": response},
    )
    print(f"a turn, booked          {microseconds(call, turn):6.1f} µs")


if __name__ == "__main__":
    main()
