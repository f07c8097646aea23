from __future__ import annotations

import pytest
from a2a.server.routes.rest_routes import create_rest_routes
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route

from extproc.a2a import http_paths
from extproc.a2a.http_paths import Found
from extproc.a2a.operations import OPERATIONS, Operation
from gateway.a2a import Revision

V0_3, V1_0 = Revision.V0_3, Revision.V1_0
ids = st.text(min_size=1, max_size=8).filter(
    lambda text: bool(text.strip(".")) and not any(each in "/\\\x7f" or each < " " for each in text)
)
tenants = st.just("") | ids.filter(
    lambda text: text not in ("v1", "tasks", "card", "extendedAgentCard") and ":" not in text
)
CASES = [(operation, revision) for operation, row in OPERATIONS.items() for revision in row.names]


@given(st.sampled_from(CASES), tenants, ids, ids)
def test_what_is_written_is_read(
    case: tuple[Operation, Revision], tenant: str, task_id: str, push_id: str
) -> None:
    operation, revision = case
    names = OPERATIONS[operation].names[revision]
    if operation is Operation.GET_TASK and task_id.endswith(":subscribe"):
        return  # nobody can ask for that one
    said_tenant = tenant if revision is V1_0 else ""
    path = http_paths.written(operation, revision, said_tenant, task_id, push_id)
    for method in names.http_methods:
        assert http_paths.read(method, path) == Found(
            operation,
            revision,
            said_tenant,
            task_id if "{id}" in names.shape else "",
            push_id if "{push_id}" in names.shape else "",
        )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/tasks/a:cancel", Found(Operation.GET_TASK, V1_0, "", "a:cancel", "")),
        ("POST", "/tasks/a:b:cancel", Found(Operation.CANCEL_TASK, V1_0, "", "a:b", "")),
        ("POST", "/tasks/a%3Acancel", Found(Operation.CANCEL_TASK, V1_0, "", "a", "")),
        ("GET", "/v1/tasks/a:subscribe", Found(Operation.SUBSCRIBE, V0_3, "", "a", "")),
        ("GET", "/acme/tasks", Found(Operation.LIST_TASKS, V1_0, "acme", "", "")),
        ("GET", "/tasks/tasks", Found(Operation.GET_TASK, V1_0, "", "tasks", "")),
        ("GET", "/v1/card", Found(Operation.EXTENDED_CARD, V0_3, "", "", "")),
    ],
)
def test_paths_are_read(method: str, path: str, expected: Found) -> None:
    assert http_paths.read(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "tasks"),
        ("GET", "/tasks/"),
        ("GET", "//tasks"),
        ("GET", "/tasks/.."),
        ("GET", "/tasks/%2e%2E"),
        ("GET", "/tasks/a%2Fb"),
        ("GET", "/tasks/a%5Cb"),
        ("GET", "/tasks/a%00"),
        ("GET", "/tasks/a%zz"),
        ("GET", "/tasks/a%FF"),
        ("GET", "/message:send"),
        ("POST", "/v1/extendedAgentCard"),
        ("GET", "/v1/tasks"),
        ("POST", "/tasks/:cancel"),
        ("GET", "/card"),
        ("GET", "/a/b/tasks"),
        ("PATCH", "/tasks/a"),
    ],
)
def test_what_is_no_operation_or_could_be_another_is_none(method: str, path: str) -> None:
    assert http_paths.read(method, path) is None


@given(st.sampled_from(CASES), ids, ids)
def test_servers_of_the_sdk_find_what_is_written(
    case: tuple[Operation, Revision], task_id: str, push_id: str
) -> None:
    operation, revision = case
    if (operation, revision) == (Operation.DELETE_PUSH, V0_3) or ":" in task_id:
        return  # which it does not have
    path = http_paths.written(operation, revision, "", task_id, push_id)
    scope = {
        "type": "http",
        "method": OPERATIONS[operation].names[revision].http_methods[0],
        "path": http_paths.unquote_to_bytes(path).decode(),
        "root_path": "",
    }
    routes = [each for each in SDK_ROUTES if isinstance(each, Route)]
    found = [
        child for match, child in (each.matches(scope) for each in routes) if match is Match.FULL
    ]
    (child,) = found[:1]
    assert child["path_params"].get("id", task_id) == task_id
    assert child["path_params"].get("push_id", push_id) == push_id


SDK_ROUTES = create_rest_routes(object(), enable_v0_3_compat=True)  # type: ignore[arg-type]
