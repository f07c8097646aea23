"""Errors of Google's form, both ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.genai import errors as google_errors

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.gemini.errors import decode_error, encode_error, encode_refusal, read_error
from extproc.verdict import Deny

SAMPLES = Path(__file__).parents[3] / "translations" / "gemini" / "errors"
FAULTS = {
    "400-api_key_invalid": Fault.AUTHENTICATION,
    "400-context_length": Fault.CONTEXT_LENGTH,
    "400-failed_precondition": Fault.INVALID,
    "400-invalid_argument": Fault.INVALID,
    "401-unauthenticated": Fault.AUTHENTICATION,
    "403-permission_denied": Fault.PERMISSION,
    "404-not_found": Fault.NOT_FOUND,
    "429-quota": Fault.QUOTA,
    "429-rate_limit": Fault.RATE_LIMIT,
    "500-internal": Fault.SERVER,
    "503-unavailable": Fault.OVERLOADED,
    "504-deadline_exceeded": Fault.TIMEOUT,
}


def test_every_sample_is_expected() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(FAULTS)


@pytest.mark.parametrize(("name", "fault"), FAULTS.items())
def test_documented_errors_are_understood(name: str, fault: Fault) -> None:
    body = (SAMPLES / f"{name}.json").read_bytes()
    status = int(name[:3])
    error = decode_error(status, body)
    assert error.status == status
    assert error.fault is fault
    assert error.message == json.loads(body)["error"]["message"]
    assert decode_error(status, b"[" + body + b"]") == error


def test_the_field_at_fault_is_kept() -> None:
    body = (SAMPLES / "400-invalid_argument.json").read_bytes()
    assert decode_error(400, body).param == "contents[0].role"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"error":"x"}', b"\xff"])
def test_other_bodies_are_errors_by_their_status(body: bytes) -> None:
    assert decode_error(503, body).fault is Fault.OVERLOADED
    assert decode_error(502, body).fault is Fault.SERVER
    assert decode_error(418, body).fault is Fault.INVALID
    assert decode_error(413, body).fault is Fault.TOO_LARGE
    assert decode_error(429, body).message


def test_an_error_within_a_stream_brings_its_own_status() -> None:
    assert read_error(200, {"code": 503, "status": "UNAVAILABLE", "message": "m"}).status == 503
    assert read_error(200, {"status": "INTERNAL"}).status == 500


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_said_so_that_googles_client_reads_it(fault: Fault) -> None:
    answer = encode_error(ProviderError(429, fault, "no", param="contents"))
    error = google_errors.APIError(429, json.loads(answer.body))
    assert error.message == "no"
    assert error.status
    assert dict(answer.headers)["content-type"].startswith("application/json")


def test_a_refusal_says_which_field_and_when_to_come_again() -> None:
    deny = Deny(429, "rate_limited", "too many", "contents", (("Retry-After", "12"),))
    error = json.loads(encode_refusal(deny).body)["error"]
    assert (error["code"], error["status"], error["message"]) == (
        429,
        "RESOURCE_EXHAUSTED",
        "too many",
    )
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
    assert kinds["ErrorInfo"]["reason"] == "RATE_LIMITED"
    assert kinds["BadRequest"]["fieldViolations"][0]["field"] == "contents"
    assert kinds["RetryInfo"]["retryDelay"] == "12s"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (451, "INVALID_ARGUMENT"),
        (504, "DEADLINE_EXCEEDED"),
        (507, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
    ],
)
def test_statuses_have_names(status: int, name: str) -> None:
    assert json.loads(encode_refusal(Deny(status, "x", "y")).body)["error"]["status"] == name


@pytest.mark.parametrize(("theirs", "ours"), [(529, 503), (424, 502), (429, 429)])
def test_statuses_of_other_vendors_are_told_as_googles(theirs: int, ours: int) -> None:
    told = encode_error(ProviderError(theirs, Fault.OVERLOADED, "m"))
    assert json.loads(told.body)["error"]["code"] == ours
