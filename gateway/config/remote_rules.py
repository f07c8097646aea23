"""What guards that ask a service are warned of."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding
from gateway.config.remote_guards import (
    AzureContentSafetyBlock,
    OpenaiModerationBlock,
    RemoteGuardBlock,
)
from gateway.config.remote_meaning import service_url
from gateway.config.schema import Config
from gateway.config.urls import place
from gateway.guards import Phase

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def unauthorized_guards(config: Config) -> Iterator[Finding]:
    """Services that refuse whoever they do not know."""
    for index, guard in enumerate(config.guardrails):
        if not isinstance(guard, OpenaiModerationBlock | AzureContentSafetyBlock):
            continue
        if guard.key is None and guard.auth is None:
            what = "has neither a key nor auth: the service will refuse to be asked"
            outcome = "nothing is checked" if guard.on_error == "allow" else "all is refused"
            yield Finding(("guardrails", index), what, f"on_error is {guard.on_error}: {outcome}")


def parallel_guards(config: Config) -> Iterator[Finding]:
    """Guards that are told to go beside what they do not read."""
    for index, guard in enumerate(config.guardrails):
        if isinstance(guard, RemoteGuardBlock) and guard.parallel and guard.phase is Phase.RESPONSE:
            path = ("guardrails", index, "parallel")
            yield Finding(path, "does nothing: the guard reads no requests", "phase: request")


def plain_services(config: Config) -> Iterator[Finding]:
    """Texts of conversations on a network."""
    for index, guard in enumerate(config.guardrails):
        if isinstance(guard, RemoteGuardBlock):
            where = place(service_url(guard))
            if not where.is_tls and where.endpoint.host not in _LOCAL:
                path = ("guardrails", index, "url")
                yield Finding(path, "sends what is said without tls", "https")
