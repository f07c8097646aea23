"""Everything that the servers of a view list, as one: what it is called, and whose it is.

Resources keep their URIs, and are found by them; a URI that several servers list, or that tools of
several servers show their results with, is `SERVER+URI` for each. Immutable: made anew when a list
changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp import ids, lists, search
from extproc.mcp.lists import Listed, Listing, ListKind, Page, Shown
from extproc.mcp.naming import Names, Naming, Target
from extproc.mcp.uri_templates import UriTemplate
from extproc.protocols import json_spans
from gateway.mcp import ToolChange

Lists = Mapping[str, Page]
"""Of one kind, by server; a server that is not there was not asked, or has none."""

NO_LISTS: Final[Lists] = MappingProxyType({})
_PLUS: Final = "+"
_UI_PATHS: Final = (("_meta", "ui", "resourceUri"), ("_meta", "ui/resourceUri"))
"""Where a tool names the resource that shows its results (MCP Apps), now and before."""


class _Template(Struct, frozen=True):
    pattern: UriTemplate
    """As clients see it."""
    target: Target
    skipped: int
    """How many characters of a URI are the server's name before it."""


class Catalogue:
    """What one view offers. Lists that were not asked for are empty."""

    __slots__ = (
        "_definitions",
        "_index",
        "_pinned",
        "_prompt_names",
        "_prompt_naming",
        "_servers",
        "_shared",
        "_templates",
        "_tool_names",
        "_tool_naming",
        "_uris",
        "listings",
    )

    def __init__(
        self,
        servers: Sequence[str],
        tools: Naming,
        prompts: Naming,
        by_kind: Mapping[ListKind, Lists],
    ) -> None:
        """`servers` in the order of the view; what is not of them is left out."""
        self._servers = tuple(servers)
        self._tool_naming, self._prompt_naming = tools, prompts
        of = {kind: self._ordered(by_kind.get(kind, NO_LISTS)) for kind in ListKind}
        self._uris = _owners(self._servers, of[ListKind.RESOURCES], of[ListKind.TOOLS])
        templates = _names(of[ListKind.TEMPLATES])
        self._shared = {uri for uri, owners in self._uris.items() if len(owners) > 1}
        self._tool_names = tools.assign(_names(of[ListKind.TOOLS]))
        self._prompt_names = prompts.assign(_names(of[ListKind.PROMPTS]))
        several = _several(templates)
        self._templates = tuple(
            _template(Target(server, text), text in several)
            for server, texts in templates.items()
            for text in texts
        )
        shown = {
            ListKind.TOOLS: self._tools(of[ListKind.TOOLS]),
            ListKind.PROMPTS: _named(of[ListKind.PROMPTS], self._prompt_names, prompts),
            ListKind.RESOURCES: _by_uri(of[ListKind.RESOURCES], "uri", self._shared),
            ListKind.TEMPLATES: _by_uri(of[ListKind.TEMPLATES], "uriTemplate", several),
            ListKind.TASKS: _tasks(of[ListKind.TASKS]),
        }
        self.listings: Mapping[ListKind, Listing] = {
            kind: lists.listing(kind, entries, of[kind].values()) for kind, entries in shown.items()
        }

        self._index: search.ToolIndex | None = None
        self._definitions: dict[Target, bytes] | None = None
        self._pinned: tuple[tuple[str, ...], Listing] | None = None

    @property
    def index(self) -> search.ToolIndex:
        """Of all tools; made when it is first wanted."""
        if self._index is None:
            self._index = search.ToolIndex(self.listings[ListKind.TOOLS].entries)
        return self._index

    def pinned(self, globs: tuple[str, ...]) -> Listing:
        """The tools that are listed where they are searched for; kept for the globs of the view."""
        if self._pinned is None or self._pinned[0] != globs:
            self._pinned = (globs, search.lazy(self.listings[ListKind.TOOLS], globs))
        return self._pinned[1]

    def definition(self, target: Target) -> bytes:
        """A tool as its server lists it, but for what is changed of it; empty: it is not listed."""
        if self._definitions is None:
            entries = self.listings[ListKind.TOOLS].entries
            self._definitions = {each.target: each.text for each in entries}
        return self._definitions.get(target, b"")

    @property
    def hidden(self) -> tuple[Target, ...]:
        """Tools and prompts that nobody can reach: another server has their name."""
        return (*self._tool_names.hidden, *self._prompt_names.hidden)

    def tool(self, name: str) -> Target | None:
        """Whose a tool is; None: nobody's."""
        return self._tool_naming.find(name, self._tool_names)

    def prompt(self, name: str) -> Target | None:
        return self._prompt_naming.find(name, self._prompt_names)

    def resource(self, uri: str) -> tuple[Target, ...]:
        """Whose a resource can be, the likeliest first; all servers where nothing says it."""
        server, plus, own = uri.partition(_PLUS)
        is_ours = bool(plus) and server in self._servers
        if is_ours and own in self._shared and server in self._uris[own]:
            return (Target(server, own),)
        owners = self._uris.get(uri)
        if owners is not None:
            return tuple(Target(each, uri) for each in owners)
        matching = [each for each in self._templates if each.pattern.matches(uri)]
        if matching:
            matching.sort(key=lambda each: -each.pattern.literal_length)
            return _first_of_each(
                Target(each.target.server, uri[each.skipped :]) for each in matching
            )
        everybody = (Target(each, uri) for each in self._servers)
        prefixed = [Target(server, own)] if is_ours and ":" in own else []
        return (*prefixed, *everybody)

    def template(self, text: str) -> tuple[Target, ...]:
        """Whose a resource template can be, or a resource, as `completion/complete` names it."""
        found = tuple(each.target for each in self._templates if each.pattern.text == text)
        return found or self.resource(text)

    def shown_uri(self, server: str, uri: str) -> str:
        """What clients call a resource of a server."""
        if uri in self._shared:
            is_shared = server in self._uris[uri]
        else:
            prefixed = f"{server}{_PLUS}{uri}"
            is_shared = uri not in self._uris and any(
                each.skipped and each.target.server == server and each.pattern.matches(prefixed)
                for each in self._templates
            )
        return f"{server}{_PLUS}{uri}" if is_shared else uri

    def _ordered(self, by_server: Lists) -> dict[str, Page]:
        return {each: by_server[each] for each in self._servers if each in by_server}

    def _tools(self, by_server: Lists) -> list[Shown]:
        entries = _named(by_server, self._tool_names, self._tool_naming)
        if not self._shared:
            return entries
        return [
            self._with_own_ui(each) if b"resourceUri" in each.text else each for each in entries
        ]

    def _with_own_ui(self, tool: Shown) -> Shown:
        """A tool that names the resource which shows its results as clients know it."""
        server = tool.target.server
        changes = {
            path: msgspec.json.encode(f"{server}{_PLUS}{uri}")
            for path, uri in _ui_uris(tool.text)
            if uri in self._shared and server in self._uris[uri]
        }
        return Shown(tool.target, tool.name, json_spans.replace_at(tool.text, changes))


