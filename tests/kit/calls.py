"""One RPC as a service sees it, without an edge: messages in, answers kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from extproc.edges.service import Call, Stream


class RecordedCall:
    """Keeps what the service sends, and ends as an edge's call does: once, telling the stream."""

    def __init__(self, factory: Callable[[Call], Stream], **metadata: str) -> None:
        """Names in `metadata` are written with `_` for `-`."""
        self.metadata: Mapping[str, str] = {
            name.replace("_", "-"): value for name, value in metadata.items()
        }
        self.is_open = True
        self.sent: list[bytes] = []
        self.status: tuple[int, str] | None = None
        """How the service ended the call; None when it did not."""
        self.closings = 0
        self.stream = factory(self)

    def send(self, message: bytes) -> None:
        """Keep one answer."""
        if self.is_open:
            self.sent.append(message)

    def end(self, status: int = 0, message: str = "") -> None:
        """End the call for the service."""
        if self.is_open:
            self.status = (status, message)
            self.close()

    def close(self) -> None:
        """The call is over, whoever ended it: the peer's reset, or a lost connection."""
        if self.is_open:
            self.is_open = False
            self.closings += 1
            self.stream.on_close()

    def say(self, message: bytes) -> bytes:
        """The one answer that a message gets at once."""
        before = len(self.sent)
        self.stream.on_message(message)
        (answer,) = self.sent[before:]
        return answer
