"""Guards made ready: which of them are asked about a request, and which of them find something."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from extproc.audits import Audited, Finding
from extproc.facts import Facts
from extproc.policies.clean_texts import CleanTexts, is_any_long
from extproc.policies.detections import Detections, masking
from extproc.policies.finding import Finder, Found, Rewrite, always
from extproc.policies.injection import Injection
from extproc.policies.inquiry import Remote
from extproc.policies.keywords import Keywords
from extproc.policies.lengths import Measure, TooLong
from extproc.policies.patterns import Patterns
from extproc.policies.remote.codecs import codec
from extproc.policies.scope import Matcher, compile_scope
from extproc.verdict import By, Deny, PolicyKind
from gateway import names
from gateway.guards import DEFAULT_WINDOW
from gateway.model import (
    DetectionAction,
    DetectionGuard,
    Guard,
    GuardAction,
    InjectionGuard,
    KeywordGuard,
    LengthGuard,
    Mode,
    Phase,
    RegexGuard,
    RemoteGuard,
    SchemaGuard,
    TextScope,
)
from gateway.scopes import EVERYTHING

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One guard."""

    name: str
    deny: Deny
    """When it blocks, or cannot mask."""
    finder: Finder | None
    """None: a service is asked."""
    rewrite: Rewrite | None = None
    """Of what it masks; None: it blocks."""
    texts: frozenset[TextScope] | None = None
    """Which texts it reads; None: all."""
    matcher: Matcher | None = None
    """Which requests it is asked about; None: all."""
    is_audited: bool = False
    """It decides nothing."""
    window: int = DEFAULT_WINDOW
    """How many characters of a stream it looks ahead."""
    is_tokenising: bool = False
    """What it masks is put back in the answer."""
    remote: Remote | None = None
    """Who asks the service."""

    def is_for(self, facts: Facts) -> bool:
        """Whether it is asked about this request."""
        return self.matcher is None or self.matcher.matches(facts)

    def finding(self, *, is_hit: bool) -> Finding:
        """What it would have done."""
        would = Audited.DENY if self.rewrite is None else Audited.MASK
        if not is_hit:
            return Finding(PolicyKind.GUARD, self.name, Audited.PASS)
        code = self.deny.code if would is Audited.DENY else ""
        return Finding(PolicyKind.GUARD, self.name, would, code=code)

    @property
    def is_beside(self) -> bool:
        """Requests go on while it is asked."""
        return self.remote is not None and self.remote.is_parallel

    def reads(self, scope: TextScope) -> bool:
        """Whether it reads what stands there."""
        return self.texts is None or scope in self.texts


class _Regex:
    """Some of the patterns of an automaton."""

    __slots__ = ("_indices", "_patterns")

    def __init__(self, patterns: Patterns, indices: frozenset[int]) -> None:
        self._patterns = patterns
        self._indices = indices

    def is_in(self, texts: Sequence[str]) -> bool:
        return bool(self._patterns.hits(texts) & self._indices)

    def spans(self, text: str, start: int = 0) -> Iterable[Found]:
        return self._patterns.spans(self._indices, text, start)


@dataclass(frozen=True, slots=True)
class _Search:
    """All patterns that are asked of the same texts, as one automaton."""

    texts: frozenset[TextScope] | None
    patterns: Patterns
    steps: tuple[int, ...]
    """Of each pattern, the step that it belongs to."""


class Steps:
    """Guards in the order in which they are asked, each named by its place."""

    def __init__(self, guards: Sequence[Guard], measure: Measure | None = None) -> None:
        """`measure` counts tokens."""
        wanted: dict[frozenset[TextScope] | None, list[tuple[int, RegexGuard]]] = {}
        finders: dict[int, Finder] = {}
        for index, guard in enumerate(guards):
            if isinstance(guard, RegexGuard):
                wanted.setdefault(guard.terms.texts, []).append((index, guard))
            elif isinstance(guard, DetectionGuard):
                finders[index] = Detections(guard.kinds, guard.regions)
            elif isinstance(guard, InjectionGuard):
                finders[index] = Injection(guard.threshold)
            elif isinstance(guard, KeywordGuard):
                finders[index] = Keywords(guard.words)
            elif isinstance(guard, LengthGuard):
                finders[index] = TooLong(guard.most_characters, guard.most_tokens, measure)
        self._searches = tuple(_search(texts, found, finders) for texts, found in wanted.items())
        self.all = tuple(_step(guard, finders.get(index)) for index, guard in enumerate(guards))
        others = [
            (index, step.finder, step.texts)
            for index, step in enumerate(self.all)
            if step.finder is not None and not isinstance(step.finder, _Regex)
        ]
        self._others = tuple(each for each in others if not isinstance(each[1], TooLong))
        self._together = tuple(each for each in others if isinstance(each[1], TooLong))
        """They look at all texts together; the others at each."""
        self._clean = CleanTexts()
        self.has_remote = any(step.remote is not None for step in self.all)
        self.audited = tuple(step for step in self.all if step.is_audited)
        self.reads_scopes = any(step.texts is not None for step in self.all)
        """Some ask where a text stands."""

    def hits(self, texts: Sequence[str], scopes: Sequence[TextScope]) -> frozenset[int]:
        """The steps that find something; `scopes` say where each text stands, if anybody asks."""
        found = self._found(texts, scopes)
        return found | self._found_together(texts, scopes) if self._together else found

    def hits_again(
        self, caller: object, texts: Sequence[str], scopes: Sequence[TextScope]
    ) -> frozenset[int]:
        """The same of a request, whose caller may have sent most of it before."""
        if not is_any_long(texts):
            return self.hits(texts, scopes)
        unknown = self._clean.unknown(caller, texts, scopes)
        found = self._found(*unknown)
        if not found:
            self._clean.keep(caller, *unknown)
        return found | self._found_together(texts, scopes)

    def _found(self, texts: Sequence[str], scopes: Sequence[TextScope]) -> frozenset[int]:
        found = _NONE
        for search in self._searches:
            read = texts if search.texts is None else _read(texts, scopes, search.texts)
            hits = search.patterns.hits(read)
            if hits:
                found |= {search.steps[pattern] for pattern in hits}
        for index, finder, wanted in self._others:
            if finder.is_in(_read(texts, scopes, wanted)):
                found |= {index}
        return found

    def _found_together(self, texts: Sequence[str], scopes: Sequence[TextScope]) -> frozenset[int]:
        found = _NONE
        for index, finder, wanted in self._together:
            if finder.is_in(_read(texts, scopes, wanted)):
                found |= {index}
        return found

    def found(self, hits: frozenset[int], facts: Facts) -> Iterator[Step]:
        """Those of the steps that are asked about this request, in order, and find something."""
        for index, step in enumerate(self.all):
            if index in hits and step.is_for(facts):
                yield step

    def findings(
        self, found: Collection[int], facts: Facts, *, is_beside: bool = False
    ) -> Iterator[Finding]:
        """What those say that decide nothing, when these of them find something; of those that are
        asked beside requests, or of the others."""
        for index, step in enumerate(self.all):
            if step.is_audited and step.is_beside is is_beside and step.is_for(facts):
                yield step.finding(is_hit=index in found)


