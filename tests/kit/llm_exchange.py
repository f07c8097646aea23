"""An exchange on providers of several dialects, with a ledger in memory; no Envoy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from envoy_api import message

from extproc.cut_streams import CutStreams
from extproc.events import Action, Forward, RequestBody, RequestHeaders, ResponseHeaders
from extproc.exchange import Exchange
from extproc.latencies import Latencies
from extproc.plan import Steering
from extproc.program import Program, build
from gateway import names
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY_START = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
YAML = """
llm:
  providers:
    chat: {type: openai-compatible, url: "http://chat.example/v1"}
    claude: {type: anthropic, url: "http://claude.example/v1"}
    gemini: {type: gemini, url: "http://gemini.example/v1beta"}
    bedrock: {type: bedrock, url: "http://bedrock.example", region: us-east-1, key: k}
  models:
    gpt: chat/gpt
    opus: claude/opus
    pro: gemini/pro
    nova: bedrock/nova
    mixed: {failover: [claude/opus, chat/gpt]}
  prices: {gpt: {input: 1, output: 1}, opus: {input: 2, output: 2}, pro: {input: 1, output: 1},
           nova: {input: 1, output: 1}}
budgets: [{name: all, limit: 1000000 tokens, per: day}]
"""
WITHOUT_BUDGETS = YAML.partition("budgets:")[0]


def program(
    yaml: str,
    ledger: MemoryLedger,
    latencies: Latencies | None = None,
    cut_streams: CutStreams | None = None,
) -> Program:
    """What a worker makes of a configuration."""
    config = load(yaml, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    gateway = resolve(config)
    return build(
        gateway,
        "1",
        ledger=ledger,
        choose=lambda: 0.0,
        created=7,
        latencies=latencies,
        cut_streams=cut_streams,
    )


@dataclass(slots=True)
class LlmExchange:
    """One exchange and its ledger."""

    exchange: Exchange
    ledger: MemoryLedger
    program: Program | None = None

    def say(self, event: Any) -> Action:
        action = self.exchange.on_event(event)
        assert not isinstance(action, Awaitable)
        return action

    def again(self) -> LlmExchange:
        """The next one of the same worker."""
        assert self.program is not None
        return LlmExchange(Exchange(self.program, NOW), self.ledger, self.program)

    def ask(
        self, path: str = "/v1/chat/completions", headers: Mapping[str, str] = {}, **body: Any
    ) -> Action:
        """The headers and the body of a request; what the body is answered."""
        told = {":method": "POST", ":path": path, "x-request-id": "7e5c-01", **headers}
        self.say(RequestHeaders(told, False))
        return self.say(RequestBody(json.dumps(body).encode()))

    def answered(
        self, cluster: str, status: int = 200, details: str = "via_upstream", **headers: str
    ) -> Action:
        """A provider begins to answer."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        details = "" if status == 200 else details
        return self.say(ResponseHeaders(status, cluster, details, 0, told))

    def settled(self) -> int:
        return asyncio.run(self.ledger.spent("all|tokens", DAY_START)).settled

    def reserved(self) -> int:
        return asyncio.run(self.ledger.spent("all|tokens", DAY_START)).reserved


def llm_exchange(
    yaml: str = YAML,
    steering: Steering = Steering.METADATA,
    cut_streams: CutStreams | None = None,
) -> LlmExchange:
    ledger = MemoryLedger()
    made = program(yaml, ledger, cut_streams=cut_streams)
    return LlmExchange(Exchange(made, NOW, steering=steering), ledger, made)


def chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}


def forwarded(action: Action) -> Any:
    """The new body."""
    assert isinstance(action, Forward)
    assert action.body is not None
    return json.loads(action.body)


def clusters(action: Action) -> list[str]:
    """Of the plan, in order."""
    assert isinstance(action, Forward)
    plan = Response.FromString(action.plan_reply).dynamic_metadata[names.PLAN_NAMESPACE]
    return [group["clusters"][0]["cluster_name"] for group in plan["priority_groups"]]
