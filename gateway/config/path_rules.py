"""Rules about the paths of the LLM APIs: who gets those that nobody knows, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.apis import Paths
from gateway.config.finding import Finding
from gateway.config.llm import REFUSE
from gateway.config.paths import prefixes
from gateway.config.schema import Config
from gateway.config.written import Written
from gateway.problem import did_you_mean, is_near

_WHO_GETS_THEM = f"write {REFUSE}, or the name of the provider that gets them"
_METHOD = "GET"
"""Any: a path with something for another method is taken too."""


def unknown_paths_have_a_provider(written: Written) -> Iterator[Finding]:
    """`unknown_paths: opnai`."""
    name = written.config.llm.unknown_paths
    if name != REFUSE and name not in written.providers:
        words = {*written.providers, REFUSE}
        hint = did_you_mean(name, words) if is_near(name, words) else _WHO_GETS_THEM
        yield Finding(("llm", "unknown_paths"), f"no provider '{name}'", hint)


def stores_are_providers(written: Written) -> Iterator[Finding]:
    """`stored_at: [opnai]`."""
    for index, name in enumerate(written.config.llm.stored_at):
        if name not in written.providers:
            hint = did_you_mean(name, written.providers)
            yield Finding(("llm", "stored_at", index), f"no provider '{name}'", hint)


def routes_below_the_llm_apis(config: Config) -> Iterator[Finding]:
    """Paths of the LLM APIs come first, so a route at one of them gets nothing, or little."""
    llm = config.llm
    if not llm.models and llm.unknown_paths == REFUSE:
        return
    placed = prefixes(llm.paths)
    paths = Paths(placed)
    roots = {prefix for each in placed.values() for prefix in each if prefix}
    for index, route in enumerate(config.routes):
        path = route.match.path
        if path.exact is not None:
            field, wanted = "exact", path.exact
            is_theirs = paths.find(_METHOD, wanted) is not None
        else:
            field, wanted = "prefix", f"{(path.prefix or '').rstrip('/')}/"
            is_theirs = False
        if is_theirs or any(wanted.startswith(f"{root}/") for root in roots):
            yield Finding(
                ("routes", index, "match", "path", field),
                f"'{wanted}' is among the paths of the llm apis, which come first",
                "give the route another path, or the api another prefix under llm.paths",
            )
