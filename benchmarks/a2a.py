"""What an A2A message costs in Python, without sockets: `python -m benchmarks.a2a [--check]`.

The two ext_proc messages of a message to an agent, in each binding, without policy and with a key,
a rule that reads its parts, and a limit, and where the agent has two instances, in no context and
in one that the client has named; and there an event of the answer's stream, as well as where guards
read both. The edge is left out (`benchmarks.edge` has it). The least of several rounds, since
others use the machine, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from envoy_api import message

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.operations import Operation
from extproc.a2a.owners import shown
from extproc.a2a.substitution import StreamSubstitution
from extproc.a2a_serving.directory import Times
from extproc.a2a_serving.serving import World, serving
from extproc.ports import Answered, Asked, Unresolved
from extproc.process import Process
from extproc.program import NOTHING_SERVED, build
from extproc.protocols import sse
from extproc.trial.trying import Unhurried
from gateway import names
from gateway.a2a import Binding, Revision
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.memory_ledger import MemoryLedger

REQUESTS: Final = 4_000
ROUNDS: Final = 7
MICROSECONDS: Final = 60
AGENTS = 'a2a: {agents: {travel: {url: "http://travel", grpc: "http://travel:50051"}}}\n'
INSTANCES = """
a2a:
  agents:
    travel:
      instances:
        blue: {url: "http://travel", grpc: "http://travel:50051"}
        green: {url: "http://travel", grpc: "http://travel:50051"}
"""
POLICY = """
identity: {api_keys: {keys: [{name: bench, key: dragoman-bench}]}}
authorize: [{name: texts, for: {a2a: travel}, require: 'a2a.parts.all(part, has(part.text))'}]
limits: [{name: all, for: {a2a: "*"}, requests: 1000000/s}]
"""
GUARDS = """
guardrails:
  - {name: people, type: pii, action: mask, phase: both, for: {a2a: travel}}
  - {name: keys, type: secrets, phase: both, for: {a2a: travel}}
