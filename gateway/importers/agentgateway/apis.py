"""Which operations a route of theirs to models serves, and where ours has them.

Theirs goes by how a path ends: `ai.routes` gives each ending a type, and what has none is read as
chat completions. Whatever ours would serve beyond that is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from gateway.config import stars
from gateway.importers.agentgateway.draft import Draft, Entry, Llm, Rule
from gateway.importers.agentgateway.matches import Match
from gateway.importers.opened import EVERYTHING, PLACES, STORED, Place, condition
from gateway.importers.walk import Node
from gateway.operations import Operation

Types = Mapping[str, str]
"""How a path ends → what is at it."""

_COMPLETIONS = "completions"
_ANY_ENDING = "*"
_UNREAD = frozenset({"detect", "passthrough"})
"""Whatever it is, it goes to the provider."""
_SERVED: Mapping[str, frozenset[Operation]] = MappingProxyType(
    {
        _COMPLETIONS: frozenset({Operation.CHAT}),
        "messages": frozenset({Operation.MESSAGES}),
        "responses": frozenset({Operation.RESPONSES}),
        "embeddings": frozenset({Operation.EMBEDDINGS}),
        "rerank": frozenset({Operation.RERANK}),
        "realtime": frozenset({Operation.REALTIME}),
        "models": frozenset(),  # theirs answers 501
        "anthropicTokenCount": frozenset({Operation.MESSAGE_TOKENS}),
        "generateContent": frozenset({Operation.GENERATE, Operation.GENERATE_STREAM}),
        "geminiCountTokens": frozenset({Operation.COUNT_TOKENS}),
    }
)
_UNKNOWN = "no type of route that is known here: what ends so is refused"
_NOWHERE = "no path of ours ends so: it is left closed"
_OF_THE_ACCOUNT = (
    "files, batches and stored responses are the account's: who may ask at all has those of all"
)
_NOTHING_OPEN = "all its models are refused: nothing that its route serves has a path here"
_CONDITIONS = frozenset({"headers", "query"})
_CHAT_PATH = "/v1/chat/completions"


def read_types(node: Node) -> Types:
    """`ai.routes`."""
    found: dict[str, str] = {}
    for ending, value in node.fields():
        kind = value.text()
        if kind is None:
            continue
        found[ending] = kind
        if kind not in _UNREAD and kind not in _SERVED:
            value.unsupported(_UNKNOWN, is_security=True)
        elif ending == _ANY_ENDING or any(each.sample.endswith(ending) for each in PLACES):
            value.exact("llm")
        else:
            value.different("llm", _NOWHERE)
    return found


def opened(draft: Draft, precedes: Callable[[Entry, Entry], bool]) -> dict[str, frozenset[Place]]:
    """What is open, for the models of each pattern."""
    found: dict[str, frozenset[Place]] = {}
    for llm in draft.llms:
        if llm.types is None:
            found[llm.pattern] = EVERYTHING
            continue
        own = [entry for entry in draft.entries if entry.node.path == llm.node.path]
        others = [entry for entry in draft.entries if entry.node.path != llm.node.path]
        found[llm.pattern] = _opened(llm.types, own, others, precedes)
    return found


def kept_at(llms: Sequence[Llm], apis: Mapping[str, frozenset[Place]]) -> list[str]:
    """Who keeps files and the like, where theirs passes such requests on to one provider."""
    if len(llms) != 1 or llms[0].terms.locks or not llms[0].provider:
        return []
    (llm,) = llms
    stored = {place for place in PLACES if place.row.operation in STORED}
    if not stored <= apis[llm.pattern]:
        return []
    llm.node.different("llm.stored_at", _OF_THE_ACCOUNT)
    return [llm.provider]


def path_rule(llm: Llm, places: frozenset[Place], served: frozenset[Place], draft: Draft) -> None:
    """Refuses what theirs does not serve for these models; what is stored is nobody's anyway."""
    if not places:
        llm.node.unsupported(_NOTHING_OPEN, is_security=True)
    elif places != EVERYTHING:
        llm.node.different("llm.paths", _opened_note(places))
    closed = frozenset(place for place in served if place.row.operation in STORED) - places
    test = condition(places, served - closed)
    if test:
        label = "llm" if llm.pattern == "*" else llm.pattern.removesuffix("/*")
        draft.rule(f"{label}-paths", {"llm": llm.pattern}, Rule("require", test))


