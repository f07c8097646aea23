"""An answer on its way to the client, past the guards that read it: whole, or as it streams.

Bytes of the client's dialect in, bytes of the same out; what no guard changes stays as it is. Of a
stream, events wait in order until all that they say may go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from extproc.conforming import Conforming
from extproc.facts import NO_MEMBERS, Facts
from extproc.llm import answer_texts
from extproc.llm.answer import Failed, Fault, ProviderError
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.dialects import SPEAKERS
from extproc.llm.frames import ArrayFrames, ChunkFrames, Frame, Frames, MessageFrames, SseFrames
from extproc.llm.pieces import Pieces
from extproc.llm.spots import READS, Channel, Read, Spot, anything, chat
from extproc.policies import window
from extproc.policies.gathering import Blocked, Gathered, Part, Piece
from extproc.policies.guard import Guards, Masking
from extproc.policies.inquiry import Asked as AskedOf
from extproc.policies.inquiry import Inquiry
from extproc.policies.remote.words import Opinion
from extproc.policies.steps import Step
from extproc.policies.tokenising import restoring
from extproc.policies.window import Held, Stage
from extproc.protocols import bodies, json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reword
from extproc.verdict import Amend, Deny, Verdict
from gateway.model import Dialect, TextScope

_DONE = b"[DONE]"
_EVENT = b"event: "

Judged: TypeAlias = bytes | Deny
"""What becomes of a document."""


class Guarded(Protocol):
    """An answer past its guards."""

    denied: Deny | None
    """Nothing more of it may go on."""

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        """What may go on now. Raises `UnreadableAnswer`."""

    @property
    def questions(self) -> Sequence[AskedOf]:
        """What has to be asked before more of it may go on."""

    def answered(self, opinions: Sequence[Opinion]) -> bytes:
        """What may go on now, with an opinion for each question. Raises `UnreadableAnswer`."""

    def refused(self, deny: Deny, dialect: Dialect | None, asked: Asked) -> bytes:
        """What ends what has begun, in the client's dialect; None: it is no conversation."""


class Reading(Struct, frozen=True):
    """What of a document is text, and how it is changed."""

    texts: Callable[[dict[str, object]], Sequence[str]]
    """All that it says, in order. Raises `InvalidJson`."""
    reword: Reword
    forget: Callable[[dict[str, object]], bool] = lambda _: False
    """Takes out of what was changed what would spell what was there; True: there was some."""


_OF_MODELS: Final = Reading(answer_texts.texts, answer_texts.reworded, answer_texts.forget_tokens)


class Watchman:
    """The guards of the answers to one request."""

    __slots__ = (
        "_facts",
        "_found",
        "_guards",
        "_is_told",
        "_restoring",
        "asks_services",
        "conforming",
        "reading",
        "steps",
    )

    def __init__(
        self,
        guards: Guards,
        facts: Facts,
        conforming: Callable[[bool], Conforming] | None = None,
        reading: Reading | None = None,
    ) -> None:
        """`conforming` makes what looks at its form, of a stream or not; None: nothing does. The
        values of `facts.tokens` are put back last: guards see what the model says. `reading`: of
        documents that no model says."""
        self._guards = guards
        self.reading = reading or _OF_MODELS
        self._restoring = None if facts.tokens is None else restoring(facts.tokens)
        self.conforming = conforming
        self._is_told = False
        self._found: set[int] = set()
        """Those that mask, or are in audit, and have found something."""
        self.steps = guards.steps_for(facts)
        self.asks_services = any(step.remote is not None for step in self.steps)
        self._facts = replace(
            facts,
            body=b"",
            texts=(),
            document=NO_MEMBERS,
            conversation=None,
            tokens=None,
            reword=self.reading.reword,
        )

    def judge(self, body: bytes, texts: Sequence[str]) -> Judged | Inquiry[Judged]:
        """What a whole document becomes, which says these texts."""
        facts = self._facts
        facts.body, facts.texts = body, tuple(texts)
        found = self._guards.look(facts, self._found)
        facts.body, facts.texts = b"", ()

        def judged(verdict: Verdict) -> Judged:
            if isinstance(verdict, Deny):
                return verdict
            return self._restored(verdict.body if isinstance(verdict, Amend) else body)

        return found.then(judged) if isinstance(found, Inquiry) else judged(found)

    def channel(self, scope: TextScope, *, is_json: bool) -> window.Channel | None:
        """For a text that comes in pieces; None: no guard reads it."""
        steps = [step for step in self.steps if step.reads(scope)]
        if self._restoring is not None:
            steps.append(self._restoring)
        if not steps:
            return None
        if not self.asks_services:
            return window.Channel.of(steps, self._note, is_json=is_json)
        stages = [self._stage(step, scope, is_json=is_json) for step in steps]
        return window.Channel(stages)

    def _stage(self, step: Step, scope: TextScope, *, is_json: bool) -> Stage:
        held: Held | Gathered
        if step.remote is None:
            held = Held(step, step.window, self._note, is_json=is_json)
        else:
            facts = self._facts
            held = Gathered(step, step.remote, facts, scope, self._note, is_json=is_json)
        return Stage(held, step.is_audited)

    def end(self) -> None:
        """Nothing more is asked: what guards have found is told, once."""
        if not self._is_told:
            self._is_told = True
            self._guards.tell(self._facts, self._found)

    def _restored(self, body: bytes) -> bytes | Deny:
        step = self._restoring
        if step is None or step.finder is None or step.rewrite is None:
            return body
        masking = Masking(step, step.finder, step.rewrite)
        reworded = self.reading.reword(body, masking)
        if isinstance(reworded, Deny):
            return reworded
        return bodies.replace(body, reworded.values) if reworded.values else body

    def _note(self, step: Step) -> None:
        if step is not self._restoring:
            self._found.add(self._guards.place_of(step))


