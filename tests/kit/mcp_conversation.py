"""Whole sessions of MCP clients with simulated servers, through the exchange; Envoy is played.

    server a search close
    ann initialize
    ann tools/call {"name": "a__search"}
    ----
    a < tools/call {"name": "search"}
    ann < {"content": ...}

What stands behind `NAME <` is what that server, or client, was told by the command above it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import Any

from envoy_api import message

from extproc import wire
from extproc.events import (
    Action,
    ChangeHeaders,
    Direct,
    Event,
    Finish,
    Replace,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.mcp_exchange.exchange import McpExchange
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.program import Program
from gateway import names
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, program
from tests.kit.mcp_simulated import EVENTS, SimulatedServer

_Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
_CLUSTER = "service/mcp/"
_TAG = re.compile(r"/[A-Za-z0-9_-]{12}:(?=[isn]:)")
"""Of an id, made with a key that is another each time."""


@dataclass(slots=True)
class Client:
    """Somebody with a session."""

    name: str
    key: str = ""
    session: str = ""
    path: str = "/mcp"
    revision: str = "2025-11-25"
    capabilities: dict[str, Any] = field(default_factory=lambda: {"elicitation": {}})
    questions: list[Any] = field(default_factory=list)
    """Requests of servers that it has not answered."""
    results: dict[Any, Any] = field(default_factory=dict)
    """What it got, by the id of its request: a result, or an error."""
    last_id: int = 0


@dataclass(slots=True)
class HttpAnswer:
    """What the client gets."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def messages(self) -> list[Any]:
        if not self.body:
            return []
        if self.headers.get("content-type", "").startswith(EVENTS):
            lines = self.body.decode().split("\n")
            return [json.loads(each[6:]) for each in lines if each.startswith("data: ")]
        return [json.loads(self.body)]


@dataclass(slots=True)
class _Call:
    """An answer that has not ended."""

    client: Client
    exchange: McpExchange
    server: SimulatedServer
    session: str
    """As the server calls it."""