def _opened_note(places: frozenset[Place]) -> str:
    named = dict.fromkeys(place.row.operation.value for place in PLACES if place in places)
    return f"what the types of its route serve is open: {', '.join(named)}; all else is refused"


def _opened(
    types: Sequence[Types],
    own: Sequence[Entry],
    others: Iterable[Entry],
    precedes: Callable[[Entry, Entry], bool],
) -> frozenset[Place]:
    """What is open of a route that stands at `own`. Every one of `types` has to serve it."""
    before = [(entry, [each for each in others if precedes(each, entry)]) for entry in own]
    found = set()
    for place in PLACES:
        direct = [each for each in before if _covers(each[0].match, place)]
        if any(_is_open(place, types, entry, closer) for entry, closer in direct or before):
            found.add(place)
    return frozenset(found)


def _covers(match: Match, place: Place) -> bool:
    """Whether theirs has it where ours has it."""
    if "path" in match.lost:
        return False
    return place.path == match.path if match.is_exact else _is_below(place.beginning, match.path)


def _is_open(place: Place, types: Sequence[Types], entry: Entry, closer: Sequence[Entry]) -> bool:
    match = entry.match
    if match.methods and not set(place.row.methods) <= set(match.methods):
        return False
    return any(
        all(_serves(each, path, place.row.operation) for each in types)
        and not any(_takes(other, entry, place, path) for other in closer)
        for path in _there(place, match)
    )


def _serves(types: Types, path: str, operation: Operation) -> bool:
    endings = [each for each in types if each != _ANY_ENDING and path.endswith(each)]
    ending = max(endings, key=len, default=_ANY_ENDING)
    kind = types.get(ending, _COMPLETIONS)
    return kind in _UNREAD or operation in _SERVED.get(kind, ())


def _there(place: Place, match: Match) -> Iterator[str]:
    """Paths of theirs that the match takes and that stand for a place of ours.

    Models are moved: what theirs has below another path is under `/v1/` here.
    """
    is_chat = place.path == _CHAT_PATH
    above = match.path.rstrip("/")
    if "path" in match.lost:  # of a pattern only its beginning is known
        if is_chat:
            yield above + _CHAT_PATH
    elif match.is_exact:
        is_moved = not _is_ours(match.path) and match.path.endswith(place.row.path)
        if is_chat or place.path == match.path or (place.is_exact and is_moved):
            yield match.path
    elif _covers(match, place):
        yield place.sample
    elif not _is_ours(above):
        yield above + place.sample
        yield above + place.sample.removeprefix(place.prefix)
    elif is_chat:
        yield above


def _is_ours(path: str) -> bool:
    roots = {place.prefix or place.beginning for place in PLACES}
    return any(_is_below(path, root) for root in roots)


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(above.rstrip("/") + "/")


def _takes(other: Entry, entry: Entry, place: Place, path: str) -> bool:
    """Whether a closer route gets all requests to a path, or what is below it, in its place."""
    match = other.match
    is_for_all = set(entry.gateways) <= set(other.gateways) and _is_for_hosts(other, entry)
    if not is_for_all or match.headers or not _CONDITIONS.isdisjoint(match.lost):
        return False
    if match.methods and set(match.methods).isdisjoint(place.row.methods):
        return False
    is_inside = not place.is_exact and _is_below(match.path, place.beginning)
    return is_inside or (path == match.path if match.is_exact else _is_below(path, match.path))


def _is_for_hosts(other: Entry, entry: Entry) -> bool:
    if not other.hostnames:
        return True
    return bool(entry.hostnames) and all(
        any(host == each or stars.matches(each, host) for each in other.hostnames)
        for host in entry.hostnames
    )
