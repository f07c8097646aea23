"""Guards of plain routes: which of them a route has, and what they cannot do, or would not see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.config import stars
from gateway.config.finding import Finding, Path
from gateway.config.local_guards import SchemaGuardBlock
from gateway.config.policies import GuardTermsBlock
from gateway.config.remote_guards import RemoteGuardBlock
from gateway.config.written import Written
from gateway.guards import Guard, Guarded, Phase, TextScope, reads_answers

_NOTHING_OF_ROUTES = ("model", "provider", "mcp", "a2a")
_SCOPES: Mapping[Phase, frozenset[TextScope]] = {
    Phase.REQUEST: frozenset({TextScope.USER}),
    Phase.RESPONSE: frozenset({TextScope.ASSISTANT}),
    Phase.BOTH: frozenset({TextScope.USER, TextScope.ASSISTANT}),
}
_SAID: Mapping[TextScope, str] = {
    TextScope.USER: "all that is asked is user",
    TextScope.ASSISTANT: "all that is answered is assistant",
}


def is_guarded(guards: Iterable[Guard], route: str, *, is_open: bool) -> bool:
    """Whether a guard of plain routes may have to be asked about this one. On an open one nobody
    is known, so what is for a key, a user or a team is for nobody there."""
    for scope in (each.terms.scope for each in guards):
        if scope.route is None or not stars.matches(scope.route, route):
            continue
        is_for_some = any(each is not None for each in (scope.key, scope.user, scope.team))
        if not (is_open and is_for_some):
            return True
    return False


def what_is_guarded(guards: Sequence[Guard], route: str, *, is_open: bool) -> Guarded:
    """The same of requests, and of answers."""
    of_requests = [each for each in guards if each.terms.reads_requests]
    return Guarded(
        is_guarded(of_requests, route, is_open=is_open),
        is_guarded(filter(reads_answers, guards), route, is_open=is_open),
    )


def route_guards_can_judge(written: Written) -> Iterator[Finding]:
    """`{type: pii, action: tokenise, for: {route: "*"}}`; one that reads nothing that there is."""
    is_open = {route.name for route in written.config.routes if route.auth == "none"}
    for index, guard in enumerate(written.config.guardrails):
        if isinstance(guard, GuardTermsBlock) and guard.who.route is not None:
            yield from _findings(("guardrails", index), guard)
            yield from _unknown(("guardrails", index), guard, guard.who.route in is_open)


def _findings(path: Path, guard: GuardTermsBlock) -> Iterator[Finding]:
    for name in _NOTHING_OF_ROUTES:
        if getattr(guard.who, name) is not None:
            yield Finding((*path, "for", name), "a request on a plain route has none", "two guards")
    if isinstance(guard, SchemaGuardBlock):
        yield Finding((*path, "type"), "json_schema is not for plain routes")
        return
    if isinstance(guard, RemoteGuardBlock) and guard.parallel:
        what = "backends of plain routes are asked after their guards"
        yield Finding((*path, "parallel"), what, "leave it out")
    said = _SCOPES[guard.phase]
    if guard.texts is not None and said.isdisjoint(guard.texts):
        where = (*path, "scope") if "scope" in guard.model_fields_set else path
        words = " and ".join(_SAID[each] for each in sorted(said, reverse=True))
        hint = f"scope: [{', '.join(sorted(said, reverse=True))}]"
        yield Finding(where, f"reads nothing of plain routes, where {words}", hint)


def _unknown(path: Path, guard: GuardTermsBlock, is_open: bool) -> Iterator[Finding]:
    for name in ("key", "user", "team"):
        if is_open and getattr(guard.who, name) is not None:
            what = f"nobody is known on the route '{guard.who.route}': its auth is none"
            yield Finding((*path, "for", name), what, "leave it out")
