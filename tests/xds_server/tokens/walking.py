"""Goes a way to a token with answers that are known before."""

from __future__ import annotations

from xds_server.tokens.words import Ask, Read, Token, Way


def go(way: Way, *answers: bytes) -> tuple[list[Ask | Read], Token]:
    """What was needed on the way, in order, and the token."""
    needed = [next(way)]
    for answer in answers:
        try:
            needed.append(way.send(answer))
        except StopIteration as end:
            return needed, end.value
    raise AssertionError(f"the way goes on: {needed[-1]}")
