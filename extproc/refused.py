"""What Envoy refuses itself, in the words of verdicts, as Python would say it.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.verdict import By, Deny, PolicyKind
from gateway import names

_OF_TOKENS = {
    names.INVALID_TOKEN_POLICY: Deny(
        401, "invalid_token", "the token is not valid", by=By(PolicyKind.IDENTITY)
    ),
    names.MISSING_CREDENTIAL_POLICY: Deny(
        401, "missing_credential", "no token was given", by=By(PolicyKind.IDENTITY)
    ),
}
_TOO_LARGE = Deny(
    413,
    "request_too_large",
    "the request is larger than this gateway accepts",
    by=By(PolicyKind.REQUEST),
)
_WITHOUT_KEY = Deny(
    401, "missing_api_key", "the client has no key for the provider", by=By(PolicyKind.REQUEST)
)
_UNDECIDED = Deny(
    503, "policy_unavailable", "the policy service did not answer", by=By(PolicyKind.GATEWAY)
)


_NO_ANSWER = 0
"""The status, where there was no request."""
_NO_CERTIFICATE = Deny(
    _NO_ANSWER,
    "missing_certificate",
    "the client has shown no certificate",
    by=By(PolicyKind.IDENTITY),
)
_WRONG_CERTIFICATE = Deny(
    _NO_ANSWER,
    "invalid_certificate",
    "the client's certificate is not valid",
    by=By(PolicyKind.IDENTITY),
)


def deny(details: str, status: int, by: Mapping[str, str], amount: str = "") -> Deny | None:
    """`details`: those of the response; None: it is no refusal of Envoy's own. `by`: whose refusal
    it is, by details; `amount`: of a limit that Envoy counts, how many requests it lets through."""
    if details.startswith(names.RULES_REFUSED) and details not in by:
        policy = details[len(names.RULES_REFUSED) : -1]
        return _OF_TOKENS.get(policy) or _of_rules(policy.split(","))
    if details.startswith(names.UNDECIDED):
        return _UNDECIDED
    if details == names.TOO_LARGE:
        return _TOO_LARGE
    if details == names.WITHOUT_KEY:
        return _WITHOUT_KEY if status == _WITHOUT_KEY.status else None
    if status == 401 and details.startswith(names.NOT_LOGGED_IN):
        return _of_login(by)
    name = by.get(f"{details}/{amount}") or by.get(details, "")
    return _of_external(details, status, name) or _of_limit(details, status, name)


def deny_handshake(reason: str) -> Deny | None:
    """Of a connection on which there was no request; `reason`: why its handshake failed. None: for
    something else than the client's certificate."""
    if names.NO_CERTIFICATE in reason:
        return _NO_CERTIFICATE
    return _WRONG_CERTIFICATE if names.WRONG_CERTIFICATE in reason else None


def _of_rules(rules: list[str]) -> Deny:
    quoted = ", ".join(f"'{rule}'" for rule in rules)
    by = By(PolicyKind.RULE, ", ".join(rules))
    return Deny(403, "permission_denied", f"denied by {quoted}", by=by)


def _of_login(by: Mapping[str, str]) -> Deny:
    if names.LOGIN_FAILED in by:
        who = By(PolicyKind.IDENTITY, by[names.LOGIN_FAILED])
        return Deny(401, names.LOGIN_FAILED, "the login did not succeed", by=who)
    who = By(PolicyKind.IDENTITY, by.get(names.LOGIN_REQUIRED, ""))
    return Deny(401, names.LOGIN_REQUIRED, "nobody is logged in", by=who)


def _of_external(details: str, status: int, name: str) -> Deny | None:
    by = By(PolicyKind.EXTERNAL, name)
    if details == names.EXTERNAL_DENIED:
        return Deny(status, "external_denied", f"external service '{name}' refused it", by=by)
    if details == names.EXTERNAL_FAILED:
        reason = f"external service '{name}' did not answer"
        return Deny(status, "external_unavailable", reason, by=by)
    if details == names.NOT_ASKED:
        reason = f"external service '{name}' is not asked on this connection, which is older"
        return Deny(status, "permission_denied", reason, by=by)
    return None


def _of_limit(details: str, status: int, name: str) -> Deny | None:
    by = By(PolicyKind.LIMIT, name)
    if details in (names.ENVOYS_LIMITED, names.SERVICE_LIMITED):
        return Deny(status, "rate_limit_exceeded", f"limit '{name}' is reached", by=by)
    if details == names.SERVICE_FAILED:
        reason = f"the rate limit service of '{name}' did not answer"
        return Deny(status, "limits_unavailable", reason, by=by)
    return None