class Simulation:
    """Servers, clients, and the gateway between them."""

    def __init__(self, yaml: str, *servers: SimulatedServer) -> None:
        self.servers = {each.name: each for each in servers}
        self.program: Program = program(yaml, self)  # type: ignore[arg-type]
        self._calls: list[_Call] = []
        self.hub: list[Asked] = []
        """What the hub was told."""

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """What the gateway itself asks."""
        await asyncio.sleep(0)
        if cluster == names.HUB_CLUSTER:
            self.hub.append(asked)
            return Answered(204, {}, b"")
        server = self.servers[cluster.removeprefix(_CLUSTER)]
        if server.is_down:
            raise ServiceUnavailable("it is down")
        return server.ask(asked)

    def request(self, client: Client, method: str, params: Any = None) -> HttpAnswer:
        """A request of the client's, with an id of its own."""
        client.last_id += 1
        said = {} if params is None else {"params": params}
        return self.say(client, {"id": client.last_id, "method": method, **said})

    def initialize(self, client: Client) -> HttpAnswer:
        client.session = ""
        answer = self.request(
            client,
            "initialize",
            {
                "protocolVersion": client.revision,
                "capabilities": client.capabilities,
                "clientInfo": {"name": client.name, "version": "1"},
            },
        )
        client.session = answer.headers.get("mcp-session-id", "")
        if client.session:
            self.say(client, {"method": "notifications/initialized"})
        return answer

    def say(self, client: Client, said: dict[str, Any]) -> HttpAnswer:
        """One message, posted."""
        return self._http(client, "POST", json.dumps({"jsonrpc": "2.0", **said}).encode())

    def end(self, client: Client) -> HttpAnswer:
        return self._http(client, "DELETE", b"")

    def answer(self, client: Client, question: Any, result: Any) -> HttpAnswer:
        """The client's answer to a server; calls that waited for it end."""
        client.questions.remove(question)
        answer = self.say(client, {"id": question["id"], "result": result})
        self.finish()
        return answer

    def finish(self) -> None:
        """Calls end whose questions were answered."""
        for call in list(self._calls):
            said = call.server.finish(call.session)
            if said:
                self._calls.remove(call)
                shown = _shown(_done(call.exchange.on_event(ResponseBody(said, True))), said)
                self._heard(call.client, HttpAnswer(200, {"content-type": EVENTS}, shown))

    def _http(self, client: Client, method: str, body: bytes) -> HttpAnswer:
        exchange = McpExchange(self.program, NOW, LIMIT_BYTES)
        head = {":method": method, ":path": client.path, ":authority": "gateway.example"}
        if client.key:
            head["authorization"] = f"Bearer {client.key}"
        if client.session:
            head["mcp-session-id"] = client.session
            head["mcp-protocol-version"] = client.revision
        began = RequestHeaders(head, not body)
        action = _done(exchange.on_event(began))
        event: Event = began
        if body and not isinstance(action, Respond):
            event = RequestBody(body)
            action = _done(exchange.on_event(event))
        if isinstance(action, Respond):
            answer = HttpAnswer(action.status, dict(action.headers), action.body)
        else:
            assert isinstance(action, Direct), action
            answer = self._upstream(client, exchange, event, action, head, body)
        self._heard(client, answer)
        return answer

    def _upstream(
        self,
        client: Client,
        exchange: McpExchange,
        event: Event,
        action: Direct,
        head: dict[str, str],
        body: bytes,
    ) -> HttpAnswer:
        """Envoy sends it on, and the answer back."""
        said = _Response.FromString(wire.encode(event, action))
        mutation = getattr(said, said.WhichOneof("response")).response.header_mutation
        sent = {name: each for name, each in head.items() if name not in mutation.remove_headers}
        sent |= {each.header.key: each.header.raw_value.decode() for each in mutation.set_headers}
        server = self.servers[sent[names.MCP_HEADER].removeprefix(_CLUSTER)]
        if server.is_down:
            answered = Answered(503, {}, b"")
        else:
            content = body if action.body is None else action.body
            own = tuple((name, each) for name, each in sent.items() if name[0] != ":")
            answered = server.ask(Asked(head[":method"], sent[":path"], own, content))
        headers, content = dict(answered.headers), answered.body
        if exchange.is_over:
            return HttpAnswer(answered.status, headers, content)
        began = ResponseHeaders(answered.status, sent[names.MCP_HEADER], headers=headers)
        then = _done(exchange.on_event(began))
        if isinstance(then, Respond):
            return HttpAnswer(then.status, dict(then.headers), then.body)
        status = answered.status
        if isinstance(then, ChangeHeaders):
            status = int(dict(then.set_headers).get(":status", status))
        if isinstance(then, Watch):
            session = sent.get("mcp-session-id", "")
            is_waiting = server.is_waiting(session)
            content = _shown(
                _done(exchange.on_event(ResponseBody(content, not is_waiting))), content
            )
            if is_waiting:
                self._calls.append(_Call(client, exchange, server, session))
        return HttpAnswer(status, headers, content)

    def _heard(self, client: Client, answer: HttpAnswer) -> None:
        """What a client does with messages, however they come."""
        for each in answer.messages:
            if "method" not in each:
                client.results[each["id"]] = each.get("result", each.get("error"))
            elif "id" in each:
                client.questions.append(each)


def _done(action: Action | Awaitable[Action]) -> Action:
    async def awaited(found: Awaitable[Action]) -> Action:
        return await found

    return asyncio.run(awaited(action)) if isinstance(action, Awaitable) else action


def _shown(action: Action, body: bytes) -> bytes:
    return action.body if isinstance(action, Replace | Finish) else body


# --- transcripts ---------------------------------------------------------------------------


