"""An answer of Bedrock's embeddings on its way to a client that asked as OpenAI has it."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.llm.bedrock.embeddings import decode_embeddings
from extproc.llm.dialect import Asked, UnreadableAnswer
from gateway.usage import Usage

LARGEST_ANSWER_BYTES = 32 << 20


class EmbeddedAnswer:
    """`Translation`, said at its end."""

    __slots__ = ("_asked", "_pieces", "_size", "usage")
    unfinished: Sequence[str] | None = None

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pieces: list[bytes] = []
        self._size = 0
        self.usage: Usage | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > LARGEST_ANSWER_BYTES:
            raise UnreadableAnswer(f"embeddings of more than {LARGEST_ANSWER_BYTES} bytes")
        if not is_end:
            return b""
        encoding = self._asked.document.get("encoding_format")
        asked = encoding if isinstance(encoding, str) else "float"
        found = decode_embeddings(b"".join(self._pieces), self._asked.model, asked)
        self.usage = found.usage
        return found.body
