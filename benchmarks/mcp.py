"""What a federation of MCP servers costs in Python: `python -m benchmarks.mcp`.

Ten servers with fifty tools each. Codecs alone, without the exchange around them and Envoy; the
machine's noise is taken out by the best of several runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import timeit
from collections.abc import Callable, Iterator

import msgspec

from extproc.mcp import lists, messages
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.lists import ListKind
from extproc.mcp.messages import NAME, Message
from extproc.mcp.naming import Naming
from extproc.mcp.search import ToolIndex
from extproc.mcp.sessions import Sealer, ServerSession, Session
from extproc.mcp.streams import Upward
from extproc.mcp.upward import Origin
from gateway.mcp import Prefix

SERVERS = tuple(f"server{number}" for number in range(10))
TOOLS = 50
CALL_MICROSECONDS = 80
LIST_MICROSECONDS = 1000

_ARGUMENTS = {"query": "caravan " * 75, "labels": ["a", "b"], "limit": 5}


def sent(method: str, **params: object) -> bytes:
    document = {"jsonrpc": "2.0", "id": 5, "method": method, "params": params}
    return json.dumps(document).encode()


def tool(number: int) -> dict[str, object]:
    """A definition of 0.8 KB."""
    properties = {
        name: {"type": "string", "description": f"The {name} of what is looked for"}
        for name in ("query", "repository", "owner", "state", "sort", "order")
    }
    return {
        "name": f"tool_{number}",
        "title": f"Tool {number}",
        "description": "Looks for something, and tells where it is and since when. " * 3,
        "inputSchema": {"type": "object", "properties": properties, "required": ["query"]},
    }


def session() -> Session:
    return Session(
        "",
        {
            name: ServerSession(f"786512e2-9e0d-44bd-8f29-{number:012}", "2025-06-18")
            for number, name in enumerate(SERVERS)
        },
        "2025-11-25",
        msgspec.Raw(b'{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}}}'),
        1_790_000_000,
        "number",
    )


def rows() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """What is measured, how often, and the doing of it."""
    call = sent("tools/call", name="server7__tool_3", arguments=_ARGUMENTS)
    sealer, binding = Sealer(["s" * 32]), "principal"
    known = sealer.seal(session(), binding)
    told = [json.dumps({"tools": [tool(each) for each in range(TOOLS)]}).encode()] * len(SERVERS)
    pages = {
        name: lists.read_page(ListKind.TOOLS, each)
        for name, each in zip(SERVERS, told, strict=True)
    }
    naming = Naming(Prefix.AUTO, SERVERS)

    def catalogue() -> Catalogue:
        return Catalogue(SERVERS, naming, naming, {ListKind.TOOLS: pages})

    merged = catalogue()
    listing = merged.listings[ListKind.TOOLS]
    allowed = {each.target for number, each in enumerate(listing.entries) if number % 3}
    index = ToolIndex(listing.entries)

    def directed() -> bytes:
        """All that a call needs of these parts."""
        message = messages.read(call)
        assert isinstance(message, Message)
        opened = sealer.open(known, binding)
        target = merged.tool(message.name)
        assert target is not None
        assert opened is not None
        assert opened.servers[target.server].id
        return messages.rewritten(call, {NAME: messages.text(target.name)})

    def cold() -> Session | None:
        return Sealer.open(forgetful, known, binding)

    forgetful = Sealer(["o" * 32, "s" * 32], most_remembered=0)
    asked = b"event: message\nid: 1\ndata: %s\n\n" % sent("sampling/createMessage", maxTokens=9)
    stream = Upward(Origin("server7", "tools/call"))
    big = sent("tools/call", name="server7__tool_3", arguments={"file": "x" * 10_000_000})
    yield "a call of 0.8 KB, read, opened, found, renamed", 5_000, directed
    yield "a session of 10 servers, opened for the first time", 2_000, cold
    yield "a session of 10 servers, sealed", 2_000, lambda: sealer.seal(session(), binding)
    yield "a list of 500 tools, all", 200, lambda: lists.page(listing)
    yield (
        "a list of 500 tools, filtered",
        200,
        lambda: lists.page(listing, is_allowed=allowed.__contains__),
    )
    yield "a request of a server, in an event stream", 5_000, lambda: stream.feed(asked)
    yield "a search in 500 tools", 500, lambda: index.search("repository owner state")
    yield (
        "500 tools read of 10 servers",
        5,
        lambda: [lists.read_page(ListKind.TOOLS, each) for each in told],
    )
    yield "500 tools of 10 servers, merged", 5, catalogue
    yield "500 tools, made ready to be searched", 2, lambda: ToolIndex(listing.entries)
    yield (
        "a call of 10 MB, read and renamed",
        3,
        lambda: (
            messages.read(big),
            messages.rewritten(big, {NAME: b'"tool_3"'}),
        ),
    )


def microseconds(once: Callable[[], object], times: int) -> float:
    """Of this process; the best of a few runs, since others use the machine, too."""
    once()
    return min(timeit.repeat(once, timer=time.process_time, number=times, repeat=7)) / times * 1e6


def main() -> int:
    """Print the table; 1 if a call or a list costs too much and that was to be checked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where something costs too much")
    is_checked = parser.parse_args().check
    is_dear = False
    for name, times, once in rows():
        took = microseconds(once, times)
        print(f"{name:52} {took:11,.1f} µs")
        limit = CALL_MICROSECONDS if name.startswith("a call of 0.8") else LIST_MICROSECONDS
        is_dear |= name.startswith(("a call of 0.8", "a list")) and took > limit
    return int(is_checked and is_dear)


if __name__ == "__main__":
    sys.exit(main())
