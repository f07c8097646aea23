"""Errors are understood from whatever a server makes of them, and said as OpenAI says them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.openai_chat.errors import (
    LONGEST_MESSAGE,
    decode_error,
    encode_error,
    encode_refusal,
    error_of,
)
from extproc.verdict import OUT_OF_BUDGET, Deny


@pytest.mark.parametrize(
    ("status", "body", "fault", "message"),
    [
        (400, {"error": {"message": "m"}}, Fault.INVALID, "m"),
        (
            400,
            {"error": {"message": "m", "code": "context_length_exceeded"}},
            Fault.CONTEXT_LENGTH,
            "m",
        ),
        (
            400,
            {"error": {"message": "exceeds the context window"}},
            Fault.CONTEXT_LENGTH,
            "exceeds the context window",
        ),
        (400, {"error": {"message": "m", "code": "content_filter"}}, Fault.CONTENT_FILTER, "m"),
        (
            400,
            {"object": "error", "message": "m", "type": "BadRequestError", "code": 400},
            Fault.INVALID,
            "m",
        ),
        (401, {"error": {"message": "m", "code": "invalid_api_key"}}, Fault.AUTHENTICATION, "m"),
        (401, {"detail": "Unauthorized"}, Fault.AUTHENTICATION, "Unauthorized"),
        (
            402,
            {"error": {"message": "Insufficient Balance", "type": "unknown_error"}},
            Fault.QUOTA,
            "Insufficient Balance",
        ),
        (403, {"error": "forbidden"}, Fault.PERMISSION, "forbidden"),
        (404, {"error": {"message": "m", "type": "invalid_request_error"}}, Fault.NOT_FOUND, "m"),
        (404, {"error": {"message": "m", "code": "DeploymentNotFound"}}, Fault.NOT_FOUND, "m"),
        (413, {"error": {"message": "m", "type": "invalid_request_error"}}, Fault.TOO_LARGE, "m"),
        (
            422,
            {"detail": [{"loc": ["body"], "msg": "x"}]},
            Fault.INVALID,
            '[{"loc":["body"],"msg":"x"}]',
        ),
        (
            429,
            {"error": {"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}},
            Fault.RATE_LIMIT,
            "m",
        ),
        (429, {"error": {"message": "m", "code": "insufficient_quota"}}, Fault.QUOTA, "m"),
        (429, {"error": {"message": "m"}}, Fault.RATE_LIMIT, "m"),
        (500, {"error": {"message": "m", "type": "server_error"}}, Fault.SERVER, "m"),
        (503, {"error": {"message": "m", "type": "server_error"}}, Fault.OVERLOADED, "m"),
        (504, {}, Fault.TIMEOUT, "status 504"),
        (529, {"error": {}}, Fault.OVERLOADED, "status 529"),
    ],
)
def test_what_an_error_says_is_understood(
    status: int, body: object, fault: Fault, message: str
) -> None:
    error = decode_error(status, json.dumps(body).encode())
    assert (error.status, error.fault, error.message) == (status, fault, message)


def test_code_and_param_are_kept() -> None:
    body = b'{"error":{"message":"m","type":"t","code":"c","param":"messages[0]"}}'
    assert decode_error(400, body) == ProviderError(400, Fault.INVALID, "m", "c", "messages[0]")


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[]", b"7", b"\xff", b"{"])
def test_a_body_that_is_no_error_has_its_status(body: bytes) -> None:
    error = decode_error(502, body)
    assert (error.status, error.fault) == (502, Fault.SERVER)
    assert error.message


def test_a_long_body_is_cut() -> None:
    assert len(decode_error(500, b"x" * 10_000).message) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"message": "m", "code": 429}, 429),
        ({"message": "m", "code": "502"}, 502),
        ({"message": "m", "code": "rate_limit_exceeded"}, 429),
        ({"message": "m", "type": "overloaded_error"}, 503),
        ({"message": "m", "code": 7}, 500),
        ({}, 500),
    ],
)
def test_within_a_stream_the_error_has_the_status_of_its_kind(
    error: dict[str, object], status: int
) -> None:
    assert error_of(error).status == status


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_is_known_again(fault: Fault) -> None:
    status = error_of({"message": "m"}, 0).status
    written = encode_error(ProviderError(status, fault, "m", param="p"))
    assert dict(written.headers)["content-type"] == "application/json"
    error = json.loads(written.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    found = error_of(error)
    assert (found.fault, found.message, found.param) == (fault, "m", "p")


members = st.sampled_from(["error", "code", "type", "message", "detail", "param", "x"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(members, each, max_size=4),
)


@given(st.integers(400, 599), json_values)
def test_nothing_that_comes_instead_of_an_error_is_too_odd(status: int, body: object) -> None:
    error = decode_error(status, json.dumps(body).encode())
    assert error.status == status
    assert error.message
    encode_error(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "some_code", "invalid_request_error"),
        (403, "some_code", "permission_error"),
        (429, "some_code", "rate_limit_error"),
        (429, OUT_OF_BUDGET, "insufficient_quota"),
        (500, "some_code", "server_error"),
    ],
)
def test_refusals_are_of_a_type_that_clients_know(status: int, code: str, kind: str) -> None:
    error = json.loads(encode_refusal(Deny(status, code, "why", "input")).body)["error"]
    assert error == {"message": "why", "type": kind, "param": "input", "code": code}
