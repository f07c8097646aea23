"""Envoy and Python say the same of every request, by real Envoys."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.model import Effect
from tests.kit.envoy import VERSIONS, RunningEnvoy
from tests.kit.gateways import gateway_of
from tests.kit.identity_provider import SigningKey, claims, key_set
from tests.kit.ruled import ISSUER, Sent, expressions, is_let_in, requests, rule, statuses
from tests.kit.stack import free_ports
from xds_server.audience import Level
from xds_server.compile import compile_gateway
from xds_server.render import static_bootstrap
from xds_server.resources.envoy_cel import InPython, said_to_envoy
from xds_server.resources.topology import Topology

pytestmark = pytest.mark.envoy

TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock",))
KEY = SigningKey("k")
_effects = st.sampled_from(list(Effect))
_rules = st.lists(st.tuples(_effects, expressions), min_size=80, max_size=80)


def written(
    rules: list[tuple[Effect, str]], port: int, dead: int, address: str = "127.0.0.1"
) -> str:
    """A gateway with a route for each rule; there is nothing behind them."""
    issuer = f"issuer: {ISSUER}, audiences: [agents], mode: optional"
    lines = [
        f"gateways: {{default: {{port: {port}, address: '{address}'}}}}",
        "identity:",
        "  required: false",
        f"  jwt: [{{{issuer}, jwks: {{inline: '{key_set(KEY)}'}}}}]",
        "authorize:",
    ]
    for place, (effect, text) in enumerate(rules):
        quoted = text.replace("'", "''")
        lines.append(f"  - {{name: n{place}, for: {{route: r{place}}}, {effect}: '{quoted}'}}")
    routes = (
        f"  - {{name: r{place}, match: {{path: {{prefix: /r{place}}}}},"
        f' backend: "http://127.0.0.1:{dead}"}}'
        for place in range(len(rules))
    )
    return "\n".join([*lines, "routes:", *routes])


@pytest.mark.parametrize("version", VERSIONS)
def test_envoy_decides_as_python_does(version: str) -> None:
    counts = {True: 0, False: 0}
    differing: list[tuple[Effect, str, Sent, bool, bool]] = []

    @settings(
        deadline=None, max_examples=4, phases=(Phase.generate,), print_blob=False, database=None
    )
    @given(_rules, st.lists(requests, min_size=12, max_size=12))
    def holds(drawn: list[tuple[Effect, str]], sent: list[Sent]) -> None:
        rules = [
            each
            for place, each in enumerate(drawn)
            if not isinstance(said_to_envoy(each[1], f"r{place}"), InPython)
        ]
        port, dead = free_ports(2)
        gateway = gateway_of(written(rules, port, dead))
        bootstrap = static_bootstrap(compile_gateway(gateway, TOPOLOGY, Level(version)))
        tokens = [
            None if each.claims is None else KEY.sign({**claims(ISSUER), **each.claims})
            for each in sent
        ]
        asked = [(place, each) for place in range(len(rules)) for each in range(len(sent))]
        written_out = [sent[each].bytes(f"/r{place}", tokens[each]) for place, each in asked]
        with (
            tempfile.TemporaryDirectory() as folder,
            RunningEnvoy(bootstrap, Path(folder), version),
        ):
            found = statuses(port, written_out)
        for (place, each), status in zip(asked, found, strict=True):
            assert status in (403, 503)  # there is nobody behind it
            effect, text = rules[place]
            facts = sent[each].facts(f"r{place}", f"/r{place}")
            python, envoy = is_let_in([rule(effect, text)], facts), status == 503
            counts[envoy] += 1
            if not sent[each].is_text and python:
                continue  # a pattern errs in Envoy, where bytes are no text
            if envoy != python:
                differing.append((effect, text, sent[each], envoy, python))

    holds()
    assert differing == []
    assert min(counts.values()) > 100


SIX = (
    'source.address == "::1"',
    'source.address != "::1"',
    'source.address in ["127.0.0.1", "::2"]',
    'source.address.startsWith("::")',
    'source.address.startsWith("1")',
    'cidr("127.0.0.0/8").containsIP(source.address)',
    'cidr("fc00::/7").containsIP(source.address)',
)


@pytest.mark.parametrize("version", VERSIONS)
def test_so_it_does_of_the_other_family(version: str, tmp_path: Path) -> None:
    rules = [(Effect.REQUIRE, text) for text in SIX]
    port, dead = free_ports(2)
    gateway = gateway_of(written(rules, port, dead, "::1"))
    bootstrap = static_bootstrap(compile_gateway(gateway, TOPOLOGY, Level(version)))
    sent = Sent("GET", "", (), None)
    with RunningEnvoy(bootstrap, tmp_path, version):
        asked = [sent.bytes(f"/r{place}", None) for place in range(len(SIX))]
        found = [status == 503 for status in statuses(port, asked, "::1")]
    assert found == [True, False, False, True, False, False, False]
    assert found == [
        is_let_in([rule(Effect.REQUIRE, text)], sent.facts(f"r{place}", f"/r{place}", "::1"))
        for place, text in enumerate(SIX)
    ]
