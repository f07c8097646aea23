from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.mcp import merging
from extproc.mcp.merging import BrokenHello, Hello

INFO = b'{"name":"dragoman","version":"1"}'


def said(**more: Any) -> bytes:
    return json.dumps({"protocolVersion": "2025-06-18", "capabilities": {}, **more}).encode()


def discovered(**more: Any) -> bytes:
    return json.dumps({"supportedVersions": ["2026-07-28"], "capabilities": {}, **more}).encode()


def hello(capabilities: dict[str, Any], instructions: str = "", **more: Any) -> Hello:
    return Hello("2025-06-18", capabilities, instructions, **more)


# --- revisions -----------------------------------------------------------------------------


@pytest.mark.parametrize("revision", merging.LEGACY_REVISIONS)
def test_a_client_gets_the_revision_that_it_asks_for(revision: str) -> None:
    assert merging.agreed(revision) == revision
    document = json.loads(merging.initialize(revision, {"a": hello({})}, INFO))
    assert document["protocolVersion"] == revision


@pytest.mark.parametrize("revision", ["", "1.0", "2024-01-01", "2026-07-28", "2099-01-01"])
def test_a_client_that_asks_for_another_gets_the_latest(revision: str) -> None:
    assert merging.agreed(revision) == "2025-11-25"


# --- what servers say ----------------------------------------------------------------------


def test_an_initialize_result_is_read() -> None:
    read = merging.read_initialize(said(capabilities={"tools": {}}, instructions="Ask."))
    assert read == Hello("2025-06-18", {"tools": {}}, "Ask.")
    assert read.has("tools")
    assert not read.has("prompts")


def test_a_discover_result_is_read() -> None:
    result = discovered(
        supportedVersions=["2026-07-28", "2025-11-25", "2099-01-01"],
        ttlMs=500,
        cacheScope="public",
    )
    assert merging.read_discover(result) == Hello("2026-07-28", {}, "", 500, True)


def test_a_server_that_speaks_nothing_we_know_has_no_revision() -> None:
    assert merging.read_discover(discovered(supportedVersions=["2099-01-01"])).revision == ""


@pytest.mark.parametrize(
    "result",
    [
        b"",
        b"[]",
        b"{}",
        said(capabilities=None),
        said(capabilities=[]),
        said(protocolVersion="2099-01-01"),
        said(protocolVersion=1),
        b'{"protocolVersion":"2025-06-18","capabilities":{},"capabilities":{}}',
    ],
)
def test_what_is_no_initialize_result_is_told_so(result: bytes) -> None:
    with pytest.raises(BrokenHello):
        merging.read_initialize(result)


@pytest.mark.parametrize(
    "result", [b"", b"{}", discovered(supportedVersions="2026-07-28"), discovered(capabilities=0)]
)
def test_what_is_no_discover_result_is_told_so(result: bytes) -> None:
    with pytest.raises(BrokenHello):
        merging.read_discover(result)


# --- as one --------------------------------------------------------------------------------


def test_what_one_server_can_all_can() -> None:
    merged = merging.capabilities(
        {
            "a": hello({"tools": {"listChanged": False}, "resources": {}, "logging": {}}),
            "b": hello(
                {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "prompts": {}}
            ),
        }
    )
    assert merged == {
        "tools": {"listChanged": True},
        "resources": {"subscribe": True},
        "logging": {},
        "prompts": {},
    }


def test_extensions_and_experiments_are_merged_deeply() -> None:
    merged = merging.capabilities(
        {
            "a": hello(
                {"extensions": {"ui": {"mimeTypes": ["x"]}}, "experimental": {"e": {"n": 1}}}
            ),
            "b": hello({"extensions": {"ui": {"mimeTypes": ["x", "y"]}, "z": {}}}),
            "c": hello({"experimental": {"e": {"n": 2, "m": 3}}, "new": None}),
            "d": hello({"new": {"a": 1}}),
        }
    )
    assert merged == {
        "extensions": {"ui": {"mimeTypes": ["x", "y"]}, "z": {}},
        "experimental": {"e": {"n": 1, "m": 3}},
        "new": {"a": 1},
    }


def test_no_server_is_changed_by_the_others() -> None:
    one = {"tools": {"a": [1]}}
    merging.capabilities({"a": hello(one), "b": hello({"tools": {"a": [2], "b": 1}})}, True)
    assert one == {"tools": {"a": [1]}}


def test_lists_of_servers_that_come_and_go_change() -> None:
    hellos = {"a": hello({"tools": {}, "logging": {}})}
    document = json.loads(merging.initialize("2025-11-25", hellos, INFO, is_changing=True))
    assert document["capabilities"] == {"tools": {"listChanged": True}, "logging": {}}


def test_instructions_stand_under_the_name_of_their_server() -> None:
    hellos = {"a": hello({}, "Do.\n"), "b": hello({}), "c": hello({}, "Don't.")}
    document = json.loads(merging.initialize("2025-11-25", hellos, INFO))
    assert document["instructions"] == "# a\n\nDo.\n\n# c\n\nDon't."
    assert document["serverInfo"] == {"name": "dragoman", "version": "1"}


def test_without_instructions_nothing_is_said() -> None:
    assert "instructions" not in json.loads(merging.initialize("", {"a": hello({}, " ")}, INFO))


def test_servers_are_discovered_as_one() -> None:
    hellos = {
        "a": hello({"tools": {}, "tasks": {"list": {}}}, "Do.", ttl_ms=500, is_public=True),
        "b": hello({"prompts": {}}, ttl_ms=300, is_public=True),
    }
    assert json.loads(merging.discover(["2026-07-28", "2025-11-25"], hellos, INFO)) == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28", "2025-11-25"],
        "capabilities": {"tools": {}, "prompts": {}},
        "instructions": "# a\n\nDo.",
        "ttlMs": 300,
        "cacheScope": "public",
        "_meta": {
            "io.modelcontextprotocol/serverInfo": {"name": "dragoman", "version": "1"},
        },
    }


def test_what_a_server_does_not_say_is_kept_from_nobody_and_not_long() -> None:
    hellos = {"a": hello({}, ttl_ms=500, is_public=True), "b": hello({})}
    document = json.loads(merging.discover(["2026-07-28"], hellos, INFO))
    assert (document["ttlMs"], document["cacheScope"]) == (0, "private")
    nobody = json.loads(merging.discover(["2026-07-28"], {}, INFO))
    assert (nobody["ttlMs"], nobody["cacheScope"]) == (0, "private")
