"""One server for many: each client gets its own answers, by its own ids, and nobody else's."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.hub.envelope import Message, read
from extproc.hub.sharing import Sharing

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class Client:
    """Who is told something."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def deliver(self, _: Message, text: bytes) -> None:
        self.heard.append(json.loads(text))


class World:
    """Clients, and the one server."""

    def __init__(self, clients: int = 2, *, hears_all: bool = True) -> None:
        self.sent: list[Any] = []
        self.sharing = Sharing(lambda text: self.sent.append(json.loads(text)))
        self.clients = [Client() for _ in range(clients)]
        for each in self.clients:
            self.sharing.join(each, hears_all=hears_all)

    def say(self, client: Client, **fields: Any) -> Any:
        """What the server is sent."""
        text = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        before = len(self.sent)
        self.sharing.say(client, read(text), text)
        return self.sent[-1] if len(self.sent) > before else None

    def hear(self, **fields: Any) -> None:
        text = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        self.sharing.hear(read(text), text)


def test_equal_ids_of_two_clients_come_back_to_each() -> None:
    world = World()
    ann, bob = world.clients
    first = world.say(ann, id=1, method="tools/call", params={"name": "a"})
    second = world.say(bob, id=1, method="tools/call", params={"name": "b"})
    assert first["id"] != second["id"]
    assert (first["params"], second["params"]) == ({"name": "a"}, {"name": "b"})
    world.hear(id=second["id"], result={"for": "bob"})
    world.hear(id=first["id"], error={"code": -1, "message": "for ann"})
    assert ann.heard == [{"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "for ann"}}]
    assert bob.heard == [{"jsonrpc": "2.0", "id": 1, "result": {"for": "bob"}}]


ids = st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(st.integers(0, 2), ids, ids), max_size=30), st.randoms())
def test_every_answer_and_all_progress_come_back_to_who_asked(
    asked: list[tuple[int, Any, Any]], order: Any
) -> None:
    world = World(3)
    sent = []
    for number, (who, id, token) in enumerate(asked):
        params = {"n": number, "_meta": {"progressToken": token}}
        sent.append(world.say(world.clients[who], id=id, method="tools/call", params=params))
    assert len({json.dumps(each["id"]) for each in sent}) == len(sent)
    order.shuffle(sent)
    for each in sent:
        token = each["params"]["_meta"]["progressToken"]
        progress = {"progressToken": token, "progress": each["params"]["n"]}
        world.hear(method="notifications/progress", params=progress)
        world.hear(id=each["id"], result={"n": each["params"]["n"]})
    for who, client in enumerate(world.clients):
        answers = [(each["result"]["n"], each["id"]) for each in client.heard if "id" in each]
        steps = [each["params"] for each in client.heard if "method" in each]
        mine = [(n, id) for n, (whose, id, _) in enumerate(asked) if whose == who]
        assert sorted(answers, key=lambda pair: pair[0]) == mine
        for step in steps:
            assert step["progressToken"] == asked[step["progress"]][2]


def test_who_calls_off_calls_off_its_own() -> None:
    world = World()
    ann, bob = world.clients
    mine = world.say(ann, id=1, method="tools/call")
    world.say(bob, id=1, method="tools/call")
    params = {"requestId": 1, "reason": "enough"}
    told = world.say(ann, method="notifications/cancelled", params=params)
    assert told["params"] == {"requestId": mine["id"], "reason": "enough"}
    assert world.say(ann, method="notifications/cancelled", params={"requestId": 99}) is None
    world.hear(id=mine["id"], result={})
    assert ann.heard == []


def test_what_a_client_that_leaves_has_asked_is_called_off() -> None:
    world = World()
    ann, bob = world.clients
    mine = world.say(ann, id="x", method="tools/call")
    theirs = world.say(bob, id="x", method="tools/call")
    world.sharing.leave(ann)
    assert world.sent[-1]["method"] == "notifications/cancelled"
    assert world.sent[-1]["params"]["requestId"] == mine["id"]
    world.hear(id=theirs["id"], result={})
    world.hear(method="notifications/tools/list_changed")
    assert (len(ann.heard), len(bob.heard)) == (0, 2)


