"""Agents that ask each other through the gateway: who has asked before, said to the next one."""

from __future__ import annotations

from extproc.a2a import chain
from extproc.a2a.operations import OPERATIONS
from extproc.a2a.requests import A2aRequest
from extproc.a2a_serving.serving import Serving
from extproc.facts import A2aCall, Facts
from extproc.verdict import Deny


def endless(serving: Serving, call: A2aCall) -> Deny | None:
    """Why agents have asked each other long enough."""
    said = " → ".join((*call.chain, call.agent))
    if call.agent in call.chain and not serving.allows_loops:
        return Deny(403, "agent_loop", f"agents ask each other in a circle: {said}")
    if len(call.chain) >= serving.most_hops:
        return Deny(403, "too_many_hops", f"too many agents have asked each other: {said}")
    return None


def told(facts: Facts, request: A2aRequest) -> tuple[tuple[str, str], ...]:
    """The header that tells the agent who asked before it, and that it is one of them."""
    call = facts.a2a
    if call is None or not OPERATIONS[request.operation].has_message:
        return ()
    said = facts.headers.get(chain.HEADER, "")
    return ((chain.HEADER, chain.written(said, (*call.chain, call.agent))),)
