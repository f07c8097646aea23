"""What agents post to webhooks."""

from __future__ import annotations

import json

import pytest

from extproc.a2a import notifications
from extproc.a2a.forms.losses import Malformed
from extproc.protocols.json_spans import InvalidJson
from gateway.a2a import Revision

STATUS = {"state": "TASK_STATE_WORKING"}
TASK = {"id": "t", "contextId": "c", "status": STATUS}
OLD = {"id": "t", "contextId": "c", "status": {"state": "working"}}


@pytest.mark.parametrize(
    ("document", "revision"),
    [
        ({"task": TASK}, Revision.V1_0),
        ({"statusUpdate": {"taskId": "t", "contextId": "c", "status": STATUS}}, Revision.V1_0),
        ({"artifactUpdate": {"taskId": "t", "artifact": {}}}, Revision.V1_0),
        ({**OLD, "kind": "task"}, Revision.V0_3),
        (OLD, Revision.V0_3),
        ({"kind": "status-update", "taskId": "t", "status": {"state": "working"}}, Revision.V0_3),
    ],
)
def test_the_body_says_its_revision_and_its_task(document: object, revision: Revision) -> None:
    found = notifications.read(json.dumps(document).encode())
    assert (found.revision, found.task_id) == (revision, "t")
    assert notifications.said(found, revision, "", []) is None


def test_clients_are_told_in_their_own_words() -> None:
    new = notifications.read(json.dumps({"task": TASK}).encode())
    told = json.loads(notifications.said(new, Revision.V0_3, "", []) or b"")
    assert (told["kind"], told["status"]["state"]) == ("task", "working")
    old = notifications.read(json.dumps(OLD).encode())
    told = json.loads(notifications.said(old, Revision.V1_0, "", []) or b"")
    assert told["task"]["status"]["state"] == "TASK_STATE_WORKING"


@pytest.mark.parametrize("document", [{}, {"task": TASK, "message": {}}, {"x": 1}])
def test_what_is_no_notification_is_refused(document: object) -> None:
    with pytest.raises(Malformed):
        notifications.read(json.dumps(document).encode())


@pytest.mark.parametrize("body", [b"", b'{"task":{},"task":{}}'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        notifications.read(body)


def test_where_several_are_one_agent_ids_say_whose_they_are() -> None:
    new = notifications.read(json.dumps({"task": TASK}).encode())
    for revision, at in ((Revision.V1_0, ("task",)), (Revision.V0_3, ())):
        told = json.loads(notifications.said(new, revision, "blue", []) or b"")
        for name in at:
            told = told[name]
        assert (told["id"], told["contextId"]) == ("t~blue", "c~blue")
    old = notifications.read(json.dumps(OLD).encode())
    told = json.loads(notifications.said(old, Revision.V0_3, "blue", []) or b"")
    assert (told["id"], told["kind"]) == ("t~blue", "task")


def test_numbers_stay_as_they_were_written() -> None:
    body = b'{"task":{"id":"t","metadata":{"n":1.50}}}'
    told = notifications.said(notifications.read(body), Revision.V1_0, "blue", [])
    assert b'"n":1.50' in (told or b"")


@pytest.mark.parametrize("agent", Revision)
@pytest.mark.parametrize("client", Revision)
def test_each_revision_is_said_in_the_other(agent: Revision, client: Revision) -> None:
    bodies = {Revision.V1_0: {"task": TASK}, Revision.V0_3: {**OLD, "kind": "task"}}
    posted = notifications.read(json.dumps(bodies[agent]).encode())
    told = notifications.said(posted, client, "", [])
    assert (told is None) is (agent is client)
    assert told is None or json.loads(told) == bodies[client]