class WholeAnswer:
    """An answer that is one JSON document."""

    __slots__ = ("_body", "_inquiry", "_pieces", "_watchman", "denied")

    def __init__(self, watchman: Watchman) -> None:
        self._watchman = watchman
        self._pieces = Pieces()
        self._body = b""
        self._inquiry: Inquiry[Judged] | None = None
        self.denied: Deny | None = None

    @property
    def questions(self) -> Sequence[AskedOf]:
        return () if self._inquiry is None else self._inquiry.asked

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.add(data)
        if not is_end:
            return b""
        body = self._body = self._pieces.take()
        try:
            texts = self._watchman.reading.texts(json_spans.decode(body))
            return self._said(self._watchman.judge(body, texts))
        except (InvalidJson, UnicodeDecodeError) as error:
            raise UnreadableAnswer(str(error)) from None

    def answered(self, opinions: Sequence[Opinion]) -> bytes:
        inquiry, self._inquiry = self._inquiry, None
        return b"" if inquiry is None else self._said(inquiry.answered(opinions))

    def _said(self, judged: Judged | Inquiry[Judged]) -> bytes:
        if isinstance(judged, Inquiry):
            self._inquiry = judged
            return b""
        if isinstance(judged, Deny):
            self.denied = judged
            return b""
        if judged is self._body:
            return judged
        document = json_spans.decode(judged)
        return json_spans.encode(document) if self._watchman.reading.forget(document) else judged

    def refused(self, deny: Deny, dialect: Dialect | None, asked: Asked) -> bytes:
        return SPEAKERS[dialect or Dialect.OPENAI_CHAT].reading.encode_error(deny).body


class _Waiting:
    """An event that is not let go yet."""

    __slots__ = ("document", "frame", "is_changed", "kept", "missing", "spots")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.document: dict[str, object] = {}
        self.spots: Sequence[Spot] = ()
        self.kept: list[Spot] = []
        """Whose identities name pieces."""
        self.missing = 0
        """Pieces of texts that are held back, and opinions."""
        self.is_changed = False


class _Open(Struct, frozen=True):
    """What has to be asked, and what is done then."""

    asked: tuple[AskedOf, ...]
    then: Callable[[Sequence[Opinion]], None]


