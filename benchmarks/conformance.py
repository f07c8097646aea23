"""The official MCP conformance suite: against a server itself, and through the gateway, where it is
one server or two. `python -m benchmarks.conformance` prints scores, and every check that differs.

It needs npm and Go, and installs the suite and the server into `.venv/conformance`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.kit.conformance import Suite, everything_server, installed, score, server_program
from tests.kit.mcp_peers import mcp_servers
from tests.kit.stack import running

YAML = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{required: false}}
mcp:
  prefix: on_conflict
  servers:
    every: {{url: "{every}"}}
    program: {{command: ["{program}"]}}
    other: {{url: "{other}"}}
  views:
    both: {{servers: [every, other]}}
routes:
  - name: bare
    match: {{path: {{prefix: /bare}}}}
    replace_prefix: /
    backend: "{origin}"
    auth: none
"""
ONE, FEDERATION, PROGRAM = "one server", "two as one", "a program"
WAYS = ("itself", "a route", ONE, FEDERATION, PROGRAM)
DIFFERENT = frozenset({"server-sse-multiple-streams: server-sse-streams-functional"})
"""What the suite only takes note of in a federation, which answers lists with JSON, and not with
event streams: docs/mcp-conformance.md."""


DIFFERENT_OF_PROGRAMS = DIFFERENT | {"server-sse-polling: server-sse-retry-field"}
"""And of a program: on its standard output it cannot end a stream and say when to come back."""


@contextmanager
def ways(suite: Suite) -> Iterator[dict[str, str]]:
    """How the server is reached → URL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        every = stack.enter_context(everything_server(is_stateless=suite.is_modern))
        other = stack.enter_context(mcp_servers(other=[]))["other"]
        config = folder / "gateway.yaml"
        origin = every.rstrip("/")
        config.write_text(
            YAML.format(every=every, other=other.url, origin=origin, program=server_program())
        )
        gateway = stack.enter_context(running(config, folder / "state", workers=1))
        names = ("bare", "mcp/every", "mcp/both", "mcp/program")
        urls = (every, *(f"{gateway.url}/{each}" for each in names))
        yield dict(zip(WAYS, urls, strict=True))


def main() -> None:
    installed()
    differs = False
    for suite in Suite:
        with ways(suite) as urls:
            scores = {way: score(suite, url).scored(suite) for way, url in urls.items()}
        straight = scores["itself"]
        for way, found in scores.items():
            print(
                f"{suite.name.lower():8} {way:12} {found.passed:4} passed {found.failed:4} failed"
            )
            for each in found.worse_than(straight):
                differs |= way != "a route" and each not in DIFFERENT_OF_PROGRAMS
                print(f"           not as from the server itself: {each}")
    sys.exit(differs)


if __name__ == "__main__":
    main()
