"""Who reads what an agent answers to one request: guards, and rules of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, structs

from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a_serving.guarding import A2aGuards, reword_of, shape_of
from extproc.a2a_serving.lengths import StreamLength
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.spots import StreamSpots
from extproc.a2a_serving.states import states_of
from extproc.audits import Audits
from extproc.facts import Facts
from extproc.guarding import Reading, StreamedAnswer, Watchman, WholeAnswer
from extproc.inquiring import Inquirer
from extproc.llm import texts as walk
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frames
from extproc.llm.pieces import Pieces
from extproc.policies.authorize import Authorize
from extproc.policies.gathering import Blocked
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Asked
from extproc.policies.remote.words import Opinion
from extproc.program import Program
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny, PolicyKind
from gateway.a2a import Binding


class Past(Protocol):
    """An answer past them."""

    @property
    def denied(self) -> Deny | None:
        """Nothing more of it may go on."""

    @property
    def questions(self) -> Sequence[Asked]:
        """What has to be asked before more of it may go on."""

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        """What may go on now. Raises `UnreadableAnswer`."""

    def answered(self, opinions: Sequence[Opinion]) -> bytes:
        """What may go on now, with an opinion for each question. Raises `UnreadableAnswer`."""


class Overseers(Struct, frozen=True):
    """Those of a program."""

    guards: A2aGuards | None
    rules: Authorize | None
    """Of responses."""
    inquirer: Inquirer
    audits: Audits
    clock: Callable[[], float]
    """Seconds that never go back."""

    def read(self, facts: Facts, operation: Operation) -> bool:
        """Whether one of them reads what the agent of `facts.a2a` answers this caller; cards
        and webhooks are no messages."""
        if operation is Operation.EXTENDED_CARD or OPERATIONS[operation].is_about_push:
            return False
        return self.reads(facts)

    def reads(self, facts: Facts) -> bool:
        """The same of most operations."""
        is_ruled = self.rules is not None and self.rules.are_for(facts)
        return is_ruled or (self.guards is not None and self.guards.reads_answers(facts))


class Judges:
    """Of the answer to one request."""

    __slots__ = (
        "_facts",
        "_is_jsonrpc",
        "_length",
        "_overseers",
        "_reading",
        "_shape",
        "_spots",
        "_watchmen",
        "operation",
    )

    def __init__(
        self, overseers: Overseers, facts: Facts, operation: Operation, binding: Binding
    ) -> None:
        """`binding`: the client's."""
        self._overseers = overseers
        self._facts = facts
        self._is_jsonrpc = binding is Binding.JSONRPC
        shape = self._shape = shape_of(binding)
        self._reading = Reading(lambda document: walk.texts(document, shape), reword_of(binding))
        self._spots = StreamSpots(binding)
        self._length: StreamLength | None = None
        self._watchmen: list[Watchman] = []
        self.operation = operation

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The agent's answer begins so, as rules see it."""
        self._facts = structs.replace(self._facts, status=status, answer_headers=headers)

    def stream(self, frames: Frames) -> Past:
        """An answer whose events are framed so, past all of them."""
        guards = self._overseers.guards
        if guards is not None:
            self._length = guards.lengths.of_stream(self._facts)
        watchman = self._watchman(Guards(()) if guards is None else guards.streams)
        return StreamedAnswer(watchman, frames, self._spots.read, self._look)

    def document(self) -> Past:
        """An answer that is one document of JSON."""
        guards = self._overseers.guards
        watchman = self._watchman(Guards(()) if guards is None else guards.answers)
        return _Document(WholeAnswer(watchman), self)

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds that never go back."""
        return self._overseers.clock

    async def opinions(self, asked: Sequence[Asked]) -> Sequence[Opinion]:
        """What services say."""
        return await self._overseers.inquirer.opinions(asked)

    def refused(self, deny: Deny) -> None:
        """Nothing more of it goes on."""
        self._overseers.audits.refused(self._facts, deny, PolicyKind.ANSWER)

    def end(self) -> None:
        """Nothing of it follows: what is in audit is told, once."""
        for each in self._watchmen:
            each.end()
        if self._length is not None:
            self._length.end()

    def ruled(self, document: dict[str, Any]) -> None:
        """Asks rules of responses about each task that a document tells of. Raises `Blocked`."""
        rules, call = self._overseers.rules, self._facts.a2a
        if rules is None or call is None:
            return
        for said in states_of(document, is_jsonrpc=self._is_jsonrpc):
            told = structs.replace(
                call,
                task=call.task or said.task_id,
                context=call.context or said.context_id,
                task_state=said.state,
            )
            verdict = rules.on_response(structs.replace(self._facts, a2a=told))
            if isinstance(verdict, Deny):
                raise Blocked(verdict)

    def _look(self, document: dict[str, Any]) -> None:
        """Sees each event of a stream before it is read."""
        self.ruled(document)
        self._spots.look(document)
        if self._length is not None:
            self._length.add(self._reading.texts(document))

    def _watchman(self, guards: Guards) -> Watchman:
        watchman = Watchman(guards, self._facts, reading=self._reading)
        self._watchmen.append(watchman)
        return watchman


class _Document:
    """One document of JSON, past the rules and then the guards."""

    __slots__ = ("_judges", "_pieces", "_ruled", "_whole")

    def __init__(self, whole: WholeAnswer, judges: Judges) -> None:
        self._whole = whole
        self._judges = judges
        self._pieces = Pieces()
        self._ruled: Deny | None = None

    @property
    def denied(self) -> Deny | None:
        return self._ruled or self._whole.denied

    @property
    def questions(self) -> Sequence[Asked]:
        return self._whole.questions

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.add(data)
        body = self._pieces.take() if is_end else b""
        if not body.strip():
            return body
        try:
            self._judges.ruled(json_spans.decode(body))
        except Blocked as error:
            self._ruled = error.deny
            return b""
        except (InvalidJson, UnicodeDecodeError) as error:
            raise UnreadableAnswer(str(error)) from None
        return self._whole.feed(body, is_end=True)

    def answered(self, opinions: Sequence[Opinion]) -> bytes:
        return self._whole.answered(opinions)


def overseers_of(program: Program, serving: Serving) -> Overseers | None:
    """None: nobody reads answers."""
    guards, rules = serving.guards, program.rules.late
    if guards is None and rules is None:
        return None
    return Overseers(guards, rules, program.inquirer, program.audits, program.clock)
