"""What the gateway reads of a request is what agents read: whatever it lets pass says the same to
the official SDK, however its members are spelled."""

from __future__ import annotations

import json
from typing import Any

from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.compat.v0_3 import types as types_v03
from a2a.types import a2a_pb2
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from extproc.a2a import requests
from extproc.a2a.requests import A2aRequest

NAMES = [
    *("tenant", "message", "request"),
    *("configuration", "metadata", "taskId"),
    *("task_id", "TaskId", "TASKID"),
    *("taſkId", "contextId", "context_id"),
    *("referenceTaskIds", "reference_task_ids", "taskPushNotificationConfig"),
    *("task_push_notification_config", "pushNotificationConfig", "push_notification_config"),
    *("pushNotification", "push_notification", "url"),
    *("URL", "id", "token"),
    *("parts", "content", "role"),
    *("messageId", "message_id", "kind"),
    *("acceptedOutputModes", "accepted_output_modes"),
]
IDS = ["a", "b", "c"]


def with_spellings(document: dict[str, Any], extra: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """Members put anywhere in it, beside or instead of those that are there."""
    for place, name, value in extra:
        holder: Any = document
        if place:
            holder = document.setdefault(place, {})
        if place == "configuration" and isinstance(value, str) and "ush" in name:
            value = {"url": value, "id": value}
        if isinstance(holder, dict):
            holder[name] = value
    return document


extras = st.lists(
    st.tuples(
        st.sampled_from(["", "message", "configuration"]),
        st.sampled_from(NAMES),
        st.sampled_from([*IDS, None]),
    ),
    max_size=4,
)
PART = {"text": "hi"}


def read(document: dict[str, Any], *, is_old: bool) -> A2aRequest | None:
    method = "message/send" if is_old else "SendMessage"
    envelope = {"jsonrpc": "2.0", "id": 1, "method": method, "params": document}
    headers = {"a2a-version": "0.3" if is_old else "1.0"}
    found = requests.read_jsonrpc(json.dumps(envelope).encode(), headers)
    return found if isinstance(found, A2aRequest) else None


@settings(max_examples=400)
@given(extras)
def test_agents_of_1_0_read_the_same(extra: list[tuple[str, str, Any]]) -> None:
    base: dict[str, Any] = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [PART]}}
    document = with_spellings(base, extra)
    found = read(document, is_old=False)
    if found is None:
        return
    try:
        theirs = json_format.ParseDict(
            document, a2a_pb2.SendMessageRequest(), ignore_unknown_fields=True
        )
    except json_format.ParseError:
        return  # it refuses more
    push = theirs.configuration.task_push_notification_config
    assert (found.task_id, found.context_id, found.tenant, found.push_url, found.push_id) == (
        theirs.message.task_id,
        theirs.message.context_id,
        theirs.tenant,
        push.url,
        push.id,
    )
    assert found.accepted_output_modes == tuple(theirs.configuration.accepted_output_modes)
    assert found.reference_task_ids == tuple(theirs.message.reference_task_ids)


@settings(max_examples=400)
@given(extras)
def test_agents_of_0_3_read_the_same(extra: list[tuple[str, str, Any]]) -> None:
    message = {"messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    document = with_spellings({"message": message}, extra)
    found = read(document, is_old=True)
    if found is None:
        return
    try:
        theirs = types_v03.MessageSendParams.model_validate(document)
    except ValidationError:
        return
    push = theirs.configuration and theirs.configuration.push_notification_config
    assert (found.task_id, found.context_id) == (
        theirs.message.task_id or "",
        theirs.message.context_id or "",
    )
    assert (found.push_url, found.push_id) == ((push.url, push.id or "") if push else ("", ""))


@settings(max_examples=400)
@given(extras)
def test_agents_of_0_3_over_http_read_the_same(extra: list[tuple[str, str, Any]]) -> None:
    base: dict[str, Any] = {"message": {"messageId": "m", "role": "ROLE_USER", "content": [PART]}}
    document = with_spellings(base, extra)
    body = json.dumps(document).encode()
    found = requests.read_http("POST", "/v1/message:send", "", body, {})
    if not isinstance(found, A2aRequest):
        return
    try:
        theirs = json_format.Parse(
            body, a2a_v0_3_pb2.SendMessageRequest(), ignore_unknown_fields=True
        )
    except json_format.ParseError:
        return
    assert (found.task_id, found.context_id) == (
        theirs.request.task_id,
        theirs.request.context_id,
    )
    said = json.dumps(document)
    if "pushNotificationConfig" in said or "push_notification_config" in said:
        return  # another form of it, which this one passes over
    push = theirs.configuration.push_notification
    assert (found.push_url, found.push_id) == (push.url, push.id)
