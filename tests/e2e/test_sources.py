"""A folder as the configuration, with certificates: all of it is followed, and nothing is cut."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.kit.certificates import Authority
from tests.kit.stack import Stack, eventually, free_ports, running

pytestmark = pytest.mark.envoy

AUTHORITY = Authority()
GATEWAYS = """
include: ["teams/*.yaml"]
gateways:
  open: {port: "${DRAGOMAN_PORT}", address: 127.0.0.1, tls: {cert: tls/cert.pem, key: tls/key.pem}}
  mutual:
    port: MUTUAL
    address: 127.0.0.1
    tls: {cert: tls/cert.pem, key: tls/key.pem, client_ca: tls/ca.pem}
"""
TEAM = """
llm:
  providers:
    demo-a:
      type: openai-compatible
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo-a: demo-a/demo-a}
"""
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "count slowly"}], "stream": True}


class Secured:
    """A running gateway, its folder, and two ways in."""

    def __init__(self, stack: Stack, folder: Path, mutual_port: int) -> None:
        self.stack = stack
        self.folder = folder
        self.open = f"https://127.0.0.1:{stack.port}"
        self.mutual = f"https://127.0.0.1:{mutual_port}"

    def serial(self) -> bytes | None:
        """The certificate that is shown to a new connection."""
        with (
            socket.create_connection(("127.0.0.1", self.stack.port), timeout=5) as plain,
            trusting().wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            return secured.getpeercert(binary_form=True)

    def models(self) -> set[str]:
        answer = httpx.get(f"{self.open}/v1/models", verify=trusting(), timeout=5)
        return {each["id"] for each in answer.json()["data"]}


def trusting(client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=AUTHORITY.pem)
    if client is not None:
        context.load_cert_chain(*client)
    return context


def write_pair(folder: Path) -> None:
    """A new pair, each file swapped whole, as those who renew certificates do it."""
    for name, text in zip(("cert.pem", "key.pem"), AUTHORITY.server(), strict=True):
        (folder / f".{name}").write_text(text)
        (folder / f".{name}").rename(folder / name)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    folder = tmp_path / "config"
    (folder / "tls").mkdir(parents=True)
    (folder / "teams").mkdir()
    write_pair(folder / "tls")
    (folder / "tls/ca.pem").write_text(AUTHORITY.pem)
    [mutual] = free_ports(1)
    (folder / "gateways.yaml").write_text(GATEWAYS.replace("MUTUAL", str(mutual)))
    (folder / "teams/a.yaml").write_text(TEAM)
    with running(folder, tmp_path / "state", workers=1) as stack:
        yield Secured(stack, folder, mutual)


def test_a_renewed_certificate_and_a_new_file_cut_no_stream(secured: Secured) -> None:
    secured.stack.switch("a", "slow")
    has_begun = threading.Event()
    heard: list[str] = []

    def listen() -> None:
        url = f"{secured.open}/v1/chat/completions"
        with httpx.stream("POST", url, json=ASK, verify=trusting(), timeout=60) as answer:
            for part in answer.iter_text():
                heard.append(part)
                has_begun.set()

    listening = threading.Thread(target=listen)
    listening.start()
    assert has_begun.wait(10)
    before = secured.serial()
    write_pair(secured.folder / "tls")
    eventually(lambda: secured.serial() != before, "the new certificate is shown")
    (secured.folder / "teams/b.yaml").write_text("llm: {models: {other: demo-a/demo-a}}")
    eventually(lambda: secured.models() == {"demo-a", "other"}, "the new file is in force")
    (secured.folder / "teams/b.yaml").unlink()
    eventually(lambda: secured.models() == {"demo-a"}, "the file that is gone is not")
    listening.join(60)
    assert "".join(heard).rstrip().endswith("data: [DONE]")


def test_mutual_tls_asks_for_a_certificate(secured: Secured, tmp_path: Path) -> None:
    files = (tmp_path / "client.pem", tmp_path / "client.key")
    for path, text in zip(files, AUTHORITY.client("spiffe://a"), strict=True):
        path.write_text(text)
    url = f"{secured.mutual}/v1/models"
    assert httpx.get(url, verify=trusting(files), timeout=5).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=trusting(), timeout=5)
