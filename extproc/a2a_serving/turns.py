"""Who gets a message that belongs to nobody yet, where there is no connection to who was chosen:
others of the same agent, who are told the same, and whom Envoy asks in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from extproc.a2a_serving.directory import Directory, Found
from gateway.a2a import Binding, Member, Revision

ALONE: Final[Mapping[str, Member]] = MappingProxyType({})


def turns(
    directory: Directory,
    member: Member,
    found: Found,
    spoken: tuple[Binding, Revision],
    others: Sequence[Member],
) -> Mapping[str, Member]:
    """By cluster, in order; empty: who was chosen alone.

    `found`: who was chosen; `spoken`: how it is asked. The others must be asked at the same path
    with the same tenant, since nothing of a request is said anew.
    """
    way = found.ways[spoken]
    members = {way.cluster: member}
    for each in others:
        other = directory.known(each.agent.name)
        its = None if other is None else other.ways.get(spoken)
        if its is not None and (its.path, its.tenant) == (way.path, way.tenant):
            members[its.cluster] = each
    return ALONE if len(members) == 1 else members