class Conversation:
    """The commands of a transcript."""

    def __init__(self) -> None:
        self._servers: list[SimulatedServer] = []
        self._optional: set[str] = set()
        self._settings: list[str] = []
        self._tools: dict[str, dict[str, dict[str, str]]] = {}
        self._simulation: Simulation | None = None
        self._clients: dict[str, Client] = {}
        self._heard: dict[str, int] = {}

    def say(self, command: str) -> Iterator[str]:
        """What servers and clients are told because of it."""
        subject, _, rest = command.partition(" ")
        if subject == "server":
            self._serve(rest)
            return
        if subject == "mcp":
            self._settings.append(rest)
            return
        simulation = self._simulation = self._simulation or self._begun()
        before = {name: len(each.received) for name, each in simulation.servers.items()}
        if subject in simulation.servers:
            self._do(simulation.servers[subject], rest)
            return
        client = self._clients.setdefault(subject, Client(subject, f"sk-{subject}"))
        verb, _, said = rest.partition(" ")
        answers = [
            self._act(simulation, client, verb, json.loads(said) if said[:1] == "{" else said)
        ]
        for name, server in simulation.servers.items():
            for received in server.received[before[name] :]:
                yield f"{name} < {_written(received.message) or received.method}"
        for answer in answers:
            for each in answer.messages or [None]:
                if answer.status:
                    yield f"{subject} < {_answer(answer.status, each)}"
        for identity, result in client.results.items():
            if identity not in [each.get("id") for each in answers[0].messages]:
                yield f"{subject} < later, to {identity}: {_compact(result)}"
        client.results.clear()

    def _serve(self, text: str) -> None:
        """`a search close>finish resource=test://a optional`"""
        name, *words = text.split()
        options: dict[str, list[str]] = {}
        tools = []
        for word in words:
            option, equals, value = word.partition("=")
            if equals:
                options.setdefault(option, []).append(value)
            elif word == "optional":
                self._optional.add(name)
            elif ">" in word:
                tool, _, other = word.partition(">")
                tools.append(tool)
                self._tools.setdefault(name, {})[tool] = {"name": other}
            else:
                tools.append(word)
        self._servers.append(
            SimulatedServer(
                name,
                tools,
                options.get("prompt", []),
                options.get("resource", []),
                options.get("template", []),
                options.get("revision", ["2025-11-25"])[0],
                int(options.get("page", ["100"])[0]),
                [json.loads(each) for each in options.get("id", [])],
            )
        )

    def _begun(self) -> Simulation:
        servers = {
            each.name: {
                "url": f"http://{each.name}.example/mcp",
                "required": each.name not in self._optional,
                "tools": self._tools.get(each.name, {}),
            }
            for each in self._servers
        }
        settings = "".join(f", {each}" for each in self._settings)
        keys = [{"name": each, "key": f"sk-{each}"} for each in ("ann", "bob")]
        yaml = (
            f"mcp: {{servers: {json.dumps(servers)}{settings}}}\n"
            f"identity: {{api_keys: {{keys: {json.dumps(keys)}}}}}\n"
        )
        return Simulation(yaml, *self._servers)

    def _do(self, server: SimulatedServer, what: str) -> None:
        match what:
            case "restarts":
                server.restart()
            case "falls":
                server.is_down = True
            case "rises":
                server.is_down = False
            case _:
                raise AssertionError(f"a server does not do that: {what}")

    def _act(self, simulation: Simulation, client: Client, verb: str, said: Any) -> HttpAnswer:
        match verb:
            case "initialize":
                return simulation.initialize(client)
            case "answers":
                return simulation.answer(client, client.questions[0], said)
            case "tells":
                method, _, params = said.partition(" ")
                return simulation.say(client, {"method": method, "params": json.loads(params)})
            case "posts":
                return simulation.say(client, said)
            case "ends":
                return simulation.end(client)
            case "goes":
                client.path = said
                return HttpAnswer(0, {}, b"")
            case "takes":
                client.session = self._clients[said].session
                return HttpAnswer(0, {}, b"")
        return simulation.request(client, verb, said or None)


def _written(said: Any) -> str:
    if said is None:
        return ""
    if "method" in said:
        params = said.get("params")
        if said["method"] == "initialize":
            return f"initialize, for {params['clientInfo']['name']}, of {params['protocolVersion']}"
        return said["method"] if params is None else f"{said['method']} {_compact(params)}"
    return f"answer to {said['id']!r}: {_compact(said.get('result', said.get('error')))}"


def _answer(status: int, said: Any) -> str:
    if said is None:
        return str(status)
    if "method" in said:
        return f"asked {_compact(said['id'])}: {_written(said)}" if "id" in said else _written(said)
    shown = _compact(said["result"]) if "result" in said else f"error {_compact(said['error'])}"
    return shown if status == 200 else f"{status} {shown}"


def _compact(value: Any) -> str:
    return _TAG.sub("/TAG:", json.dumps(value, ensure_ascii=False))
