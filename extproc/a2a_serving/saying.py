"""What is answered to A2A clients by the gateway itself, in the words of their binding and
revision."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from extproc.a2a import agent_errors, errors
from extproc.a2a.errors import NO_ID, Fault
from extproc.events import Respond
from extproc.verdict import Deny
from gateway.a2a import Binding, Revision

CODE: Final = "code"
"""In an error's metadata: which policy of the gateway refused, as `Deny.code` has it."""


class Speech(Struct, frozen=True):
    """How a client is spoken to."""

    binding: Binding
    revision: Revision
    raw_id: bytes = NO_ID

    def fault(self, fault: Fault, headers: tuple[tuple[str, str], ...] = ()) -> Respond:
        """What the protocol has a word for."""
        said = errors.said(fault, self.binding, self.revision, self.raw_id)
        details = f"dragoman_a2a_{fault.kind.name.lower()}"
        return Respond(said.status, (*said.headers, *headers), said.body, details)

    def refused(self, deny: Deny) -> Respond:
        """Who may not, or not now."""
        said = errors.said(fault_of(deny), self.binding, self.revision, self.raw_id)
        status = said.status if self.binding is Binding.GRPC else deny.status
        return Respond(status, (*said.headers, *deny.headers), said.body, f"dragoman_{deny.code}")

    def closing(self, deny: Deny) -> bytes:
        """The same as the last event of a stream; empty over gRPC, where trailers say it."""
        return errors.event(fault_of(deny), self.binding, self.revision, self.raw_id)


def fault_of(deny: Deny) -> Fault:
    """Why a policy refuses, in the protocol's words."""
    return Fault(agent_errors.of_status(deny.status), deny.reason, {CODE: deny.code})


def without_card(agent: str, error: Exception) -> Deny:
    """Nobody knows how an agent is spoken to."""
    return Deny(503, "agent_unavailable", f"the agent '{agent}' tells no card: {error}")
