"""Names of tools and prompts in a federation: what clients call them, and whose they are.

`github__create_issue` is `create_issue` of the server `github`: names of servers have no
underscore, so the first two end one. Where names have no prefix, or only some do, it takes the
servers' lists to know whose a name is. A tool that was given a name of its own has no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from gateway.globs import is_like
from gateway.mcp import SEPARATOR, Mcp, McpView, Prefix, ToolChange


class Target(NamedTuple):
    """A tool, prompt, resource, template or task, and whose it is."""

    server: str
    name: str
    """As the server itself calls it; of resources the URI, of templates the template."""


NO_CHANGES: Final[Mapping[Target, ToolChange]] = MappingProxyType({})


class Names(Struct, frozen=True):
    """What everything that servers list is called."""

    targets: Mapping[str, Target]
    """By the name that clients know, in the order of the list."""
    shown: Mapping[Target, str]
    """The same, the other way."""
    hidden: tuple[Target, ...]
    """What has no name, since another has it: it came first."""


class Naming:
    """How things are called in one view."""

    __slots__ = (
        "_is_chosen",
        "_is_prefixed",
        "_own",
        "_prefix",
        "_servers",
        "changes",
        "needs_lists",
    )

    def __init__(
        self,
        prefix: Prefix,
        servers: Sequence[str],
        changes: Mapping[Target, ToolChange] = NO_CHANGES,
        is_chosen: Callable[[Target], bool] | None = None,
    ) -> None:
        """`servers` are those of the view, in its order; what is not chosen does not exist."""
        is_alone = len(servers) == 1
        self.changes = changes
        self._is_chosen = is_chosen
        self._servers = tuple(servers)
        self._prefix = prefix
        self._is_prefixed = prefix is Prefix.ALWAYS or (prefix is Prefix.AUTO and not is_alone)
        self.needs_lists = not is_alone and prefix in (Prefix.NEVER, Prefix.ON_CONFLICT)
        """Whether a name alone does not say whose it is."""
        self._own = {
            change.name: target
            for target, change in changes.items()
            if change.name and target.server in self._servers
        }

    def find(self, name: str, names: Names | None = None) -> Target | None:
        """Whose a name is, and what it is there. `names` are needed where `needs_lists` says so.

        None: nobody's. What a server does not list, but could have, is its own.
        """
        if names is not None:
            known = names.targets.get(name)
            if known is not None:
                return known
        target = self._own.get(name)
        if target is None:
            target = self._split(name)
            if target is None or self._has_own(target):
                return None
        return target if self._is_chosen is None or self._is_chosen(target) else None

    def assign(self, listed: Mapping[str, Iterable[str]]) -> Names:
        """Names for what the servers list. Those that operators gave go before all others."""
        everything = [
            Target(server, name)
            for server in self._servers
            for name in dict.fromkeys(listed.get(server, ()))
            if self._is_chosen is None or self._is_chosen(Target(server, name))
        ]
        times = Counter(target.name for target in everything)
        shown: dict[Target, str] = {}
        taken: set[str] = set()
        wanted = {target: self._wanted(target, times[target.name] > 1) for target in everything}
        for target in sorted(everything, key=lambda each: not self._has_own(each)):
            if wanted[target] not in taken:
                taken.add(wanted[target])
                shown[target] = wanted[target]
        ordered = {target: shown[target] for target in everything if target in shown}
        return Names(
            {name: target for target, name in ordered.items()},
            ordered,
            tuple(target for target in everything if target not in shown),
        )

    def _has_own(self, target: Target) -> bool:
        change = self.changes.get(target)
        return change is not None and bool(change.name)

    def _wanted(self, target: Target, is_shared: bool) -> str:
        change = self.changes.get(target)
        if change is not None and change.name:
            return change.name
        is_prefixed = self._is_prefixed or (self._prefix is Prefix.ON_CONFLICT and is_shared)
        return f"{target.server}{SEPARATOR}{target.name}" if is_prefixed else target.name

    def _split(self, name: str) -> Target | None:
        """What the name alone says."""
        if len(self._servers) == 1 and not self._is_prefixed:
            return Target(self._servers[0], name)
        if self._prefix is Prefix.NEVER:
            return None
        server, separator, own = name.partition(SEPARATOR)
        return Target(server, own) if separator and own and server in self._servers else None


def of_tools(mcp: Mcp, view: McpView) -> Naming:
    """How tools are called in a view, and which of them there are."""
    changes = {
        Target(server.name, tool): change
        for server in mcp.servers
        if server.name in view.servers
        for tool, change in server.tools
    }
    if "*" in view.tools:
        return Naming(mcp.prefix, view.servers, changes)

    def is_chosen(target: Target) -> bool:
        return is_like(view.tools, f"{target.server}{SEPARATOR}{target.name}")

    return Naming(mcp.prefix, view.servers, changes, is_chosen)


def of_prompts(mcp: Mcp, view: McpView) -> Naming:
    """How prompts are called in a view."""
    return Naming(mcp.prefix, view.servers)
