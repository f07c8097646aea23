"""Which addresses are taken, and what to do about it."""

from __future__ import annotations

import socket

from gateway.model import Endpoint
from xds_server.free_ports import Wanted, complaints


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
