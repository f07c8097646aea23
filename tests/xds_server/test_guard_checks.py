"""What guards check, in words."""

from __future__ import annotations

from tests.kit.gateways import gateway_of
from xds_server.check import Failing
from xds_server.guard_checks import guard_checks

YAML = """
mcp: {servers: {a: {url: "http://a"}}}
guardrails:
  - {name: mail, type: pii, kinds: [email], action: mask, phase: response, for: {mcp: "*"}}
  - {name: late, type: keywords, words: [x], mode: audit, for: {mcp: a}}
  - {name: far, type: webhook, url: "https://guard.example", on_error: allow, for: {mcp: a}}
  - {name: long, type: max_length, characters: 5, for: {mcp: a}}
"""


def test_each_says_what_it_reads_and_how_it_fails() -> None:
    mail, late, far, long = guard_checks(gateway_of(YAML).mcp_guards)
    assert mail.name.startswith("guard mail (mask, 1 kind of pii, for mcp=*")
    assert (mail.reads, mail.failing) == ("answer", Failing.CLOSED)
    assert (late.reads, late.failing) == ("body", Failing.OPEN)
    assert far.name.startswith("guard far (webhook, asks a service, up to 3 s")
    assert far.failing is Failing.OPEN
    assert long.refusal == "400 text_too_long"
