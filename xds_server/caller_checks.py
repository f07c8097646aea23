"""What is checked of who calls: by services of the operator's own, by Envoy, and by extproc."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.external_authz import ExternalAuthz
from gateway.identity import Accepts, Issuer, TokenMode
from gateway.model import Gateway, Route
from xds_server.check import Check, Failing, Where


def external_checks(gateway: Gateway, name: str) -> tuple[Check, ...]:
    """Of a service that Envoy asks, before extproc."""
    return tuple(_service(each) for each in gateway.external if each.name == name)


def login_checks(gateway: Gateway, route: Route) -> Iterator[Check]:
    """Of where people log in, before anything else."""
    for each in gateway.identity.logins:
        if each.name == route.login and each.is_kept:
            yield Check(
                f"login {each.name} (at {each.issuer.issuer}), whose tokens are kept here",
                Where.EXTPROC,
                "headers",
                "302 for browsers, 401 login_required for others",
                Failing.CLOSED,
                "503 logins_unavailable when its store, or its token endpoint, gives no answer",
            )
        elif each.name == route.login:
            yield Check(
                f"login {each.name} (at {each.issuer.issuer})",
                Where.ENVOY,
                "headers",
                "302 for browsers, 401 login_required for others",
                Failing.CLOSED,
                "401 login_failed when its token endpoint gives no answer",
            )


def credential_checks(
    gateway: Gateway, *, is_required: bool, accepts: Accepts = Accepts.ANY
) -> Iterator[Check]:
    identity = gateway.identity
    if accepts is Accepts.LOGIN:
        yield Check("login", Where.EXTPROC, "headers", "401 login_required", Failing.CLOSED, "")
        return
    for issuer in identity.issuers:
        yield token_check(issuer)
    has_keys = bool(identity.api_keys) or identity.has_stored_keys
    asked = identity.introspection
    others = bool(identity.issuers or identity.certificates or identity.passwords or asked)
    is_asked = identity.is_required or has_keys or others
    if not is_asked and not any(route.is_caller_required for route in gateway.routes):
        return
    name, refusals = "API key", ["401 invalid_api_key"]
    if identity.issuers:
        name = {Accepts.ANY: "API key or token", Accepts.JWT: "token"}.get(accepts, "API key")
        refusals.append("401 invalid_token")
    if asked is not None and accepts in (Accepts.ANY, Accepts.INTROSPECTION):
        is_alone = accepts is Accepts.INTROSPECTION
        name = "token that is asked about" if is_alone else f"{name} or token that is asked about"
        refusals += ["401 invalid_token"] * (not identity.issuers)
        refusals.append("503 introspection_unavailable")
    if identity.passwords is not None:
        if accepts is Accepts.ANY:
            name += " or password"
        elif accepts is Accepts.BASIC:
            name = "password"
        refusals += ["401 invalid_credential", "429 too_many_passwords"]
    if identity.certificates and accepts is Accepts.ANY:
        name += " or certificate"
    if is_required:
        keyed = not others or accepts is Accepts.KEY
        refusals.append("401 missing_api_key" if keyed else "401 missing_credential")
    else:
        name += ", when there is one"
    if identity.has_stored_keys and accepts is not Accepts.JWT:
        refusals.append("503 keys_unavailable")
    dropped = [each.issuer for each in identity.issuers if each.mode is TokenMode.PERMISSIVE]
    failure = f"without a valid token of {', '.join(dropped)}: anonymous" if dropped else ""
    yield Check(name, Where.EXTPROC, "headers", ", ".join(refusals), Failing.CLOSED, failure)


def token_check(issuer: Issuer) -> Check:
    """Envoy refuses nobody for it: what it does not take, extproc sees as it came."""
    failure = "while its keys cannot be fetched, no token is valid" if issuer.jwks_url else ""
    name = f"token of {issuer.issuer}"
    return Check(name, Where.ENVOY, "headers", "", Failing.CLOSED, failure)


def _service(of: ExternalAuthz) -> Check:
    reads = "headers" if of.body is None else "body"
    answer = f"{of.status_on_error} external_unavailable"
    failure = "the request passes unchecked when it" if of.is_open_on_error else f"{answer} when it"
    return Check(
        f"external service {of.name} ({'gRPC' if of.is_grpc else 'HTTP'} to {of.url})",
        Where.ENVOY,
        reads,
        "as it answers",
        Failing.OPEN if of.is_open_on_error else Failing.CLOSED,
        f"{failure} gives no answer",
    )