def test_what_belongs_to_no_call_is_for_all_sessions() -> None:
    world = World()
    world.hear(method="notifications/tools/list_changed")
    assert [len(each.heard) for each in world.clients] == [1, 1]
    alone = World(hears_all=False)
    alone.hear(method="notifications/tools/list_changed")
    assert [len(each.heard) for each in alone.clients] == [0, 0]


def test_what_is_logged_in_a_call_is_for_nobody_else() -> None:
    world = World()
    ann, bob = world.clients
    log = {"method": "notifications/message", "params": {"data": "x"}}
    world.hear(**log)
    world.say(ann, id=1, method="tools/call")
    world.hear(**log)
    assert (len(ann.heard), len(bob.heard)) == (2, 1)
    world.say(bob, id=1, method="tools/call")
    world.hear(**log)  # nobody can say whose
    assert (len(ann.heard), len(bob.heard)) == (2, 1)


def test_a_resource_is_told_to_who_wants_it_and_let_go_when_nobody_does() -> None:
    world = World()
    ann, bob = world.clients
    for client in world.clients:
        asked = world.say(client, id=1, method="resources/subscribe", params={"uri": "a://b"})
        world.hear(id=asked["id"], result={})
    world.hear(method="notifications/resources/updated", params={"uri": "a://b/c"})
    world.hear(method="notifications/resources/updated", params={"uri": "z://b"})
    assert [len(each.heard) for each in world.clients] == [2, 2]
    assert world.say(ann, id=2, method="resources/unsubscribe", params={"uri": "a://b"}) is None
    assert ann.heard[-1] == {"jsonrpc": "2.0", "id": 2, "result": {}}
    world.hear(method="notifications/resources/updated", params={"uri": "a://b"})
    assert (len(ann.heard), len(bob.heard)) == (3, 3)
    told = world.say(bob, id=2, method="resources/unsubscribe", params={"uri": "a://b"})
    assert told["method"] == "resources/unsubscribe"


def test_a_server_that_asks_is_told_that_nobody_can_be_asked() -> None:
    world = World()
    world.hear(id=4, method="ping")
    assert world.sent[-1] == {"jsonrpc": "2.0", "id": 4, "result": {}}
    world.hear(id=5, method="sampling/createMessage", params={})
    assert (world.sent[-1]["id"], world.sent[-1]["error"]["code"]) == (5, -32601)
    assert [each.heard for each in world.clients] == [[], []]


def test_notifications_of_a_subscription_carry_the_id_of_who_subscribed() -> None:
    world = World(hears_all=False)
    ann, bob = world.clients
    for client in world.clients:
        world.say(client, id="s", method="subscriptions/listen", params={"notifications": {}})
    mine = world.sent[0]["id"]
    params = {"_meta": {SUBSCRIPTION: mine}}
    world.hear(method="notifications/tools/list_changed", params=params)
    world.hear(method="notifications/tools/list_changed", params={"_meta": {SUBSCRIPTION: 99}})
    world.hear(id=mine, result={"_meta": {SUBSCRIPTION: mine}})
    assert ann.heard[0]["params"]["_meta"] == {SUBSCRIPTION: "s"}
    assert ann.heard[1]["result"]["_meta"] == {SUBSCRIPTION: "s"}
    assert bob.heard == []


def test_a_subscription_that_the_server_ends_is_ended_by_the_clients_id() -> None:
    world = World(hears_all=False)
    ann, _ = world.clients
    asked = world.say(ann, id="s", method="subscriptions/listen")
    world.hear(method="notifications/cancelled", params={"requestId": asked["id"]})
    assert ann.heard[0]["params"] == {"requestId": "s"}


def test_answers_of_a_server_that_was_started_anew_are_not_taken_for_those_of_the_old() -> None:
    world = World()
    asked = world.say(world.clients[0], id=1, method="tools/call")
    world.sharing.restarted()
    world.hear(id=asked["id"], result={})
    assert world.clients[0].heard == []
