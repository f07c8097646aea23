from __future__ import annotations

from pathlib import Path

from gateway.model import ServerTls
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints
from tests.gateway.config.writing import config_of, write
from tests.kit.certificates import Authority


def test_the_files_are_what_is_shown_and_not_their_paths(tmp_path: Path) -> None:
    authority = Authority()
    cert, key = authority.server()
    for name, text in {"c.pem": cert, "k.pem": key, "ca.pem": authority.pem}.items():
        (tmp_path / name).write_text(text)
    tls = "tls: {cert: c.pem, key: k.pem, client_ca: ca.pem}"
    write(tmp_path, a=f"gateways: {{d: {{port: 1, {tls}}}}}\nxds: {{{tls}}}")
    config = config_of(tmp_path / "a.yaml")
    gateway = resolve(config)
    assert gateway.listeners[0].tls == ServerTls(cert, key, authority.pem)
    assert gateway.xds.tls == ServerTls(cert, key, authority.pem)
    assert "PRIVATE" not in repr(config)
    assert "PRIVATE" not in repr(gateway)


def test_a_gateway_may_let_clients_without_a_certificate_in(tmp_path: Path) -> None:
    authority = Authority()
    cert, key = authority.server()
    for name, text in {"c.pem": cert, "k.pem": key, "ca.pem": authority.pem}.items():
        (tmp_path / name).write_text(text)
    tls = "tls: {cert: c.pem, key: k.pem, client_ca: ca.pem, client_required: false}"
    write(tmp_path, a=f"gateways: {{d: {{port: 1, {tls}}}}}")
    [listener] = resolve(config_of(tmp_path / "a.yaml")).listeners
    assert listener.tls is not None
    assert not listener.tls.is_client_required


def test_a_certificate_without_a_key_is_no_tls() -> None:
    assert "gateways.d.tls.key: is required" in complaints(
        "gateways: {d: {port: 1, tls: {cert: c}}}"
    )


def test_what_is_no_path_is_refused() -> None:
    found = complaints("xds: {tls: {cert: 3, key: [a]}}")
    assert [each.partition(",")[0] for each in found] == [
        "xds.tls.cert: must be the path of a file",
        "xds.tls.key: must be the path of a file",
    ]
