"""Envoy's logs in; out, the bytes of streams, and what its rules have refused."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_api import message

from extproc.access_log import AccessLog
from extproc.audits import Audits
from extproc.cut_streams import Mark
from extproc.edges.service import Status
from gateway import names
from tests.kit.calls import RecordedCall
from tests.kit.counted import Counted
from tests.kit.told_streams import Stream, worker

Message: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
Entry: Any = message("envoy.data.accesslog.v3.HTTPAccessLogEntry")
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
        self.log = AccessLog(self.streams, Audits(self.tally))
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


def decided(policy: str, result: str = names.DENIED) -> Any:
    """Of a request that Envoy's rules have decided on."""
    made = Entry(
        request={"request_id": "r1", "path": "/app"}, common_properties={"route_name": "app"}
    )
    struct = made.common_properties.metadata.filter_metadata[names.DECISION_NAMESPACE]
    struct[names.DECISION], struct[names.DECIDING_POLICY] = result, policy
    return made


@pytest.mark.parametrize(
    ("policy", "verdict", "reason"),
    [
        ("no-evil", ("rule", "no-evil", "deny", "permission_denied"), "denied by 'no-evil'"),
        ("a,b", ("rule", "a, b", "deny", "permission_denied"), "denied by 'a', 'b'"),
        (
            names.INVALID_TOKEN_POLICY,
            ("identity", "", "deny", "invalid_token"),
            "the token is not valid",
        ),
        (
            names.MISSING_CREDENTIAL_POLICY,
            ("identity", "", "deny", "missing_credential"),
            "no token was given",
        ),
    ],
)
def test_what_envoys_rules_refuse_is_counted_and_logged_as_if_python_had(
    policy: str, verdict: tuple[str, ...], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    with caplog.at_level("INFO"):
        worker.call.stream.on_message(told(decided(policy)))
    assert worker.tally.enforced == {verdict: 1}
    (record,) = caplog.records
    assert record.getMessage().endswith(f"{verdict[3]}: {reason}")
    assert vars(record)["request_id"] == "r1"


def test_what_they_let_pass_is_not() -> None:
    worker = Worker()
    worker.call.stream.on_message(told(decided("dragoman/passed", "allowed"), entry(None)))
    assert worker.tally.enforced == {}
