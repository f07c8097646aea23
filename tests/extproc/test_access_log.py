"""Envoy's logs in; out, the bytes of streams, and what it has refused itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from envoy_api import message

from extproc.access_log import AccessLog
from extproc.audits import Audits, Trail
from extproc.cut_streams import Mark
from extproc.edges.service import Status
from extproc.policies.tokens import payload_of
from extproc.process import Process
from gateway import names
from tests.extproc.test_audits import Written
from tests.extproc.test_program import program
from tests.kit.calls import RecordedCall
from tests.kit.counted import Counted
from tests.kit.identity_provider import SigningKey, claims, key_set
from tests.kit.told_streams import Stream, worker

Message: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
Entry: Any = message("envoy.data.accesslog.v3.HTTPAccessLogEntry")
ISSUER = "https://idp.example"
KEY = SigningKey("k")
CLAIMS = payload_of(KEY.sign(claims(ISSUER)))
FIRST = 0xFFFF_FFFF_0000_0001


def entry(number: str | None, *, body: int = 1, wire: int = 0, headers: int = 0) -> Any:
    made = Entry(
        common_properties={"upstream_wire_bytes_received": wire},
        response={"response_body_bytes": body, "upstream_header_bytes_received": headers},
    )
    if number is not None:
        struct = made.common_properties.metadata.filter_metadata[names.STREAM_NAMESPACE]
        struct[names.STREAM_NUMBER] = number
    return made


def told(*entries: Any) -> bytes:
    return bytes(Message(http_logs={"log_entry": entries}).SerializeToString())


class Worker:
    """One worker, and Envoy's call to it."""

    def __init__(self) -> None:
        self.streams, _ = worker(first=FIRST)
        self.tally = Counted()
        self.process = Process(lambda: 0.0, Audits(self.tally))
        self.log = AccessLog(self.streams, self.process)
        self.call = RecordedCall(self.log)

    def waiting(self) -> Stream:
        return Stream(self.streams, self.streams.mark("a", "m"))


def test_what_the_provider_sent_is_told_without_its_headers() -> None:
    worker = Worker()
    first, second = worker.waiting(), worker.waiting()
    one = entry(f"{FIRST:016x}", body=400, wire=1100, headers=100)
    two = entry(f"{FIRST + 1:016x}", body=400, wire=600, headers=100)
    worker.call.stream.on_message(told(one, two))
    assert (first.told, second.told) == ([1000], [500])
    assert worker.call.sent == []
    assert worker.call.is_open


def test_an_answer_of_which_the_client_got_nothing_has_no_bytes() -> None:
    worker = Worker()
    stream = worker.waiting()
    worker.call.stream.on_message(told(entry(f"{FIRST:016x}", body=0, wire=1100, headers=100)))
    assert stream.told == [0]


@pytest.mark.parametrize("number", [None, "", "no number", "-1g"])
def test_what_is_not_ours_is_passed_over(number: str | None) -> None:
    worker = Worker()
    stream = worker.waiting()
    worker.call.stream.on_message(told(entry(number), entry(f"{FIRST:016x}", wire=7)))
    assert stream.told == [7]


def test_no_entry_has_less_than_nothing() -> None:
    worker = Worker()
    stream = worker.waiting()
    worker.call.stream.on_message(told(entry(f"{FIRST:016x}", wire=5, headers=9)))
    assert stream.told == [0]


def test_a_worker_that_leaves_ends_the_log() -> None:
    worker = Worker()
    worker.log.leave()
    assert worker.call.status == (Status.UNAVAILABLE, "shutting down")


def test_what_comes_late_is_read_and_is_the_last() -> None:
    worker = Worker()
    stream = worker.waiting()
    worker.log.leave()
    late = RecordedCall(worker.log)
    late.stream.on_message(told(entry(f"{FIRST:016x}", wire=7)))
    assert stream.told == [7]
    assert late.status == (Status.UNAVAILABLE, "shutting down")


def test_a_log_that_envoy_ends_is_over() -> None:
    worker = Worker()
    worker.call.stream.on_half_close()
    assert worker.call.status == (Status.OK, "")
    assert worker.call.sent == [b""]
    worker.log.leave()
    assert worker.call.closings == 1


def test_marks_are_read_back_as_they_were_written() -> None:
    worker = Worker()
    stream = Stream(worker.streams, Mark(3, False))
    worker.call.stream.on_message(told(entry(f"{3:016x}", wire=8)))
    assert stream.told == [8]


