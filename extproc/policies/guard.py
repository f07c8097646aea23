"""Guardrails on what a model would read: refuse it, or mask what must not leave.

Guards see the text in the order in which they are written, each as those before have left it.
A request in which nothing is found costs one pass over its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.policies.finding import Finder, Rewrite, replaced, replaced_across
from extproc.policies.inquiry import Asked, Inquiry
from extproc.policies.lengths import Measure
from extproc.policies.remote.texts import Asking, Reader, about, asking
from extproc.policies.remote.words import FINE, Opinion, Rewritten, Said
from extproc.policies.steps import Step, Steps, read
from extproc.policies.tokenising import tokenising
from extproc.protocols import bodies
from extproc.rewording import Reword
from extproc.tokens import Tokens
from extproc.verdict import PASS, Amend, Deny, Verdict
from gateway.model import Guard, Phase, TextScope

Hits: TypeAlias = Callable[[Sequence[str], Sequence[TextScope]], frozenset[int]]
"""Which steps find something in these texts, that stand there."""


class Masking:
    """Masks what is found, text by text."""

    def __init__(self, step: Step, finder: Finder, rewrite: Rewrite) -> None:
        self._step = step
        self._finder = finder
        self._rewrite = rewrite
        self._is_read = True
        self.is_complete = True
        """False when something was found where nothing can be changed."""

    def text(self, text: str) -> str:
        """The text as masked."""
        return replaced(self._finder, self._rewrite, text) if self._is_read else text

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """The pieces of one text, with what only the whole shows masked in each."""
        if not self._is_read:
            return pieces
        return replaced_across(self._finder, self._rewrite, pieces)

    def fixed(self, text: str) -> None:
        """Looks at a text that cannot be changed."""
        if self._is_read and any(self._finder.spans(text)):
            self.is_complete = False


class PlacedMasking(Masking):
    """Masks only what its guard reads."""

    def at(self, scope: TextScope) -> None:
        """Where the texts stand that follow."""
        self._is_read = self._step.reads(scope)


class _Reading:
    """Changes nothing, and keeps every text with where it stands."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.scopes: list[TextScope] = []
        self._scope = TextScope.USER

    def at(self, scope: TextScope) -> None:
        self._scope = scope

    def text(self, text: str) -> str:
        self.fixed(text)
        return text

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        self.fixed("".join(pieces))
        return pieces

    def fixed(self, text: str) -> None:
        self.texts.append(text)
        self.scopes.append(self._scope)


@dataclass(slots=True)
class _Walk:
    """How far guards have been asked about one body."""

    whole: bytes
    """As it came."""
    body: bytes
    hits: frozenset[int]
    """Guards of our own that find something in it."""
    acting: set[int]
    """Filled in with those that find something and decide nothing, or have masked it."""
    place: int = 0
    """Of the next."""
    opinions: dict[int, Opinion] = field(default_factory=dict)
    """Of services about the body, by place."""
    askings: dict[int, Asking] = field(default_factory=dict)
    """What they were asked."""


def _said(facts: Facts, body: bytes) -> Sequence[Said] | Deny:
    """All texts of a body; where nobody knows where they stand, they are the user's."""
    if facts.reword is None:
        return [Said(TextScope.USER, text) for text in facts.texts]
    reader = Reader()
    reworded = facts.reword(body, reader)
    return reworded if isinstance(reworded, Deny) else reader.texts


