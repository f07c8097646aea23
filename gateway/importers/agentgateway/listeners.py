"""What a listener keeps to itself: requests for its host are no other listener's of the port.

Theirs chooses the listener first, and then among its routes alone. Ours has one list of routes for
a port, so behind the routes of each listener stands one that refuses the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.importers.agentgateway.draft import OPEN, Draft, Entry
from gateway.importers.agentgateway.entrypoints import Gate
from gateway.importers.agentgateway.matches import Match

REST = ("hostname of the listener",)
"""Why the rest of a listener's requests is refused."""
UNKNOWN = ("hostnames", "all of the port, since the listener's own cannot be told")
"""Why all requests are."""
_LAST = (0, 0, 0, 0, 0)
_NAMELESS = ("unknown",)
"""Stands for a name that ours cannot ask for; as close as a full one."""


def close_rest(gates: Iterable[Gate], draft: Draft) -> Iterator[Entry]:
    """A closed entry for each listener with a hostname; what it keeps out decides if it stays."""
    for gate in gates:
        if gate.node is None or gate.gateway not in draft.gateways:
            continue
        if not gate.hostnames and not gate.is_host_unknown:
            continue
        host = gate.hostnames[0] if gate.hostnames else "unknown"
        label = f"{gate.listener or host.removeprefix('*.')}-rest"
        yield Entry(
            name=draft.name("route", label, "rest"),
            node=gate.node.take("hostname"),
            gateways=(gate.gateway,),
            hostnames=gate.hostnames,
            match=Match(precision=_LAST),
            listener=gate.hostnames or _NAMELESS,
            block={"backend": "http://127.0.0.1:9"},
            terms=OPEN,
            reasons=UNKNOWN if gate.is_host_unknown else REST,
        )
