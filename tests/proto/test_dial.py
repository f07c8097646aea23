"""Reaching a management server: what is read, what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from envoy_api.dial import BadCredential, Credentials, Server, channel_target, stream
from envoy_api.discovery import Variant


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("xds:18000", "dns:///xds:18000"),  # else gRPC's own xDS client would be asked
        ("dns:18000", "dns:///dns:18000"),
        ("127.0.0.1:18000", "dns:///127.0.0.1:18000"),
        ("[::1]:18000", "dns:///[::1]:18000"),
        ("unix:/run/xds.sock", "unix:/run/xds.sock"),
    ],
)
def test_no_name_of_a_host_is_taken_for_a_scheme(address: str, target: str) -> None:
    assert channel_target(address) == target


@pytest.mark.parametrize(
    ("credentials", "mistake"),
    [
        (Credentials(), None),
        (Credentials(ca=Path("a"), certificate=Path("b"), key=Path("c")), None),
        (Credentials(ca=Path("a"), certificate=Path("b")), "needs its key"),
        (Credentials(ca=Path("a"), key=Path("b")), "its certificate"),
        (Credentials(certificate=Path("b"), key=Path("c")), "needs TLS"),
    ],
)
def test_what_does_not_fit_together_is_said(credentials: Credentials, mistake: str | None) -> None:
    found = credentials.mistake()
    assert found is None if mistake is None else mistake in (found or "")


def refusal(credentials: Credentials) -> str:
    async def run() -> None:
        async with stream(Server("127.0.0.1:9", credentials), Variant.DELTA):
            pass

    with pytest.raises(BadCredential) as raised:
        asyncio.run(run())
    return str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "token"
    assert refusal(Credentials(token=missing)) == (
        f"{missing}: cannot be read: no such file or directory"
    )
    assert "ca.pem" in refusal(Credentials(ca=tmp_path / "ca.pem"))


def test_a_token_is_never_repeated(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("gehëim")
    assert refusal(Credentials(token=token)) == f"{token}: not ASCII"