def denied(
    details: str, status: int = 403, *, by: str = "", route: str = "app", **headers: str
) -> Any:
    """A request that Envoy refused itself."""
    return Entry(
        common_properties={
            "route_name": route,
            "custom_tags": {names.REFUSING: by},
            "downstream_remote_address": {"socket_address": {"address": "192.0.2.7"}},
        },
        request={
            "request_method": 3,
            "request_id": "r1",
            "path": "/app?key=secret",
            "request_headers": {"x-dragoman-claims": headers.get("claims", "")},
        },
        response={
            "response_code": {"value": status},
            "response_code_details": details,
            "response_headers": {"x-ratelimit-limit-requests": headers.get("amount", "")},
        },
    )


def test_what_envoy_refuses_is_counted_and_logged_as_if_python_had(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker()
    with caplog.at_level("INFO"):
        worker.call.stream.on_message(told(denied(f"{names.RULES_REFUSED}no-evil]")))
    assert worker.tally.enforced == {("rule", "no-evil", "deny", "permission_denied"): 1}
    (record,) = caplog.records
    assert record.getMessage() == "refused: 403 permission_denied: denied by 'no-evil'"
    assert vars(record)["request_id"] == "r1"


def test_whose_refusal_it_is_stands_in_the_log() -> None:
    worker = Worker()
    by = json.dumps({names.ENVOYS_LIMITED: "a, b", f"{names.ENVOYS_LIMITED}/5": "a"})
    for amount in ("5", "60"):
        entry = denied(names.ENVOYS_LIMITED, 429, by=by, amount=amount)
        worker.call.stream.on_message(told(entry))
    worker.call.stream.on_message(told(denied(names.ENVOYS_LIMITED, 429, by="no JSON")))
    code = ("deny", "rate_limit_exceeded")
    assert worker.tally.enforced == {("limit", name, *code): 1 for name in ("a", "a, b", "")}


def test_it_is_written_into_the_audit_log_of_the_present_configuration() -> None:
    worker, log = Worker(), Written()
    made = program(
        "identity: {jwt: [{issuer: https://idp.example, audiences: [agents],"
        f" jwks: {{inline: '{key_set(KEY)}'}}}}]}}"
    )
    worker.process.program = replace(made, audits=made.audits.with_trail(Trail(log, "v7")))
    by = json.dumps({names.EXTERNAL_DENIED: "door"})
    entry = denied(names.EXTERNAL_DENIED, by=by, claims=CLAIMS or "")
    llm = denied("ext_proc_error_gRPC_error_14", 503, route="dragoman/llm/anthropic")
    worker.call.stream.on_message(told(entry, llm))
    first, second = log.records
    assert first == {
        "event": "verdict",
        "verdict": "deny",
        "kind": "external",
        "name": "door",
        "mode": "enforce",
        "code": "external_denied",
        "status": 403,
        "reason": "external service 'door' refused it",
        "request_id": "r1",
        "principal": "ann",
        "identity": "jwt",
        "user": "ann",
        "source": "192.0.2.7",
        "method": "POST",
        "path": "/app",
        "route": "app",
        "config": "v7",
    }
    assert (second["kind"], second["code"]) == ("gateway", "policy_unavailable")
    assert "route" not in second


def test_what_passes_or_fails_otherwise_is_no_refusal() -> None:
    worker = Worker()
    for details, status in (("", 200), ("via_upstream", 403), ("no_healthy_upstream", 503)):
        worker.call.stream.on_message(told(denied(details, status)))
    assert worker.tally.enforced == {}


def test_connections_that_are_refused_for_their_certificates_are_told() -> None:
    worker, log = Worker(), Written()
    made = program("llm: {models: {}}")
    audits = Audits(worker.tally, Trail(log, "v7"))
    worker.process.program = replace(made, audits=audits)
    reasons = (
        f"TLS_error:|268435648:SSL_routines:OPENSSL_internal:{names.NO_CERTIFICATE}:TLS_error_end",
        f"TLS_error:|268435581:SSL_routines:OPENSSL_internal:{names.WRONG_CERTIFICATE}:depth_0",
        "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end",
        "",
    )
    connections = [
        {
            "common_properties": {
                "downstream_transport_failure_reason": reason,
                "downstream_direct_remote_address": {"socket_address": {"address": "192.0.2.7"}},
            }
        }
        for reason in reasons
    ]
    said = Message(tcp_logs={"log_entry": connections}).SerializeToString()
    worker.call.stream.on_message(bytes(said))
    code = ("identity", "", "deny")
    assert worker.tally.enforced == {
        (*code, "missing_certificate"): 1,
        (*code, "invalid_certificate"): 1,
    }
    assert [(each["source"], each["code"]) for each in log.records] == [
        ("192.0.2.7", "missing_certificate"),
        ("192.0.2.7", "invalid_certificate"),
    ]
    assert all("status" not in each for each in log.records)
