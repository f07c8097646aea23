"""Which addresses are taken, and what to do about it."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.model import Endpoint
from xds_server.free_ports import PortsOfFile, Wanted, complaints


def wanted(port: int, host: str = "127.0.0.1") -> Wanted:
    return Wanted(Endpoint(host, port), "admin", "--admin or DRAGOMAN_ADMIN_PORT")


def test_a_taken_port_is_named_with_its_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert complaints([wanted(port)]) == (
            f"127.0.0.1:{port} (admin) is already in use; "
            "choose another: --admin or DRAGOMAN_ADMIN_PORT",
        )
    assert complaints([wanted(port)]) == ()


def test_a_port_that_is_shared_is_taken_too() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        assert len(complaints([wanted(other.getsockname()[1])])) == 1


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    (line,) = complaints([wanted(8080, "192.0.2.1")])
    assert "cannot be listened on" in line


def test_every_complaint_is_made() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = [one.getsockname()[1], two.getsockname()[1]]
        assert len(complaints(wanted(port) for port in ports)) == 2


def ports_of(tmp_path: Path, text: str) -> PortsOfFile:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    return PortsOfFile.of(file)


def test_a_file_uses_a_variable_with_a_default_or_without(tmp_path: Path) -> None:
    text = """
gateways:
  plain: {port: "${P}"}
  fallback: {port: "${P:-8080}"}
  literal: {port: 8080}
  other: {port: "${PP}"}
  escaped: {port: "$${P}"}
"""
    ports = ports_of(tmp_path, text)
    names = ("plain", "fallback", "literal", "other", "escaped", "unwritten")
    assert [name for name in names if ports.is_port_of("P", name)] == ["plain", "fallback"]
    assert ports.uses("P")
    assert not ports.uses("Q")


def test_a_variable_may_be_used_elsewhere_in_the_file(tmp_path: Path) -> None:
    ports = ports_of(tmp_path, 'routes: [{backend: "http://127.0.0.1:${P}"}]\n')
    assert ports.uses("P")
    assert not ports.is_port_of("P", "default")


def test_the_place_of_a_port_is_a_line_where_one_is_written(tmp_path: Path) -> None:
    ports = ports_of(tmp_path, "gateways:\n  a:\n    port: 8080\n")
    assert ports.place("a") == f"gateways.a.port in {ports.file}, line 3"
    assert ports.place("default") == f"gateways.default.port in {ports.file}"


def test_a_port_may_be_written_in_a_file_that_is_included(tmp_path: Path) -> None:
    (tmp_path / "edge.yaml").write_text('gateways:\n  edge: {port: "${PORT}"}\n')
    ports = ports_of(tmp_path, "include: [edge.yaml]")
    assert ports.uses("PORT")
    assert ports.is_port_of("PORT", "edge")
    assert ports.place("edge") == f"gateways.edge.port in {tmp_path / 'edge.yaml'}, line 2"
    assert PortsOfFile.of(tmp_path).uses("PORT")
