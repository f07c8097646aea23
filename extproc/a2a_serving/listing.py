"""The list of agents, as one caller sees it: those whom the rules let the caller ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import structs

from extproc.a2a.registry import Registry, View
from extproc.a2a_serving.directory import Directory
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.shown import origin_of
from extproc.facts import A2aCall, Facts
from extproc.policies.authorize import Authorize
from extproc.verdict import Deny


async def listing(
    serving: Serving, rules: Authorize, facts: Facts, patience_seconds: float | None = None
) -> tuple[Registry, View]:
    """The list, and how the caller sees it, once those that have told no card were asked for one.
    `rules`: of entries of lists. `patience_seconds`: after which they are listed without one."""
    directory, origin = serving.directory, origin_of(serving.url, facts.headers)
    is_seen = seen_by(directory, rules, facts)
    try:
        async with asyncio.timeout(patience_seconds):
            await directory.asked_all(filter(is_seen, directory.agents))
    except TimeoutError:
        pass  # what is known is listed; health says the rest
    view = View(
        is_seen,
        lambda name: serving.cards.url(name, origin),
        directory.health,
        directory.instances,
    )
    return directory.registry(), view


def seen_by(directory: Directory, rules: Authorize, facts: Facts) -> Callable[[str], bool]:
    """Whether the caller may ask an agent, if there is one of that name. `rules`: of entries of
    lists."""
    asked = structs.replace(facts, mcp=None)

    def may_ask(name: str, group: str = "") -> bool:
        asked.a2a = A2aCall("SendMessage", name, group=group)
        return not isinstance(rules.on_request(asked), Deny)

    def is_seen(name: str) -> bool:
        agent = directory.agents.get(name)
        if agent is None or not rules.is_any:
            return agent is not None
        pool = agent.pool
        if pool is None or not pool.is_group:
            return may_ask(name)
        return may_ask(name) and any(may_ask(each, name) for each in pool.names)

    return is_seen
