"""Who may pass a route whose body nobody reads, asked by ext_authz."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from envoy_api import message

from extproc.authz import Authorization
from extproc.process import Process
from extproc.program import build
from tests.kit.calls import RecordedCall
from tests.kit.gateways import gateway_of
from tests.kit.memory_ledger import MemoryLedger

CheckRequest: Any = message("envoy.service.auth.v3.CheckRequest")
CheckResponse: Any = message("envoy.service.auth.v3.CheckResponse")
NOON = datetime(2031, 3, 4, 12, tzinfo=UTC).timestamp()
YAML = """
identity:
  required: false
  api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}
routes:
  - {name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example", auth: key}
  - {name: wiki, match: {path: {prefix: /wiki}}, backend: "http://w.example"}
authorize:
  - {name: no-bob, for: {key: bob}, deny: "true"}
  - {name: office, for: {route: wiki}, require: 'source.address == "192.0.2.1"'}
  - {name: by-day, for: {route: wiki}, require: "context.request_time.getHours() == 12"}
  - {name: no-delete, for: {route: wiki}, deny: 'request.method == "DELETE"'}
  - {name: no-drafts, for: {route: wiki}, deny: 'request.path == "/wiki/draft"'}
  - {name: host, for: {route: wiki}, deny: 'request.host == "other.example"'}
guardrails: [{type: regex, patterns: [secret], action: block}]
"""

WIKI = "routes: [{name: wiki, match: {path: {prefix: /wiki}}, backend: 'http://w.example'}]\n"


def process(yaml: str = YAML) -> Process:
    made = Process(lambda: NOON)
    made.program = build(
        gateway_of(yaml), "1", ledger=MemoryLedger(), choose=lambda: 0.0, created=1
    )
    return made


def request(
    *,
    method: str = "GET",
    path: str = "/docs",
    host: str = "gateway.example",
    body: str = "",
    route: str = "",
    source: str = "192.0.2.1",
    **headers: str,
) -> bytes:
    attributes = {
        "source": {"address": {"socket_address": {"address": source, "port_value": 5}}},
        "request": {
            "http": {
                "method": method,
                "path": path,
                "host": host,
                "headers": {name.replace("_", "-"): value for name, value in headers.items()},
                "body": body,
            }
        },
        "context_extensions": {"dragoman.route": route} if route else {},
    }
    return bytes(CheckRequest(attributes=attributes).SerializeToString())


def checked(made: Process, check: bytes) -> Any:
    """The one answer, after which the call is over."""
    call = RecordedCall(Authorization(made, lambda: NOON))
    answer = CheckResponse.FromString(call.say(check))
    assert (call.status, call.closings) == ((0, ""), 1)
    return answer


def refusal(answer: Any) -> tuple[int, str]:
    denied = answer.denied_response
    assert answer.status.code != 0
    return denied.status.code, json.loads(denied.body)["error"]["code"]


def test_whoever_may_pass_passes() -> None:
    answer = checked(process(), request(route="docs", authorization="Bearer k-ann"))
    assert answer.status.code == 0
    assert list(answer.ok_response.headers_to_remove) == ["authorization"]


def test_a_refusal_says_everything_in_the_fields_that_ext_authz_reads() -> None:
    answer = checked(process(), request(route="docs", authorization="Bearer wrong"))
    denied = answer.denied_response
    assert (answer.status.code, denied.status.code) == (7, 401)
    options = [option.header for option in denied.headers]
    assert {option.key: option.value for option in options} == {
        "content-type": "application/json",
        "www-authenticate": "Bearer",
    }
    assert [option.raw_value for option in options] == [b"", b""]
    assert json.loads(denied.body) == {
        "error": {
            "message": answer.status.message,
            "type": "authentication_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }


def test_a_key_is_found_whatever_the_case_of_its_header() -> None:
    answer = checked(process(), request(route="docs", Authorization="bearer k-ann"))
    assert answer.status.code == 0


def test_the_route_that_envoy_names_decides_whether_a_key_is_asked_for() -> None:
    made = process()
    assert refusal(checked(made, request(route="docs"))) == (401, "missing_api_key")
    assert checked(made, request(route="wiki")).status.code == 0
    assert checked(made, request()).status.code == 0


def test_a_client_cannot_name_its_route() -> None:
    answer = checked(process(), request(route="docs", dragoman_route="wiki"))
    assert refusal(answer) == (401, "missing_api_key")


def test_rules_know_the_caller() -> None:
    answer = checked(process(), request(route="docs", authorization="Bearer k-bob"))
    assert refusal(answer) == (403, "permission_denied")
    assert "no-bob" in answer.status.message


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"source": "198.51.100.7"}, "office"),
        ({"method": "DELETE"}, "no-delete"),
        ({"path": "/wiki/draft"}, "no-drafts"),
        ({"path": "/wiki/draft?a=1"}, "no-drafts"),
        ({"host": "other.example"}, "host"),
    ],
)
def test_rules_know_the_request(changed: dict[str, str], rule: str) -> None:
    made = process()
    asked = {"route": "wiki", "path": "/wiki", **changed}
    answer = checked(made, request(**asked))
    assert refusal(answer) == (403, "permission_denied")
    assert f"'{rule}'" in answer.status.message
    assert checked(made, request(route="wiki", path="/wiki")).status.code == 0


def test_rules_know_the_hour_of_the_clock_that_was_given() -> None:
    made = process()
    call = RecordedCall(Authorization(made, lambda: NOON + 3600))
    answer = CheckResponse.FromString(call.say(request(route="wiki")))
    assert "by-day" in answer.status.message


def test_a_body_that_envoy_sends_all_the_same_is_not_read() -> None:
    body = '{"model": "m", "messages": [{"role": "user", "content": "secret"}]}'
    answer = checked(process(), request(route="wiki", method="POST", body=body))
    assert answer.status.code == 0


def test_a_rule_that_needs_the_body_refuses_where_there_is_none_to_read() -> None:
    made = process(f"{WIKI}authorize: [{{name: model, allow: 'llm.model == \"m\"'}}]")
    assert refusal(checked(made, request(route="wiki"))) == (403, "permission_denied")


def test_a_route_that_the_program_does_not_know_is_refused() -> None:
    answer = checked(process(), request(route="newer", authorization="Bearer k-ann"))
    assert refusal(answer) == (503, "not_ready")


def test_without_a_program_nobody_passes() -> None:
    answer = checked(Process(lambda: NOON), request(authorization="Bearer k-ann"))
    assert refusal(answer) == (503, "not_ready")


def test_a_check_sees_the_program_of_the_moment_in_which_it_came() -> None:
    made = process()
    call = RecordedCall(Authorization(made, lambda: NOON))
    made.program = process(f"{WIKI}authorize: [{{name: closed, deny: 'true'}}]").program
    first = CheckResponse.FromString(call.say(request(route="wiki")))
    assert first.status.code == 0
    assert refusal(checked(made, request(route="wiki"))) == (403, "permission_denied")


def test_a_peer_that_says_it_is_done_is_still_answered() -> None:
    call = RecordedCall(Authorization(process(), lambda: NOON))
    call.stream.on_half_close()
    assert call.is_open
    assert CheckResponse.FromString(call.say(request(route="wiki"))).status.code == 0