class Guards:
    """All guards of a gateway, as far as they are asked about requests, or about answers."""

    def __init__(
        self,
        guards: Sequence[Guard],
        audits: Audits | None = None,
        phase: Phase = Phase.REQUEST,
        measure: Measure | None = None,
        *,
        is_whole: bool = False,
    ) -> None:
        """`audits` is told what guards in `audit` find; `measure` counts tokens; `is_whole`:
        answers come whole, and their lengths are judged here."""
        self._audits = audits or uncounted()
        self._phase = phase
        self._steps = Steps(list(read(guards, phase, is_whole=is_whole)), measure)
        self.is_any = bool(self._steps.all)
        """Some guard has to be asked."""
        self.is_tokenising = any(
            step.is_tokenising and not step.is_audited for step in self._steps.all
        )
        """Some put back in the answer what they mask in the request."""
        self.has_beside = any(step.is_beside for step in self._steps.all)
        """Some are asked while the request goes on."""
        self._lets_pass = not (self._steps.has_remote or self._steps.audited)
        """Where nothing is found, there is nothing to say."""

    def on_request(self, facts: Facts) -> Verdict | Inquiry[Verdict]:
        """Reads `facts.texts`, `facts.body` and `facts.reword`.

        After an Amend, `texts` and `document` are those of the body before: a later policy that
        reads them must have them read again.
        """
        hits = self._hits_of(facts)
        if not hits and self._lets_pass:  # as nearly all are
            return PASS
        acting: set[int] = set()
        found = self._judged(facts, hits, acting)

        def told(verdict: Verdict) -> Verdict:
            self.tell(facts, acting)
            return verdict

        return found.then(told) if isinstance(found, Inquiry) else told(found)

    def look(self, facts: Facts, acting: set[int]) -> Verdict | Inquiry[Verdict]:
        """The same, but that audits are not told; what masks, or is in `audit`, and has found
        something, is filled in."""
        return self._judged(facts, self._hits_of(facts), acting)

    def _judged(
        self, facts: Facts, hits: frozenset[int] | Deny, acting: set[int]
    ) -> Verdict | Inquiry[Verdict]:
        if isinstance(hits, Deny):
            return hits
        if not hits and not self._steps.has_remote:
            return PASS
        return self._walk(facts, _Walk(facts.body, facts.body, hits, acting))

    def beside(self, facts: Facts) -> Inquiry[Deny | None] | None:
        """What is asked of a request that goes on meanwhile; None: nothing is. Reads `facts.body`
        as the others have left it."""
        places = [
            place
            for place, step in enumerate(self._steps.all)
            if step.is_beside and step.is_for(facts)
        ]
        askings = self._askings(facts, facts.body, places) if places else {}
        if isinstance(askings, Deny):
            denied = askings
            return Inquiry((), lambda _: denied)
        steps = [self._steps.all[place] for place in askings]

        def answered(opinions: Sequence[Opinion]) -> Deny | None:
            found: set[int] = set()
            denials: list[Deny] = []
            for place, step, opinion in zip(askings, steps, opinions, strict=True):
                deny = step.remote and step.remote.denial(opinion, can_rewrite=False)
                if deny:
                    found.add(place)
                    if not step.is_audited:
                        denials.append(deny)
            for finding in self._steps.findings(found, facts, is_beside=True):
                self._audits.note(facts, finding)
            return denials[0] if denials else None

        return Inquiry(self._asked(askings), answered) if askings else None

    def tell(self, facts: Facts, found: Collection[int]) -> None:
        """Tells the audits what was found."""
        if self._steps.audited:
            for finding in self._steps.findings(found, facts):
                self._audits.note(facts, finding)
        for place in sorted(found):
            step = self._steps.all[place]
            if not step.is_audited:
                self._audits.masked(facts, step.name)

    def steps_for(self, facts: Facts) -> tuple[Step, ...]:
        """Those that are asked about this request."""
        return tuple(step for step in self._steps.all if step.is_for(facts))

    def at(self, place: int) -> Step:
        """The guard that `look` has told of by its place."""
        return self._steps.all[place]

    def place_of(self, step: Step) -> int:
        """By which `look` and `tell` know it."""
        return self._steps.all.index(step)

    def objection(
        self, facts: Facts, texts: Sequence[str], body: bytes, reword: Reword
    ) -> Deny | None:
        """To a request that was let pass, and now says this: nothing of it can be masked."""
        hits = self._hits(texts, body, reword)
        if isinstance(hits, Deny):
            return hits
        for step in self._steps.found(hits, facts) if hits else ():
            if step.finder is not None and not step.is_audited:
                return step.deny
        return None

    def _hits_of(self, facts: Facts) -> frozenset[int] | Deny:
        """The steps that find something in it, as it came."""
        hits: Hits = self._steps.hits
        if self._phase is Phase.REQUEST:
            hits = partial(self._steps.hits_again, facts.principal)
        return self._hits(facts.texts, facts.body, facts.reword, hits)

    def _hits(
        self, texts: Sequence[str], body: bytes, reword: Reword | None, hits: Hits | None = None
    ) -> frozenset[int] | Deny:
        """The steps that find something."""
        steps = self._steps
        hits = hits or steps.hits
        if not steps.reads_scopes:
            return hits(texts, ())
        reading = _Reading()
        if reword is None:  # nobody knows where they stand: each may be anywhere
            found: frozenset[int] = frozenset()
            for scope in TextScope:
                found |= hits(texts, [scope] * len(texts))
            return found
        said = reword(body, reading)
        if isinstance(said, Deny):
            return said
        return hits(reading.texts, reading.scopes)

    def _walk(self, facts: Facts, walk: _Walk) -> Verdict | Inquiry[Verdict]:
        """Goes on where it stands."""
        steps = self._steps.all
        while walk.place < len(steps):
            place, step = walk.place, steps[walk.place]
            if place not in walk.opinions and self._is_asked(step, facts):
                inquiry = self._inquiry(facts, walk)
                if inquiry is not None:
                    return inquiry
            opinion = walk.opinions.get(place)
            walk.place += 1
            deny = None
            if opinion is not None:
                deny = self._heeded(facts, walk, step, opinion)
            elif place in walk.hits and step.is_for(facts):
                deny = self._found(facts, walk, place)
            if deny is not None:
                return deny
        return PASS if walk.body is walk.whole else Amend(walk.body)

    def _found(self, facts: Facts, walk: _Walk, place: int) -> Deny | None:
        """A guard of our own has found something."""
        step = self._steps.all[place]
        if step.is_audited:
            walk.acting.add(place)
            return None
        if step.finder is None or step.rewrite is None:
            return step.deny
        masked = self._mask(facts, walk.body, step, walk.hits)
        if isinstance(masked, Deny):
            return masked
        if masked[0] is not walk.body:
            walk.acting.add(place)
            walk.opinions.clear()
        walk.body, walk.hits = masked
        return None

    def _heeded(self, facts: Facts, walk: _Walk, step: Step, opinion: Opinion) -> Deny | None:
        """A service has said what it thinks."""
        place, remote = walk.place - 1, step.remote
        if remote is None:
            return None
        deny = remote.denial(opinion, can_rewrite=facts.reword is not None)
        if step.is_audited:
            if deny is not None or isinstance(opinion, Rewritten):
                walk.acting.add(place)
            return None
        if deny is not None or not isinstance(opinion, Rewritten) or facts.reword is None:
            return deny
        writer = walk.askings[place].writer(opinion.texts)
        reworded = facts.reword(walk.body, writer)
        if isinstance(reworded, Deny):
            return reworded
        if not writer.is_complete:
            return step.deny
        body = bodies.replace(walk.body, reworded.values) if reworded.values else walk.body
        hits = self._hits(reworded.texts, body, facts.reword)
        if isinstance(hits, Deny):
            return hits
        walk.body, walk.hits = body, hits
        walk.acting.add(place)
        walk.opinions.clear()  # those after it are asked about what stands there now
        return None

    def _inquiry(self, facts: Facts, walk: _Walk) -> Inquiry[Verdict] | Deny | None:
        """All services that read the same as the next of them; None: nobody has to be asked."""
        places: list[int] = []
        for place, step in enumerate(self._steps.all[walk.place :], walk.place):
            if self._is_asked(step, facts):
                places.append(place)
            elif place in walk.hits and not step.is_audited and step.is_for(facts):
                break  # it may change what the rest reads
        askings = self._askings(facts, walk.body, places)
        if isinstance(askings, Deny):
            return askings
        walk.askings = askings
        walk.opinions |= {place: FINE for place in places if place not in askings}
        if not askings:
            return None

        def answered(opinions: Sequence[Opinion]) -> Verdict | Inquiry[Verdict]:
            walk.opinions |= dict(zip(askings, opinions, strict=True))
            return self._walk(facts, walk)

        return Inquiry(self._asked(askings), answered)

    def _is_asked(self, step: Step, facts: Facts) -> bool:
        """Whether a service is asked, and waited for."""
        is_beside = step.is_beside and self._phase is Phase.REQUEST
        return step.remote is not None and not is_beside and step.is_for(facts)

    def _askings(
        self, facts: Facts, body: bytes, places: Sequence[int]
    ) -> dict[int, Asking] | Deny:
        """What is asked of these steps; without those that have nothing to read."""
        said = _said(facts, body)
        if isinstance(said, Deny):
            return said
        found: dict[int, Asking] = {}
        for place in places:
            step = self._steps.all[place]
            made = asking(said, about(facts, step.name, self._phase), step.texts)
            if made is not None:
                found[place] = made
        return found

    def _asked(self, askings: Mapping[int, Asking]) -> tuple[Asked, ...]:
        return tuple(
            Asked(remote, each.question)
            for place, each in askings.items()
            if (remote := self._steps.all[place].remote) is not None
        )

    def _mask(
        self, facts: Facts, body: bytes, step: Step, hits: frozenset[int]
    ) -> tuple[bytes, frozenset[int]] | Deny:
        """The body as masked, and what is found in it now."""
        reword, rewrite = facts.reword, step.rewrite
        if step.is_tokenising:
            facts.tokens = facts.tokens or Tokens(facts.texts)
            rewrite = tokenising(facts.tokens)
        if reword is None or step.finder is None or rewrite is None:
            return step.deny
        kind = Masking if step.texts is None else PlacedMasking
        masking = kind(step, step.finder, rewrite)
        reworded = reword(body, masking)
        if isinstance(reworded, Deny):
            return reworded
        if not masking.is_complete:
            return step.deny
        if not reworded.values:
            return body, hits
        body = bodies.replace(body, reworded.values)
        found = self._hits(reworded.texts, body, reword)
        return found if isinstance(found, Deny) else (body, found)
