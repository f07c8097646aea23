"""Who looks at the answer to a request: guards of what it says, and of its form."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from extproc.conforming import Conforming
from extproc.facts import Facts
from extproc.guarding import Watchman
from extproc.llm.dialect import Call
from extproc.llm.dialects import SPEAKERS
from extproc.llm.frames import ArrayFrames, ChunkFrames, Frames
from extproc.program import Program
from extproc.verdict import Deny
from gateway.model import Dialect
from gateway.operations import Operation

_GUARDED = frozenset({Operation.INVOKE, Operation.INVOKE_STREAM, Operation.COMPLETIONS})
"""What is no conversation in a dialect, and answered in texts that guards read."""


_READ_AS = {Operation.COMPLETIONS: Dialect.OPENAI_CHAT}
"""In which dialect answers are read that are in none: its reader knows these, too."""


class Framing(Struct, frozen=True):
    """How the answer comes to its client."""

    dialect: Dialect | None
    """None: it is no conversation."""
    operation: Operation
    is_framed: bool
    """A stream comes in AWS events that hold those of the model, made here."""
    is_array: bool
    """A stream comes as one JSON array."""


def watchman_of(
    program: Program, facts: Facts, call: Call | None, framing: Framing
) -> Watchman | Deny | None:
    """None: nobody does. A Deny, where what the request asks for cannot be looked after."""
    guards = program.answer_guards
    if guards is None or (framing.dialect is None and framing.operation not in _GUARDED):
        return None
    conforming = _conforming(program, facts, call, framing)
    if isinstance(conforming, Deny):
        return conforming
    watchman = Watchman(guards, facts, conforming)
    is_any = watchman.steps or facts.tokens is not None or conforming is not None
    return watchman if is_any else None


def _conforming(
    program: Program, facts: Facts, call: Call | None, framing: Framing
) -> Callable[[bool], Conforming] | Deny | None:
    """Makes what looks at the form, of a stream or not; None: nobody does."""
    forms = program.forms
    dialect = _READ_AS.get(framing.operation, framing.dialect)
    if not forms.is_any or dialect is None or call is None:
        return None
    codec = SPEAKERS[dialect].codec
    ready = forms.ready(facts, call, None if framing.dialect is None else codec.decode_request)
    if isinstance(ready, Deny):
        return ready
    frames: Callable[[], Frames] | None = None
    if framing.is_framed or framing.operation is Operation.INVOKE_STREAM:
        frames = ChunkFrames
    elif framing.is_array:
        frames = ArrayFrames

    def conforming(is_stream: bool) -> Conforming:
        own = frames() if frames is not None and is_stream else None
        return Conforming(ready, forms.audits, facts, codec, own, is_stream=is_stream)

    return conforming if ready else None
