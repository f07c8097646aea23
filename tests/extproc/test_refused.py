"""What Envoy says of a request that it refused, as a verdict."""

from __future__ import annotations

import pytest

from extproc.refused import deny
from extproc.verdict import By, PolicyKind
from gateway import names

BY = {
    names.EXTERNAL_DENIED: "door",
    names.EXTERNAL_FAILED: "door",
    names.NOT_ASKED: "door",
    names.ENVOYS_LIMITED: "few, many",
    f"{names.ENVOYS_LIMITED}/5": "few",
    names.SERVICE_LIMITED: "shared",
    names.SERVICE_FAILED: "shared",
    names.LOGIN_REQUIRED: "staff",
}


def rules(policy: str) -> str:
    return f"{names.RULES_REFUSED}{policy}]"


@pytest.mark.parametrize(
    ("details", "status", "by", "code", "reason"),
    [
        (rules("a"), 403, ("rule", "a"), "permission_denied", "denied by 'a'"),
        (rules("a,b"), 403, ("rule", "a, b"), "permission_denied", "denied by 'a', 'b'"),
        (
            rules(names.INVALID_TOKEN_POLICY),
            401,
            ("identity", ""),
            "invalid_token",
            "the token is not valid",
        ),
        (
            rules(names.MISSING_CREDENTIAL_POLICY),
            401,
            ("identity", ""),
            "missing_credential",
            "no token was given",
        ),
        (
            names.EXTERNAL_DENIED,
            418,
            ("external", "door"),
            "external_denied",
            "external service 'door' refused it",
        ),
        (
            names.EXTERNAL_FAILED,
            502,
            ("external", "door"),
            "external_unavailable",
            "external service 'door' did not answer",
        ),
        (
            names.NOT_ASKED,
            403,
            ("external", "door"),
            "permission_denied",
            "external service 'door' is not asked on this connection, which is older",
        ),
        (
            "Unauthorized: nobody",
            401,
            ("identity", "staff"),
            "login_required",
            "nobody is logged in",
        ),
        (
            names.ENVOYS_LIMITED,
            429,
            ("limit", "few, many"),
            "rate_limit_exceeded",
            "limit 'few, many' is reached",
        ),
        (
            names.SERVICE_LIMITED,
            429,
            ("limit", "shared"),
            "rate_limit_exceeded",
            "limit 'shared' is reached",
        ),
        (
            names.SERVICE_FAILED,
            503,
            ("limit", "shared"),
            "limits_unavailable",
            "the rate limit service of 'shared' did not answer",
        ),
        (
            "ext_proc_error_gRPC_error_14{upstream_reset}",
            503,
            ("gateway", ""),
            "policy_unavailable",
            "the policy service did not answer",
        ),
        (
            names.TOO_LARGE,
            413,
            ("request", ""),
            "request_too_large",
            "the request is larger than this gateway accepts",
        ),
        (
            names.WITHOUT_KEY,
            401,
            ("request", ""),
            "missing_api_key",
            "the client has no key for the provider",
        ),
    ],
)
def test_each_is_said_as_python_says_its_own(
    details: str, status: int, by: tuple[str, str], code: str, reason: str
) -> None:
    found = deny(details, status, BY)
    assert found is not None
    assert (found.status, found.code, found.reason) == (status, code, reason)
    assert found.by == By(PolicyKind(by[0]), by[1])


def test_a_limit_among_several_is_known_by_how_much_it_lets_through() -> None:
    named = [deny(names.ENVOYS_LIMITED, 429, BY, amount) for amount in ("5", "60", "")]
    assert [each and each.by and each.by.name for each in named] == ["few", *["few, many"] * 2]


def test_a_login_may_fail() -> None:
    found = deny("Unauthorized", 401, {names.LOGIN_FAILED: "staff"})
    assert found is not None
    assert (found.code, found.by) == ("login_failed", By(PolicyKind.IDENTITY, "staff"))
    assert deny("Unauthorized", 200, {}) is None


def test_a_rule_may_be_called_none() -> None:
    found = deny(names.NOT_ASKED, 403, {})
    assert found is not None
    assert found.by == By(PolicyKind.RULE, "none")


@pytest.mark.parametrize(
    ("details", "status"),
    [("", 200), ("via_upstream", 403), ("lua_response", 503), ("dragoman_permission_denied", 403)],
)
def test_what_is_not_envoys_is_none(details: str, status: int) -> None:
    assert deny(details, status, BY) is None
