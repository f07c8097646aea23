"""Guardrails on what a model would read: refuse it, or mask what must not leave.

Guards see the text in the order in which they are written, each as those before have left it.
A request in which nothing is found costs one pass over its texts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.policies.finding import Finder, Rewrite, replaced, replaced_across
from extproc.policies.steps import Step, Steps, asked
from extproc.policies.tokenising import tokenising
from extproc.protocols import bodies
from extproc.rewording import Reword
from extproc.tokens import Tokens
from extproc.verdict import PASS, Amend, Deny, Pass
from gateway.model import Guard, Phase, TextScope


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


class Guards:
    """All guards of a gateway, as far as they are asked about requests, or about answers."""

    def __init__(
        self,
        guards: Sequence[Guard],
        audits: Audits | None = None,
        phase: Phase = Phase.REQUEST,
    ) -> None:
        """`audits` is told what guards in `audit` find."""
        self._audits = audits or uncounted()
        self._steps = Steps(
            asked(guard for guard in guards if guard.terms.phase in (phase, Phase.BOTH))
        )
        self.is_any = bool(self._steps.all)
        """Some guard has to be asked."""
        self.is_tokenising = any(
            step.is_tokenising and not step.is_audited for step in self._steps.all
        )
        """Some put back in the answer what they mask in the request."""

    def on_request(self, facts: Facts) -> Pass | Deny | Amend:
        """Reads `facts.texts`, `facts.body` and `facts.reword`.

        After an Amend, `texts` and `document` are those of the body before: a later policy that
        reads them must have them read again.
        """
        found: set[int] = set()
        verdict = self.look(facts, found)
        self.tell(facts, found)
        return verdict

    def look(self, facts: Facts, found: set[int]) -> Pass | Deny | Amend:
        """The same, but that audits are not told; what masks, or is in `audit`, and has found
        something, is filled in."""
        hits = self._hits(facts.texts, facts.body, facts.reword)
        if isinstance(hits, Deny):
            return hits
        return self._walk(facts, hits, found) if hits or self._steps.unavailable else PASS

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

    def _hits(
        self, texts: Sequence[str], body: bytes, reword: Reword | None
    ) -> frozenset[int] | Deny:
        """The steps that find something."""
        steps = self._steps
        if not steps.reads_scopes:
            return steps.hits(texts, ())
        reading = _Reading()
        if reword is None:  # nobody knows where they stand: each may be anywhere
            found: frozenset[int] = frozenset()
            for scope in TextScope:
                found |= steps.hits(texts, [scope] * len(texts))
            return found
        said = reword(body, reading)
        if isinstance(said, Deny):
            return said
        return steps.hits(reading.texts, reading.scopes)

    def _walk(self, facts: Facts, hits: frozenset[int], acting: set[int]) -> Pass | Deny | Amend:
        """Fills in which of those find something that decide nothing, or have masked it."""
        body, steps = facts.body, self._steps
        for index, step in enumerate(steps.all):
            is_hit = step.finder is None or index in hits
            if not is_hit or not step.is_for(facts):
                continue
            if step.is_audited:
                acting.add(index)
                continue
            if step.finder is None or step.rewrite is None:
                return step.deny
            masked = self._mask(facts, body, step, hits)
            if isinstance(masked, Deny):
                return masked
            if masked[0] is not body:
                acting.add(index)
            body, hits = masked
        return PASS if body is facts.body else Amend(body)

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
        values, texts = reworded
        if not values:
            return body, hits
        body = bodies.replace(body, values)
        found = self._hits(texts, body, reword)
        return found if isinstance(found, Deny) else (body, found)
