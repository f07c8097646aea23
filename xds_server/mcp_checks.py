"""The checks of MCP requests, in the order in which extproc makes them."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.mcp import Mcp
from gateway.mcp_auth import protected
from gateway.model import Gateway, Phase, Rule, Scope
from xds_server.caller_checks import credential_checks
from xds_server.check import Check, Failing, Where
from xds_server.guard_checks import guard_checks
from xds_server.limit_checks import limit_check, limits_of_key
from xds_server.rule_checks import in_order, rule_check

_UNRESERVED = "503 ledger_unavailable when nothing can be reserved"


def mcp_checks(gateway: Gateway) -> tuple[Check, ...]:
    """Of a request at a path of MCP servers; all of them in extproc."""
    return (
        _check("path and method", "headers", "404 unknown_view, 405 method_not_allowed"),
        _check("origin, of pages in browsers", "headers", "403 forbidden_origin"),
        *credential_checks(
            gateway, is_required=protected(gateway.identity, gateway.mcp).is_required
        ),
        *_tokens(gateway.mcp),
        _check("session, where the request names one", "headers", "404 session_not_found"),
        _check("one reading of the body", "body", "400, as JSON-RPC has it"),
        *_scopes(gateway.mcp),
        *_key_tools(gateway),
        *_rules(gateway),
        *guard_checks(gateway.mcp_guards),
        *_limits(gateway),
        *_budgets(gateway),
        *_arguments(gateway),
        *(rule_check(each, "result") for each in rules_of_results(gateway)),
    )


def rules_of_results(gateway: Gateway) -> list[Rule]:
    """Those that may be asked about what calls come to."""
    rules = in_order(gateway.rules, Phase.RESPONSE)
    return [each for each in rules if _is_for_mcp(each.scope)]


def _check(name: str, reads: str, refusal: str) -> Check:
    return Check(name, Where.EXTPROC, reads, refusal, Failing.CLOSED, "")


def _tokens(mcp: Mcp) -> Iterator[Check]:
    if mcp.auth is not None:
        refusals = "401 invalid_token, 403 insufficient_scope"
        yield _check("audience and scopes of a token", "headers", refusals)
    if mcp.exchanges_tokens:
        refusals = "403 token_needed, 403 token_refused, 502 token_unavailable"
        yield _check("token of the caller's own for servers", "headers", refusals)
    if mcp.asks_for_consent:
        refusals = "a link, in the client's words; 503 consent_unavailable"
        yield _check("consent of the caller's own for servers", "headers", refusals)


def _scopes(mcp: Mcp) -> Iterator[Check]:
    if mcp.auth is not None and (mcp.auth.scopes.servers or mcp.auth.scopes.tools):
        yield _check("scopes for what is asked of a server", "body", "403 insufficient_scope")


def _key_tools(gateway: Gateway) -> Iterator[Check]:
    if gateway.identity.are_keys_for_tools:
        is_told = not gateway.mcp.denies_as_unknown
        refusal = "403 tool_not_allowed" if is_told else "200, Unknown tool"
        yield _check("tools of the key, where it is for some", "body", refusal)


def _rules(gateway: Gateway) -> Iterator[Check]:
    for rule in in_order(gateway.rules, Phase.REQUEST):
        if _is_for_mcp(rule.scope):
            yield rule_check(rule, "body")


def _limits(gateway: Gateway) -> Iterator[Check]:
    for each in gateway.limits:
        if _is_for_mcp(each.scope) and each.is_workers:
            yield limit_check(each, reads="headers", ledger=gateway.ledger)
    if gateway.identity.has_stored_keys:
        yield limits_of_key(gateway, reads="body")


def _budgets(gateway: Gateway) -> Iterator[Check]:
    """Of tools that have a price."""
    if any(terms.price for each in gateway.mcp.servers for _, terms in each.terms):
        refusal = "429 budget_exhausted"
        name = "budgets of money, for tools that have a price"
        yield Check(name, Where.EXTPROC, "body", refusal, Failing.CLOSED, _UNRESERVED)


def _arguments(gateway: Gateway) -> Iterator[Check]:
    """Of REST APIs, which extproc asks itself."""
    if any(each.api is not None for each in gateway.mcp.servers):
        yield _check("arguments of tools of REST APIs", "body", "200, a result with isError")


def _is_for_mcp(scope: Scope) -> bool:
    """Whether something may have to be asked about a request for an MCP server."""
    others = (scope.route, scope.model, scope.provider, scope.llm, scope.a2a)
    return all(each is None for each in others)