def _names(by_server: Lists) -> dict[str, list[str]]:
    return {server: [each.name for each in page.entries] for server, page in by_server.items()}


def _several(names: Mapping[str, Iterable[str]]) -> set[str]:
    """Names that several servers have."""
    seen: set[str] = set()
    several: set[str] = set()
    for each in map(set, names.values()):
        several |= seen & each
        seen |= each
    return several


def _owners(servers: Sequence[str], resources: Lists, tools: Lists) -> dict[str, list[str]]:
    """The servers of each URI that is listed, or that a tool names, in their order."""
    owners: dict[str, list[str]] = {}
    for server in servers:
        uris = [each.name for each in resources[server].entries] if server in resources else []
        if server in tools:
            for tool in tools[server].entries:
                if b"resourceUri" in tool.text:
                    uris += [uri for _, uri in _ui_uris(tool.text)]
        for uri in dict.fromkeys(uris):
            owners.setdefault(uri, []).append(server)
    return owners


def _ui_uris(tool: bytes) -> list[tuple[json_spans.Path, str]]:
    found: list[tuple[json_spans.Path, str]] = []
    for path in _UI_PATHS:
        value = json_spans.value_at(tool, path)
        if value is not None and value.startswith(b'"'):
            found.append((path, msgspec.json.decode(value, type=str)))
    return found


def _named(by_server: Lists, names: Names, naming: Naming) -> list[Shown]:
    """Tools, or prompts, by the names that clients know."""
    left = dict(names.shown)  # what a server lists twice, it has once
    entries = []
    for server, page in by_server.items():
        for listed in page.entries:
            target = Target(server, listed.name)
            name = left.pop(target, None)
            if name is not None:
                change = naming.changes.get(target)
                entries.append(Shown(target, name, _changed(listed, name, change)))
    return entries


def _changed(listed: Listed, name: str, change: ToolChange | None) -> bytes:
    text = listed.text
    if name != listed.name:
        text = json_spans.replace_string(text, "name", msgspec.json.encode(name))
    if change is not None and change.description is not None:
        text = json_spans.replace(text, {"description": msgspec.json.encode(change.description)})
    return text


def _by_uri(by_server: Lists, member: str, shared: set[str]) -> list[Shown]:
    """Resources or templates; those of several servers with the name of theirs."""
    entries = []
    for server, page in by_server.items():
        for listed in page.entries:
            name, text = listed.name, listed.text
            if name in shared:
                name = f"{server}{_PLUS}{name}"
                text = json_spans.replace_string(text, member, msgspec.json.encode(name))
            entries.append(Shown(Target(server, listed.name), name, text))
    return entries


def _tasks(by_server: Lists) -> list[Shown]:
    entries = []
    for server, page in by_server.items():
        for listed in page.entries:
            name = ids.outward_name(server, listed.name)
            text = json_spans.replace_string(listed.text, "taskId", msgspec.json.encode(name))
            entries.append(Shown(Target(server, listed.name), name, text))
    return entries


def _template(target: Target, is_shared: bool) -> _Template:
    if not is_shared:
        return _Template(UriTemplate(target.name), target, 0)
    pattern = UriTemplate(f"{target.server}{_PLUS}{target.name}")
    return _Template(pattern, target, len(target.server) + 1)


def _first_of_each(targets: Iterable[Target]) -> tuple[Target, ...]:
    """One for each server."""
    found: dict[str, Target] = {}
    for target in targets:
        found.setdefault(target.server, target)
    return tuple(found.values())