class StreamedAnswer:
    """An answer that comes as events."""

    __slots__ = (
        "_channels",
        "_frames",
        "_known",
        "_look",
        "_open",
        "_owners",
        "_queue",
        "_read",
        "_speaking",
        "_watchman",
        "denied",
    )

    def __init__(
        self,
        watchman: Watchman,
        frames: Frames,
        read: Read,
        look: Callable[[dict[str, object]], None] | None = None,
    ) -> None:
        """`look` sees each event once, before it is read, and may raise `Blocked`."""
        self._look = look
        self._watchman = watchman
        self._frames = frames
        self._read = read
        self._channels: dict[Channel, window.Channel | None] = {}
        self._speaking: dict[object, Channel] = {}
        """Of each choice, which text goes on."""
        self._queue: deque[_Waiting] = deque()
        self._owners: dict[int, tuple[_Waiting, int]] = {}
        """Of the pieces that are held, at which spot they stand."""
        self._open: list[_Open] = []
        self._known: dict[AskedOf, Opinion] = {}
        """What services have said of texts that are told whole, which some dialects do again."""
        self.denied: Deny | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        if self.denied is not None:
            return b""
        said: list[bytes] = []
        try:
            for frame in self._frames.feed(data, is_end=is_end):
                self._take(frame)
                self._let_go(said)
            if is_end:
                self._end(self._channels)
            self._open_parts()
        except Blocked as error:
            self.denied = error.deny
        except (InvalidJson, UnicodeDecodeError) as error:
            raise UnreadableAnswer(str(error)) from None
        return self._gone(said)

    @property
    def is_holding(self) -> bool:
        """Events of it wait."""
        return bool(self._queue)

    @property
    def questions(self) -> Sequence[AskedOf]:
        return [asked for each in self._open for asked in each.asked] if self._open else ()

    def answered(self, opinions: Sequence[Opinion]) -> bytes:
        answered, self._open = self._open, []
        place = 0
        try:
            for each in answered:
                each.then(opinions[place : place + len(each.asked)])
                place += len(each.asked)
            self._open_parts()
        except Blocked as error:
            self.denied = error.deny
        except (InvalidJson, UnicodeDecodeError) as error:
            raise UnreadableAnswer(str(error)) from None
        return self._gone([])

    def _gone(self, said: list[bytes]) -> bytes:
        self._let_go(said)
        if self.denied is not None:
            self._queue.clear()
            self._open.clear()
        return b"".join(said)

    def _open_parts(self) -> None:
        """What texts have gathered is to be asked about."""
        if not self._watchman.asks_services:
            return
        for channel in self._channels.values():
            if channel is None:
                continue
            for place, part in channel.unasked():
                if part.asked is not None:
                    self._open.append(_Open((part.asked,), self._heeding(channel, place, part)))

    def _heeding(
        self, channel: window.Channel, place: int, part: Part
    ) -> Callable[[Sequence[Opinion]], None]:
        return lambda opinions: self._place(channel.heed(place, part, opinions[0]))

    def refused(self, deny: Deny, dialect: Dialect | None, asked: Asked) -> bytes:
        """What ends the stream, in the client's dialect; None: it is no conversation."""
        speaker = SPEAKERS[dialect or Dialect.OPENAI_CHAT]
        frames = self._frames
        if isinstance(frames, MessageFrames) or dialect is Dialect.OPENAI_RESPONSES:
            if isinstance(frames, MessageFrames):
                speaker = SPEAKERS[Dialect.BEDROCK]
            error = ProviderError(deny.status, Fault.CONTENT_FILTER, deny.reason, deny.code)
            said = speaker.codec.encoding(asked).feed(Failed(error))
            # it has begun before
            return said if isinstance(frames, MessageFrames) else said[said.rindex(_EVENT) :]
        frame = Frame(
            speaker.reading.encode_error(deny).body,
            "error" if dialect is Dialect.ANTHROPIC else "",
        )
        said = frames.said(frame)
        return said + frames.said(Frame(b"")) if isinstance(frames, ArrayFrames) else said

    def _let_go(self, said: list[bytes]) -> None:
        queue = self._queue
        while queue and not queue[0].missing:
            waiting = queue.popleft()
            frame = waiting.frame
            if waiting.is_changed:
                self._watchman.reading.forget(waiting.document)
                frame = replace(frame, data=json_spans.encode(waiting.document))
            said.append(self._frames.said(frame))

    def _take(self, frame: Frame) -> None:
        waiting = _Waiting(frame)
        if not frame.data or frame.data == _DONE:
            self._queue.append(waiting)
            return
        waiting.document = json_spans.decode(frame.data)
        if self._look is not None:
            self._look(waiting.document)
        spots, ended = self._read(waiting.document)
        waiting.spots = spots
        texts = [spot.text for spot in spots]
        for spot in spots:
            spot.holder[spot.name] = ""
        self._judge_rest(waiting)
        self._queue.append(waiting)
        for spot, text in zip(waiting.spots, texts, strict=True):
            spot.holder[spot.name] = text
        for place, text in enumerate(texts):
            self._speak(waiting, place, text)
        if ended is None:
            self._end(self._channels)
        elif ended:
            self._end([each for each in self._channels if each[0] in ended])

    def _judge_rest(self, waiting: _Waiting) -> None:
        """What is told whole in this event."""
        texts = [text for text in self._watchman.reading.texts(waiting.document) if text]
        if not texts:
            return
        body = json_spans.encode(waiting.document)
        judged = self._watchman.judge(body, texts)
        if isinstance(judged, Inquiry):
            waiting.missing += 1
            self._ask(waiting, body, judged)
        else:
            self._judged(waiting, body, judged)

    def _ask(self, waiting: _Waiting, body: bytes, inquiry: Inquiry[Judged]) -> None:
        known = [self._known.get(each) for each in inquiry.asked]

        def then(opinions: Sequence[Opinion]) -> None:
            self._known.update(zip(inquiry.asked, opinions, strict=True))
            found = inquiry.answered(opinions)
            if isinstance(found, Inquiry):
                self._ask(waiting, body, found)
            else:
                self._judged(waiting, body, found)
                waiting.missing -= 1  # what is blocked stays

        opinions = [each for each in known if each is not None]
        if len(opinions) == len(known):
            then(opinions)
        else:
            self._open.append(_Open(inquiry.asked, then))

    def _judged(self, waiting: _Waiting, body: bytes, judged: Judged) -> None:
        if isinstance(judged, Deny):
            raise Blocked(judged)
        if judged is body:
            return
        before = waiting.spots
        waiting.document = json_spans.decode(judged)
        waiting.spots = self._read(waiting.document).spots
        for old, new in zip(before, waiting.spots, strict=True):
            new.holder[new.name] = old.holder[old.name]
        waiting.is_changed = True

    def _speak(self, waiting: _Waiting, place: int, text: str) -> None:
        spot = waiting.spots[place]
        channel = self._channel(spot)
        if channel is None or not text:
            return
        owner = id(spot)
        waiting.kept.append(spot)
        self._owners[owner] = waiting, place
        waiting.missing += 1
        self._place(channel.feed(Piece(owner, text)))

    def _channel(self, spot: Spot) -> window.Channel | None:
        """The text that goes on here; that which went on before in the same choice has ended."""
        choice, name = spot.channel[0], spot.channel
        before = self._speaking.get(choice)
        if before != name:
            if before is not None:
                self._end([before])
            self._speaking[choice] = name
        if name not in self._channels:
            self._channels[name] = self._watchman.channel(spot.scope, is_json=spot.is_json)
        return self._channels[name]

    def _end(self, channels: Iterable[Channel]) -> None:
        for name in channels:
            channel = self._channels.get(name)
            if channel is not None:
                self._place(channel.end())

    def _place(self, pieces: Iterable[Piece]) -> None:
        """Puts what may go where it stood."""
        for owner, text in pieces:
            waiting, place = self._owners.pop(owner)
            waiting.missing -= 1
            spot = waiting.spots[place]
            if text != spot.holder[spot.name]:
                spot.holder[spot.name] = text
                waiting.is_changed = True


def guarded(
    watchman: Watchman, dialect: Dialect | None, *, is_stream: bool, is_framed: bool, is_array: bool
) -> Guarded:
    """The answer past its guards: of a dialect, None where it is no conversation; `is_framed`:
    in events of AWS that hold those of the model; `is_array`: a stream as one JSON array."""
    if not is_stream:
        return WholeAnswer(watchman)
    if is_framed:
        return StreamedAnswer(watchman, ChunkFrames(), READS[dialect] if dialect else anything)
    if is_array:
        return StreamedAnswer(watchman, ArrayFrames(), READS[Dialect.GEMINI])
    frames = MessageFrames() if dialect is Dialect.BEDROCK else SseFrames()
    return StreamedAnswer(watchman, frames, chat if dialect is None else READS[dialect])
