"""HTTP/1.1 without a library, which would tidy up the path."""

from __future__ import annotations

import socket


def asked(port: int, method: str, path: str, key: str, body: bytes) -> tuple[int, bytes]:
    """A request line as it is; the status and the body of the answer."""
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    start, _, content = answer.partition(b"\r\n\r\n")
    return int(start.split()[1]), content
