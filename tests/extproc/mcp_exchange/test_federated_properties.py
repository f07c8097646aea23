"""Whatever clients and servers do: calls reach the server that was meant, in its own words, and its
questions come back to it alone."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from extproc.events import Direct, Respond
from extproc.mcp import ids
from extproc.mcp.headers import META_CAPABILITIES, META_VERSION
from tests.kit.mcp_conversation import Client, Simulation
from tests.kit.mcp_exchange import TWO, Fake, fakes, opened, played, program
from tests.kit.mcp_simulated import ASKING, SimulatedServer

NAMES = ("a", "b", "c-1")
TOOLS = ("search", "close", "a__x", "_y")
YAML = """
mcp: {servers: {a: {url: "http://a/mcp"}, b: {url: "http://b/mcp"}, c-1: {url: "http://c/mcp"}}}
identity: {api_keys: {keys: [{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]}}
"""

_server = st.sampled_from(NAMES)
_person = st.sampled_from(["ann", "bob"])
_own_ids = st.lists(
    st.integers(0, 3)
    | st.sampled_from(["0", "1", "i:1", "a/i:1", ""])
    | st.sampled_from([0.5, 1.5]),
    max_size=4,
)


class Federation(RuleBasedStateMachine):
    """Three servers, two clients, and what each of them must have seen."""

    @initialize(own_ids=st.tuples(_own_ids, _own_ids, _own_ids), page=st.integers(1, 5))
    def begin(self, own_ids: tuple[list[Any], ...], page: int) -> None:
        servers = [
            SimulatedServer(name, TOOLS, page=page, ids=_distinct(each))
            for name, each in zip(NAMES, own_ids, strict=True)
        ]
        self.federation = Simulation(YAML, *servers)
        self.clients = {name: Client(name, f"sk-{name}") for name in ("ann", "bob")}
        self.open: dict[tuple[str, Any], tuple[str, Any]] = {}
        """Client and id of its call → the server that asks, and its own id."""
        self.stale: set[tuple[str, str]] = set()
        """Clients, and servers that were restarted since they last heard of them."""
        self.number = 0
        for client in self.clients.values():
            self.federation.initialize(client)

    @rule(name=_person)
    def begins_anew(self, name: str) -> None:
        """Answers of calls of the session before go nowhere that matters."""
        client = self.clients[name]
        self._forget(lambda person, _: person == name)
        self.stale = {each for each in self.stale if each[0] != name}
        assert self.federation.initialize(client).status == 200

    @rule(name=_person, server=_server, tool=st.sampled_from(TOOLS))
    def calls(self, name: str, server: str, tool: str) -> None:
        client = self.clients[name]
        self.number += 1
        arguments = {"number": self.number}
        params = {"name": f"{server}__{tool}", "arguments": arguments}
        answer = self.federation.request(client, "tools/call", params)
        assert answer.status == 200
        self.stale.discard((name, server))
        (content,) = client.results[client.last_id]["content"]
        assert json.loads(content["text"]) == [server, tool, arguments]
        told = self.federation.servers[server].received[-1]
        assert told.message["id"] == client.last_id
        assert told.headers["mcp-session-id"] in self.federation.servers[server].sessions

    @rule(name=_person, server=_server)
    def is_asked(self, name: str, server: str) -> None:
        if (name, server) in self.stale:  # a call that is made again is answered whole
            self.calls(name, server, TOOLS[0])
        client = self.clients[name]
        self.federation.request(client, "tools/call", {"name": f"{server}__{ASKING}"})
        question = client.questions[-1]
        assert question["params"]["message"] == f"{server} asks"
        assert question["params"]["_meta"]["progressToken"] == question["id"]
        own = self.federation.servers[server].waiting[-1].asked
        self.open[name, client.last_id] = (server, own)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def answers(self, data: st.DataObject) -> None:
        name, identity = data.draw(st.sampled_from(sorted(self.open, key=repr)))
        server, own = self.open.pop((name, identity))
        client = self.clients[name]
        self.number += 1
        told = f"{server}/"
        question = next(
            each
            for each in client.questions
            if each["id"].startswith(told) and _own(each["id"]) == (type(own), own)
        )
        self.federation.answer(client, question, {"number": self.number})
        (content,) = client.results[identity]["content"]
        assert json.loads(content["text"]) == {"number": self.number}

    @rule(server=_server)
    def restarts(self, server: str) -> None:
        self.federation.servers[server].restart()
        self._forget(lambda _, asking: asking == server)
        self.stale |= {(name, server) for name in self.clients}

    @rule(name=_person)
    def lists(self, name: str) -> None:
        client = self.clients[name]
        assert self.federation.request(client, "tools/list").status == 200
        self.stale = {each for each in self.stale if each[0] != name}
        listed = [each["name"] for each in client.results[client.last_id]["tools"]]
        assert listed == [f"{server}__{tool}" for server in NAMES for tool in (*TOOLS, ASKING)]

    @rule(name=_person)
    def is_robbed(self, name: str) -> None:
        thief = Client("thief", "sk-bob" if name == "ann" else "sk-ann")
        thief.session = self.clients[name].session
        before = self._told()
        assert self.federation.request(thief, "tools/list").status == 404
        assert self._told() == before

    @rule(name=_person, server=_server, own=st.integers(0, 3) | st.sampled_from(["0", "i:1"]))
    def answers_what_nobody_asked(self, name: str, server: str, own: Any) -> None:
        before = self._told()
        forged = {"id": ids.outward(server, own), "result": {"forged": True}}
        assert self.federation.say(self.clients[name], forged).status == 202
        assert self._told() == before

    @invariant()
    def nobody_is_answered_but_by_whom_it_asked(self) -> None:
        for server in self.federation.servers.values() if hasattr(self, "federation") else ():
            waiting = {(type(each.asked), each.asked) for each in server.waiting}
            open_ = {
                (type(own), own) for asking, own in self.open.values() if asking == server.name
            }
            assert waiting == open_

    def _forget(self, is_gone: Any) -> None:
        """Calls that wait are over."""
        for (name, identity), (server, own) in list(self.open.items()):
            if is_gone(name, server):
                del self.open[name, identity]
                of = self.federation.servers[server]
                of.waiting = [each for each in of.waiting if each.asked is not own]
                client = self.clients[name]
                client.questions = [
                    each
                    for each in client.questions
                    if not (
                        each["id"].startswith(f"{server}/") and _own(each["id"]) == (type(own), own)
                    )
                ]

    def _told(self) -> int:
        return sum(len(each.received) for each in self.federation.servers.values())


def _own(text: str) -> tuple[type, Any]:
    """The server's own id, of one that was made with a key."""
    server, _, rest = text.partition("/")
    back = ids.inward(f"{server}/{rest.partition(':')[2]}")
    assert back is not None
    return type(back[1]), back[1]


def _distinct(own_ids: list[Any]) -> list[Any]:
    """A server uses an id for one request at a time."""
    found = dict.fromkeys((type(each), each) for each in own_ids)
    return [each for _, each in found]


TestFederation = Federation.TestCase
TestFederation.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes
)


