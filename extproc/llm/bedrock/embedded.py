"""An answer of Bedrock's embeddings on its way to a client that asked as OpenAI has it."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.llm.bedrock.embeddings import decode_embeddings
from extproc.llm.dialect import Asked
from extproc.llm.pieces import Pieces
from gateway.usage import Usage

LARGEST_ANSWER_BYTES = 32 << 20


class EmbeddedAnswer:
    """`Translation`, said at its end."""

    __slots__ = ("_asked", "_pieces", "usage")
    unfinished: Sequence[str] | None = None

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pieces = Pieces(LARGEST_ANSWER_BYTES)
        self.usage: Usage | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.add(data)
        if not is_end:
            return b""
        encoding = self._asked.document.get("encoding_format")
        asked = encoding if isinstance(encoding, str) else "float"
        found = decode_embeddings(self._pieces.take(), self._asked.model, asked)
        self.usage = found.usage
        return found.body
