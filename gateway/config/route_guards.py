"""Guards of plain routes: which of them a route has, and what they cannot do, or would not see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.config import stars
from gateway.config.finding import Finding, Path
from gateway.config.local_guards import SchemaGuardBlock
from gateway.config.policies import DetectionBlock, GuardTermsBlock
from gateway.config.remote_guards import RemoteGuardBlock
from gateway.config.written import Written
from gateway.guards import DetectionAction, Guard, Phase, TextScope

_NOTHING_OF_ROUTES = ("model", "provider", "mcp", "a2a")


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
    if guard.phase is not Phase.REQUEST:
        what = "what plain routes answer is not read"
        yield Finding((*path, "phase"), what, "phase: request")
        return
    if isinstance(guard, DetectionBlock) and guard.action is DetectionAction.TOKENISE:
        what = "tokens are put back in answers, and those of plain routes are not read"
        yield Finding((*path, "action"), what, "mask, or block")
    if isinstance(guard, RemoteGuardBlock) and guard.parallel:
        what = "backends of plain routes are asked after their guards"
        yield Finding((*path, "parallel"), what, "leave it out")
    if guard.texts is not None and TextScope.USER not in guard.texts:
        where = (*path, "scope") if "scope" in guard.model_fields_set else path
        yield Finding(where, "reads nothing of plain routes, where all is user", "scope: [user]")


def _unknown(path: Path, guard: GuardTermsBlock, is_open: bool) -> Iterator[Finding]:
    for name in ("key", "user", "team"):
        if is_open and getattr(guard.who, name) is not None:
            what = f"nobody is known on the route '{guard.who.route}': its auth is none"
            yield Finding((*path, "for", name), what, "leave it out")
