"""What guards of answers cost: CPU for a chunk of a stream, and how much of it they hold back.

    python -m benchmarks.guarded

A stream of 400 chunks of 4 characters, in pieces of one chunk each, as Envoy shows them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from extproc.facts import Facts
from extproc.guarding import Watchman, guarded
from extproc.policies.guard import Guards
from gateway.model import Dialect, Guard, GuardAction, GuardTerms, Phase, RegexGuard

CHUNKS = 400
ROUNDS = 5
TEXT = "word "
PATTERNS = (
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b(?:\d[ -]?){13,16}\b",
    r"[\w.+-]+@[\w-]+\.[\w.]+",
    r"\bsk-[A-Za-z0-9]{20,}",
    r"(?i)\bproject (nightingale|larch)\b",
)


def guards(count: int, window: int) -> Sequence[Guard]:
    """Masks, each of its own."""
    terms = GuardTerms(phase=Phase.RESPONSE, window=window)
    return [
        RegexGuard(f"g{index}", (pattern,), GuardAction.MASK, "*", "", terms)
        for index, pattern in enumerate(PATTERNS[:count])
    ]


def chat() -> Iterator[bytes]:
    for _ in range(CHUNKS):
        choice = {"index": 0, "delta": {"content": TEXT}, "finish_reason": None}
        event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}
        yield b"data: %s\n\n" % json.dumps({**event, "created": 1, "model": "m"}).encode()


def anthropic() -> Iterator[bytes]:
    for _ in range(CHUNKS):
        delta = {"type": "text_delta", "text": TEXT}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        yield b"event: content_block_delta\ndata: %s\n\n" % json.dumps(event).encode()


def responses() -> Iterator[bytes]:
    for number in range(CHUNKS):
        event = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0}
        event |= {"content_index": 0, "delta": TEXT, "sequence_number": number, "logprobs": []}
        yield b"event: response.output_text.delta\ndata: %s\n\n" % json.dumps(event).encode()


def gemini() -> Iterator[bytes]:
    for _ in range(CHUNKS):
        content = {"role": "model", "parts": [{"text": TEXT}]}
        event = {"candidates": [{"index": 0, "content": content}], "modelVersion": "m"}
        yield b"data: %s\n\n" % json.dumps(event).encode()


STREAMS: Sequence[tuple[Dialect, Callable[[], Iterator[bytes]]]] = (
    (Dialect.OPENAI_CHAT, chat),
    (Dialect.OPENAI_RESPONSES, responses),
    (Dialect.ANTHROPIC, anthropic),
    (Dialect.GEMINI, gemini),
)


def measured(dialect: Dialect, pieces: Sequence[bytes], asked: Sequence[Guard]) -> float:
    """µs for a chunk, the best of some rounds."""
    made = Guards(asked, None, Phase.RESPONSE)
    best = float("inf")
    for _ in range(ROUNDS):
        facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="m")
        answer = guarded(
            Watchman(made, facts), dialect, is_stream=True, is_framed=False, is_array=False
        )
        begun = time.process_time()
        for piece in pieces:
            answer.feed(piece, is_end=False)
        answer.feed(b"", is_end=True)
        best = min(best, time.process_time() - begun)
    return best / len(pieces) * 1e6


def main() -> None:
    print("µs of CPU for a chunk, by guards and the characters that each holds back\n")
    cases = ((1, 64), (1, 256), (5, 64), (5, 256))
    print(f"{'':18}" + "".join(f"{f'{count} x {window}':>12}" for count, window in cases))
    for dialect, stream in STREAMS:
        pieces = list(stream())
        row = [measured(dialect, pieces, guards(count, window)) for count, window in cases]
        print(f"{dialect.value:18}" + "".join(f"{each:12.1f}" for each in row))


if __name__ == "__main__":
    main()