METHODS = [
    *("initialize", "ping", "server/discover", "subscriptions/listen", "logging/setLevel"),
    *("tools/call", "tools/list", "prompts/get", "completion/complete", "resources/read"),
    *("resources/subscribe", "tasks/get", "tasks/list", "tasks/result", "other/thing"),
    *("notifications/cancelled", "notifications/progress", "notifications/initialized"),
]
_names = st.sampled_from(
    [
        *("name", "arguments", "uri", "_meta", "ref", "type", "taskId", "requestState", "cursor"),
        *("inputResponses", "progressToken", "requestId", "query"),
        *(META_VERSION, META_CAPABILITIES),
    ]
)
_values = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["a__echo", "search_tools", "call_tool", "file:///a", "ref/prompt", "a/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(METHODS),
    _values,
    st.none() | st.integers() | st.text(max_size=4),
    st.sampled_from(["", "2025-11-25", "2026-07-28", "zzz"]),
    st.booleans(),
)
def test_whatever_is_said_is_sent_on_or_answered(
    method: str, params: Any, identity: Any, revision: str, has_session: bool
) -> None:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    head = {"mcp_protocol_version": revision, "mcp_session_id": SESSION if has_session else ""}
    if identity is not None:
        message["id"] = identity
    if revision == "2026-07-28":
        head["mcp_method"] = method
        named = params.get("name", params.get("uri", "")) if isinstance(params, dict) else ""
        head["mcp_name"] = named if isinstance(named, str) else ""
    one = played(SERVED, **{name: value for name, value in head.items() if value})
    action = one.post(message)
    assert isinstance(action, Direct | Respond)
    assert one.exchange.is_over or isinstance(action, Direct)


SERVED = program(TWO + "  search: {}\n", fakes(Fake("a", ("echo",), ("file:///a",)), Fake("b")))
SESSION = opened(SERVED)
