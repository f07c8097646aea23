"""The name in a certificate says who calls."""

from __future__ import annotations

import pytest

from extproc.policies.certificates import Certificates
from extproc.principal import Kind
from gateway.identity import CertificateHolders

AGENTS = CertificateHolders(
    ("spiffe://example.com/ns/*/sa/agent", "*.agents.example.com"),
    team="red",
    groups=("agents",),
    tags=(("cost", "7"),),
)
OPERATOR = CertificateHolders(("spiffe://example.com/ns/ops/sa/*",), user="ops")


def test_a_name_that_fits_is_a_principal() -> None:
    who = Certificates((AGENTS, OPERATOR)).principal("spiffe://example.com/ns/a/sa/agent")
    assert who is not None
    assert (who.kind, who.key) == (Kind.CERTIFICATE, "")
    assert who.name == who.user == "spiffe://example.com/ns/a/sa/agent"
    assert (who.team, who.groups, who.tags) == ("red", ("agents",), (("cost", "7"),))


def test_the_first_that_fits_counts_and_may_name_the_user() -> None:
    certificates = Certificates((AGENTS, OPERATOR))
    first = certificates.principal("spiffe://example.com/ns/ops/sa/agent")
    second = certificates.principal("spiffe://example.com/ns/ops/sa/admin")
    assert first is not None
    assert second is not None
    assert (first.team, second.team, second.user) == ("red", "", "ops")


@pytest.mark.parametrize(
    "name",
    [
        "spiffe://example.com/ns/a/b/sa/agent",
        "spiffe://example.com/ns/a/sa/agent/x",
        "spiffe://evil.example/ns/a/sa/agent",
        "xspiffe://example.com/ns/a/sa/agent",
        "a.b.agents.example.com",
    ],
)
def test_a_name_that_fits_none_is_nobody(name: str) -> None:
    assert Certificates((AGENTS, OPERATOR)).principal(name) is None


def test_the_same_name_is_the_same_principal() -> None:
    certificates = Certificates((AGENTS,))
    first = certificates.principal("one.agents.example.com")
    assert first is certificates.principal("one.agents.example.com")
    for each in range(5000):
        certificates.principal(f"n{each}.agents.example.com")
    assert first is not certificates.principal("one.agents.example.com")