"""
_CONTEXT: Final = "contextId"
_KINDS: Final = {"gRPC": "application/grpc"}
_Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
_MESSAGE = {
    "messageId": "6dbc13b5-bd57-4c2b-b503-24e381b6c8d6",
    "contextId": "c295ea44-7543-4f78-b524-7a38915ad6e4",
    "role": "ROLE_USER",
    "parts": [{"text": "Book a flight from Lisbon to Oslo. " * 25}],
}
_CARD = {
    "name": "travel",
    "description": "Books flights",
    "version": "1.0",
    "supportedInterfaces": [
        {"url": url, "protocolBinding": binding, "protocolVersion": "1.0"}
        for binding, url in (
            ("JSONRPC", "http://travel/rpc"),
            ("HTTP+JSON", "http://travel/rest"),
            ("GRPC", "travel:50051"),
        )
    ],
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [],
}


class Agent:
    """Tells its card."""

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        return Answered(200, {}, json.dumps(_CARD).encode())


class Call:
    """Takes the answers."""

    metadata: Mapping[str, str] = {names.ROLE_METADATA: names.A2A_ROLE}
    is_open = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def end(self, status: int = 0, message: str = "") -> None:
        self.is_open = False


def bindings(*, is_stream: bool = False, is_named: bool = True) -> dict[str, tuple[bytes, ...]]:
    """What Envoy sends for a message of about 1 KB. `is_named`: its context is."""
    method = "SendStreamingMessage" if is_stream else "SendMessage"
    verb = "stream" if is_stream else "send"
    said = {name: value for name, value in _MESSAGE.items() if is_named or name != _CONTEXT}
    params = {"message": said}
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    sent = protobuf.encode("lf.a2a.v1.SendMessageRequest", {"tenant": "travel", **params}, [])
    return {
        "JSON-RPC": _messages("/a2a/travel", json.dumps(asked).encode()),
        "HTTP+JSON": _messages(f"/a2a/travel/message:{verb}", json.dumps(params).encode()),
        "gRPC": _messages(f"/lf.a2a.v1.A2AService/{method}", grpc_frames.frame(sent)),
    }


def _messages(path: str, body: bytes) -> tuple[bytes, ...]:
    sent = {
        ":method": "POST",
        ":path": path,
        ":authority": "gateway.example",
        ":scheme": "http",
        "a2a-version": "1.0",
        "authorization": "Bearer dragoman-bench",
        "content-type": "application/json",
        "x-request-id": "0fbf1c1a-6e3b-4b0a-9d5e-3b8a1c2d4e5f",
    }
    headers = [{"key": key, "raw_value": value.encode()} for key, value in sent.items()]
    begun = _Request(request_headers={"headers": {"headers": headers}})
    read = _Request(request_body={"body": body, "end_of_stream": True})
    return begun.SerializeToString(), read.SerializeToString()


async def nowhere(host: str, port: int) -> Sequence[str]:
    """Nobody is called back."""
    raise Unresolved(host)


def process(yaml: str) -> Process:
    """A worker."""
    config = load(yaml, file="bench", environment={})
    assert not isinstance(config, tuple), config
    made = Process(time.time)
    times = Times(time.monotonic, lambda: "")
    world = World(Agent(), times, lambda: 0.0, nowhere, ())
    made.program = build(
        resolve(config),
        "1",
        ledger=MemoryLedger(),
        limiter=Unhurried(),
        choose=lambda: 0.5,
        created=1,
        serve=NOTHING_SERVED._replace(a2a=lambda a2a, identity: serving(a2a, identity, world)),
    )
    return made


async def _told(worker: Process, sent: tuple[bytes, ...]) -> None:
    """Once, until it is answered: the card is asked for then."""
    call = Call()
    stream = worker(call)
    for each in sent:
        stream.on_message(each)
        await asyncio.sleep(0.01)
    assert names.A2A_HEADER.encode() in call.sent[-1], call.sent


def _timed(worker: Process, sent: tuple[bytes, ...]) -> float:
    """Microseconds of CPU for each message."""
    began = time.process_time()
    for _ in range(REQUESTS):
        stream = worker(Call())
        for each in sent:
            stream.on_message(each)
        stream.on_close()
    return (time.process_time() - began) / REQUESTS * 1e6


def _event(binding: str, *, append: bool = False) -> bytes:
    """One of a stream, about 1 KB."""
    artifact = {"artifactId": "a", "parts": _MESSAGE["parts"]}
    ids = {"taskId": _MESSAGE["messageId"], "contextId": _MESSAGE["contextId"]}
    event = {"artifactUpdate": {**ids, "artifact": artifact, "append": append}}
    if binding == "gRPC":
        return grpc_frames.frame(protobuf.encode("lf.a2a.v1.StreamResponse", event, []))
    if binding == "JSON-RPC":
        return sse.encode(json.dumps({"jsonrpc": "2.0", "id": 1, "result": event}).encode())
    return sse.encode(json.dumps(event).encode())


def _of_event(binding: Binding, event: bytes) -> float:
    """Microseconds of CPU for each event that says whose it is."""
    stream = StreamSubstitution(Operation.STREAM, binding, Revision.V1_0, shown("blue"))
    began = time.process_time()
    for _ in range(REQUESTS):
        stream.feed(event)
    return (time.process_time() - began) / REQUESTS * 1e6


def _of_guarded(worker: Process, sent: tuple[bytes, ...], binding: str) -> float:
    """The same of each event that guards read."""
    stream = worker(Call())
    kind = _KINDS.get(binding, "text/event-stream").encode()
    headers = [{"key": ":status", "raw_value": b"200"}, {"key": "content-type", "raw_value": kind}]
    head = _Request(response_headers={"headers": {"headers": headers}}).SerializeToString()
    event = _Request(response_body={"body": _event(binding, append=True)}).SerializeToString()
    for each in (*sent, head):
        stream.on_message(each)
    began = time.process_time()
    for _ in range(REQUESTS):
        stream.on_message(event)
    return (time.process_time() - began) / REQUESTS * 1e6


async def measure() -> float:
    """Prints the table; the largest of its figures for agents of one place."""
    dearest = 0.0
    for spoken, (binding, named) in zip(Binding, bindings().items(), strict=True):
        worker = process(INSTANCES)
        for name, sent in (
            ("two instances", bindings(is_named=False)[binding]),
            ("in a context", named),
        ):
            await _told(worker, sent)
            least = min(_timed(worker, sent) for _ in range(ROUNDS))
            print(f"{name:18} {binding:10} {least:6.1f} µs")
        event = min(_of_event(spoken, _event(binding)) for _ in range(ROUNDS))
        print(f"{'two instances':18} {binding:10} an event {event:.1f} µs")
    for binding, sent in bindings().items():
        worker = process(AGENTS + GUARDS)
        await _told(worker, sent)
        least = min(_timed(worker, sent) for _ in range(ROUNDS))
        streamed = bindings(is_stream=True)[binding]
        event = min(_of_guarded(worker, streamed, binding) for _ in range(ROUNDS))
        print(f"{'guards':18} {binding:10} {least:6.1f} µs, an event {event:.1f} µs")
    for name, yaml in (("no policy", AGENTS), ("key, rule, limit", AGENTS + POLICY)):
        for binding, sent in bindings().items():
            worker = process(yaml)
            await _told(worker, sent)
            least = min(_timed(worker, sent) for _ in range(ROUNDS))
            print(f"{name:18} {binding:10} {least:6.1f} µs")
            dearest = max(dearest, least)
    return dearest


def main() -> int:
    """1 if a message costs too much and that was to be checked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a message costs too much")
    is_checked = parser.parse_args().check
    dearest = asyncio.run(measure())
    return int(is_checked and dearest > MICROSECONDS)


if __name__ == "__main__":
    sys.exit(main())
