"""Documents of A2A 1.0, of any shape that its agents may say."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

STATES = [
    f"TASK_STATE_{name}"
    for name in (
        *("SUBMITTED", "WORKING", "COMPLETED", "FAILED", "CANCELED"),
        *("INPUT_REQUIRED", "REJECTED", "AUTH_REQUIRED"),
    )
]
texts = st.text(max_size=6)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)  # no -0
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
structs = st.dictionaries(st.text(max_size=4), values, max_size=3)
rest = {"metadata": structs.filter(bool), "mediaType": texts, "filename": texts}
parts = st.one_of(
    st.fixed_dictionaries({"text": texts}, optional=rest),
    st.fixed_dictionaries(
        {"raw": st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())},
        optional=rest,
    ),
    st.fixed_dictionaries({"url": texts}, optional=rest),
    st.fixed_dictionaries({"data": values}, optional=rest),
)
messages = st.fixed_dictionaries(
    {"messageId": texts, "role": st.sampled_from(["ROLE_USER", "ROLE_AGENT"])},
    optional={
        "parts": st.lists(parts, max_size=3),
        "contextId": texts,
        "taskId": texts,
        "metadata": structs,
        "extensions": st.lists(texts, max_size=2),
        "referenceTaskIds": st.lists(texts, max_size=2),
    },
)
statuses = st.fixed_dictionaries(
    {"state": st.sampled_from(STATES)},
    optional={
        "message": messages,
        "timestamp": st.datetimes().map(lambda at: at.strftime("%04Y-%m-%dT%H:%M:%S.%fZ")),
    },
)
artifacts = st.fixed_dictionaries(
    {"artifactId": texts, "parts": st.lists(parts, max_size=2)},
    optional={"name": texts, "description": texts, "metadata": structs},
)
tasks = st.fixed_dictionaries(
    {"id": texts, "status": statuses},
    optional={
        "contextId": texts,
        "history": st.lists(messages, max_size=2),
        "artifacts": st.lists(artifacts, max_size=2),
        "metadata": structs,
    },
)
_update: dict[str, Any] = {"metadata": structs}
events = st.one_of(
    tasks.map(lambda task: {"task": task}),
    messages.map(lambda message: {"message": message}),
    st.fixed_dictionaries(
        {"taskId": texts, "contextId": texts, "status": statuses}, optional=_update
    ).map(lambda update: {"statusUpdate": update}),
    st.fixed_dictionaries(
        {"taskId": texts, "contextId": texts, "artifact": artifacts},
        optional={**_update, "append": st.booleans(), "lastChunk": st.booleans()},
    ).map(lambda update: {"artifactUpdate": update}),
)
webhooks = st.fixed_dictionaries(
    {"url": texts},
    optional={
        "id": texts,
        "token": texts,
        "authentication": st.fixed_dictionaries({"scheme": texts}, optional={"credentials": texts}),
    },
)
sends = st.fixed_dictionaries(
    {"message": messages},
    optional={
        "metadata": structs,
        "configuration": st.fixed_dictionaries(
            {},
            optional={
                "acceptedOutputModes": st.lists(texts, max_size=2),
                "historyLength": st.integers(1, 9),
                "returnImmediately": st.booleans(),
                "taskPushNotificationConfig": webhooks,
            },
        ),
    },
)