def _read(
    texts: Sequence[str], scopes: Sequence[TextScope], wanted: frozenset[TextScope] | None
) -> Sequence[str]:
    if wanted is None:
        return texts
    return [text for text, scope in zip(texts, scopes, strict=True) if scope in wanted]


def _search(
    texts: frozenset[TextScope] | None,
    guards: Sequence[tuple[int, RegexGuard]],
    finders: dict[int, Finder],
) -> _Search:
    """The automaton of these guards, whose finders are filled in."""
    patterns = Patterns([pattern for _, guard in guards for pattern in guard.patterns])
    first = 0
    for index, guard in guards:
        places = frozenset(range(first, first + len(guard.patterns)))
        first += len(guard.patterns)
        finders[index] = _Regex(patterns, places)
    return _Search(texts, patterns, tuple(i for i, guard in guards for _ in guard.patterns))


def _step(guard: Guard, finder: Finder | None) -> Step:
    terms, window = guard.terms, guard.terms.window
    rewrite: Rewrite | None = None
    is_tokenising = False
    remote: Remote | None = None
    match guard:
        case RegexGuard():
            rewrite = always(guard.replacement) if guard.action is GuardAction.MASK else None
            deny = refusal(guard.name, guard.message)
        case DetectionGuard():
            is_block = guard.action is DetectionAction.BLOCK
            rewrite = None if is_block else masking(guard.masks)
            is_tokenising = guard.action is DetectionAction.TOKENISE
            deny = refusal(guard.name, guard.message)
        case InjectionGuard():
            deny = refusal(guard.name, guard.message)
        case KeywordGuard():
            rewrite = always(guard.replacement) if guard.action is GuardAction.MASK else None
            deny = refusal(guard.name, guard.message)
            window = max(window, 2 * max(map(len, guard.words)))  # as they may be spelled
        case LengthGuard():
            reason = f"{guard.message or 'the request was refused'} (guard {guard.name!r})"
            deny = Deny(400, "text_too_long", reason, by=By(PolicyKind.GUARD, guard.name))
        case SchemaGuard():
            raise AssertionError("it reads no texts")
        case RemoteGuard():
            remote = _remote(guard)
            deny = remote.refusal("")
        case _:
            assert_never(guard)
    return Step(
        name=guard.name,
        deny=deny,
        finder=finder,
        rewrite=rewrite,
        texts=terms.texts,
        matcher=None if terms.scope == EVERYTHING else compile_scope(terms.scope),
        is_audited=terms.mode is Mode.AUDIT,
        window=window,
        is_tokenising=is_tokenising,
        remote=remote,
    )


def _remote(guard: RemoteGuard) -> Remote:
    return Remote(
        guard.name,
        names.guard_service(guard.name),
        codec(guard.service),
        guard.timeout_seconds,
        guard.is_open_on_error,
        guard.is_parallel,
        guard.message,
    )


def refusal(name: str, message: str) -> Deny:
    """Says neither what was found nor by what."""
    reason = message or "the request was refused"
    by = By(PolicyKind.GUARD, name)
    return Deny(400, "content_policy_violation", f"{reason} (guard {name!r})", by=by)


def read(guards: Iterable[Guard], phase: Phase, *, is_whole: bool = False) -> Iterator[Guard]:
    """Those that look for something in texts; of answers, others look at their form, and at their
    length, unless they are `is_whole`."""
    for guard in guards:
        is_form = isinstance(guard, SchemaGuard)
        is_long = isinstance(guard, LengthGuard) and phase is Phase.RESPONSE
        is_form = is_form or (is_long and not is_whole)
        if guard.terms.phase in (phase, Phase.BOTH) and not is_form:
            yield guard
