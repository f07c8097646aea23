"""The way to a token over real connections."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.credentials import GcpCredential, ManagedIdentity
from tests.kit.in_a_loop import in_a_loop
from tests.kit.recorder import Recorder
from tests.kit.stack import free_ports
from xds_server.tokens.fetch import Fetcher
from xds_server.tokens.words import NoToken, Token

ANSWER = b'{"access_token": "hunter2", "expires_in": 100}'


def workload(url: str, file: Path) -> GcpCredential:
    source = {
        "type": "external_account",
        "audience": "a",
        "subject_token_type": "t",
        "token_url": f"{url}/sts",
        "credential_source": {"file": str(file)},
    }
    return GcpCredential(json.dumps(source))


@in_a_loop
async def test_a_token_is_asked_for_with_what_is_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("theirs\n")
    with Recorder() as server:
        server.answer = ANSWER
        fetcher = Fetcher({})
        assert await fetcher.fetch(workload(server.url, file)) == Token("hunter2", 100.0)
        assert b"subject_token=theirs&" in server.last.body
        file.write_text("renewed\n")
        await fetcher.fetch(workload(server.url, file))
        assert b"subject_token=renewed&" in server.last.body


@in_a_loop
async def test_a_machine_is_asked_where_its_environment_says() -> None:
    with Recorder() as server:
        server.answer = ANSWER
        host = f"127.0.0.1:{server.port}"
        environment = {
            "GCE_METADATA_HOST": host,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://{host}",
        }
        await Fetcher(environment).fetch(GcpCredential())
        assert server.last.headers["metadata-flavor"] == "Google"
        await Fetcher(environment).fetch(ManagedIdentity())
        assert server.last.headers["metadata"] == "true"


@in_a_loop
async def test_a_refusal_is_no_token(tmp_path: Path) -> None:
    with Recorder() as server:
        server.status, server.answer = 403, b'{"error": "access_denied"}'
        host = {"GCE_METADATA_HOST": f"127.0.0.1:{server.port}"}
        with pytest.raises(NoToken, match="answered 403: access_denied"):
            await Fetcher(host).fetch(GcpCredential())
        with pytest.raises(NoToken, match="cannot be read: No such file"):
            await Fetcher({}).fetch(workload(server.url, tmp_path / "none"))


@in_a_loop
async def test_who_does_not_answer_is_named() -> None:
    [port] = free_ports(1)
    with pytest.raises(NoToken, match=r"'127\.0\.0\.1' does not answer: "):
        await Fetcher({"GCE_METADATA_HOST": f"127.0.0.1:{port}"}).fetch(GcpCredential())


@in_a_loop
async def test_a_connection_that_breaks_is_tried_once_more() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if len(asked) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        fetcher = Fetcher({"GCE_METADATA_HOST": f"127.0.0.1:{port}"})
        assert await fetcher.fetch(GcpCredential()) == Token("hunter2", 100.0)
    assert len(asked) == 2


@in_a_loop
async def test_an_address_that_is_none_is_no_token() -> None:
    source = {"type": "authorized_user", "client_id": "a", "client_secret": "b"}
    bad = json.dumps({**source, "refresh_token": "c", "token_uri": "http://[::1"})
    with pytest.raises(NoToken, match="is no url"):
        await Fetcher({}).fetch(GcpCredential(bad))
