"""The official MCP conformance suite: against a server itself, and through the gateway, where it is
one server or two. `python -m benchmarks.conformance` prints scores, and every check that differs.

It needs npm and Go, and installs the suite and the server into `.venv/conformance`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.kit.conformance import Score, Suite, everything_server, installed, score, server_program
from tests.kit.mcp_peers import mcp_servers
from tests.kit.stack import running

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{required: false}}
mcp:
  prefix: on_conflict
  servers:
    sessions: {{url: "{sessions}"}}
    sessionless: {{url: "{sessionless}"}}
    other: {{url: "{other}"}}
    program: {{command: ["{program}"]}}
  views:
    sessions-and-other: {{servers: [sessions, other]}}
    sessionless-and-other: {{servers: [sessionless, other]}}
routes:
  - name: sessions
    match: {{path: {{prefix: /sessions}}}}
    replace_prefix: /
    backend: "{a}"
    auth: none
  - name: sessionless
    match: {{path: {{prefix: /sessionless}}}}
    replace_prefix: /
    backend: "{b}"
    auth: none
"""
ONE, FEDERATION, PROGRAM = "one server", "two as one", "a program"
DIFFERENT = frozenset({"server-sse-multiple-streams: server-sse-streams-functional"})
"""What the suite only takes note of in a federation, which answers lists with JSON, and not with
event streams: docs/mcp-conformance.md."""
DIFFERENT_OF_PROGRAMS = DIFFERENT | {"server-sse-polling: server-sse-retry-field"}
"""And of a program: on its standard output it cannot end a stream and say when to come back."""

Ways = Callable[[Suite], dict[str, str]]


@contextmanager
def gateway() -> Iterator[Ways]:
    """For a suite: how its server is reached → URL. The server has sessions for the revisions that
    have them, and none for 2026-07-28."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = ("sessions", "sessionless")
        itself = {
            name: stack.enter_context(everything_server(is_stateless=name == "sessionless"))
            for name in names
        }
        other = stack.enter_context(mcp_servers(other=[]))["other"].url
        a, b = (itself[name].rstrip("/") for name in names)
        config = folder / "gateway.yaml"
        config.write_text(YAML.format(other=other, program=server_program(), a=a, b=b, **itself))
        url = stack.enter_context(running(config, folder / "state", workers=1)).url

        def ways(suite: Suite) -> dict[str, str]:
            name = names[suite.is_modern]
            return {
                "itself": itself[name],
                "a route": f"{url}/{name}",
                ONE: f"{url}/mcp/{name}",
                FEDERATION: f"{url}/mcp/{name}-and-other",
                PROGRAM: f"{url}/mcp/program",
            }

        yield ways


def main() -> None:
    installed()
    differs = False
    with gateway() as ways:
        for suite in Suite:
            urls = ways(suite)
            scores = {way: score(suite, url).scored(suite) for way, url in urls.items()}
            differs |= report(suite, scores)
    sys.exit(differs)


def report(suite: Suite, scores: dict[str, Score]) -> bool:
    """Print; whether there is a difference that nothing explains."""
    differs = False
    for way, found in scores.items():
        print(f"{suite.name.lower():8} {way:12} {found.passed:4} passed {found.failed:4} failed")
        for each in found.worse_than(scores["itself"]):
            differs |= way != "a route" and each not in DIFFERENT_OF_PROGRAMS
            print(f"           not as from the server itself: {each}")
    return differs


if __name__ == "__main__":
    main()
