"""AgentGateway's files → ours: binds, gateways with routes, `llm`, `mcp`, and all mixtures.

What it is: tables of every key of theirs (`*_keys`), and converters that read those that matter.
An import never opens what was closed: a lock that ours cannot have closes what it protected.
"""

from __future__ import annotations

from gateway.importers.agentgateway.conversion import convert

__all__ = ["convert"]
