"""The request that one HTTP request carries, in any binding."""

from __future__ import annotations

from extproc.a2a import requests
from extproc.a2a.errors import Fault
from extproc.a2a.forms.grpc_requests import read_grpc
from extproc.a2a.requests import A2aRequest
from extproc.facts import Facts
from gateway.a2a import Binding


def read(
    binding: Binding, facts: Facts, behind: str, body: bytes, query: str | None = None
) -> A2aRequest | Fault:
    """`behind`: what of the path is behind the agent's name. `query`: in the place of its own."""
    path, _, said = facts.path.partition("?")
    query = said if query is None else query
    match binding:
        case Binding.JSONRPC:
            return requests.read_jsonrpc(body, facts.headers, query)
        case Binding.HTTP_JSON:
            return requests.read_http(facts.method, behind, query, body, facts.headers)
        case Binding.GRPC:
            return read_grpc(path, body, facts.headers)
