"""Parts of an explanation that depend on one route alone, and on how Envoy asks extproc there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from gateway import names
from xds_server.check import Check, Failing, Where
from xds_server.explained import Service
from xds_server.llm_answers import LlmAnswers
from xds_server.python_messages import Message
from xds_server.resources.local_replies import POLICY_UNAVAILABLE

Json: TypeAlias = Mapping[str, Any]


def service(asking: Json) -> Service:
    """How Envoy asks extproc."""
    is_open = bool(asking.get("failure_mode_allow"))
    patterns = asking.get("forward_rules", {}).get("allowed_headers", {}).get("patterns")
    return Service(
        filter=names.EXT_PROC_FILTER,
        timeout=asking.get("message_timeout", "0.200s"),
        failing=Failing.OPEN if is_open else Failing.CLOSED,
        answer="" if is_open else f"{POLICY_UNAVAILABLE.status} {POLICY_UNAVAILABLE.code}",
        headers=("*",) if patterns is None else tuple(each.get("exact", "") for each in patterns),
    )


def envoys_checks(limit: str | None, shown: tuple[Message, ...]) -> tuple[Check, ...]:
    """Envoy counts only the bodies that it holds."""
    if limit is None or not is_shown("request body", shown):
        return ()
    refusal = "413 request_too_large"
    name = f"body of at most {limit} bytes"
    return (Check(name, Where.ENVOY, "body", refusal, Failing.CLOSED, ""),)


def when_failing(asking: Json | None, shown: tuple[Message, ...]) -> str:
    """What becomes of a request when extproc gives no answer."""
    if asking is None or not shown:
        return "nothing: it is not asked"
    asked = service(asking)
    if asked.failing is Failing.OPEN:
        return "the request passes unchecked"
    return f"refused: {asked.answer}"


def body_limit(kind: str, limit: str | None, action: Json, shown: tuple[Message, ...]) -> str:
    """How large a body may be."""
    if kind == "answer":
        return "not read"
    if limit is not None and is_shown("request body", shown):
        read = " of what is read" if kind == "plain" else ""
        return f"at most {limit} bytes{read}; above: 413"
    if limit is not None and action.get("retry_policy"):
        return f"no limit: it streams; retried only up to {limit} bytes"
    return "no limit: it streams"


def unseen(
    kind: str, shown: tuple[Message, ...], answers: LlmAnswers | None, *, is_ruled: bool
) -> tuple[str, ...]:
    """What passes without any check; Envoy itself moves all of it."""
    if kind in ("answer", "mcp sse"):  # of the latter, the hub asks again at the routes of MCP
        return ()
    if kind in ("mcp", "a2a"):
        return ("what answers say",)
    if kind == "login":
        return ("nothing: nothing is sent on",)
    if kind == "mcp authorization":
        return ("who asks: by this, clients come to be known",)
    if not shown:
        return ("the request's body" if is_ruled else "the whole request", "the whole answer")
    if answers is not None:
        done = ["read by guards"] * answers.is_guarded
        done += ["translated"] * bool(answers.foreign) + ["counted"] * answers.is_counted
        only = f": it is {' and '.join(done)}, no more" if done else ""
        return (f"what the answer says{only}",)
    found = []
    if not is_shown("request body", shown):
        found.append("the request's body")
    elif kind == "plain":
        found.append("the request's body, where it is neither JSON nor text nor a form")
    if not is_shown("response body", shown):
        found.append("the answer's body")
    elif kind == "plain":
        found.append("the answer's body, where it is neither JSON nor text nor a form")
    if not is_shown("response headers", shown):
        found.append("the answer's status and headers")
    if kind == "llm":
        is_counted = is_shown("response body", shown)
        rest = "what the answer says: it is counted, no more"
        found.append(rest if is_counted else "what it costs: no budget counts it")
    return tuple(found)


def is_kept_login(name: str, route: Json) -> bool:
    """Where extproc answers those who log in, or out."""
    asked = route.get("typed_per_filter_config", {}).get(names.EXT_PROC_FILTER, {})
    return name.startswith(names.LOGIN_ROUTE_PREFIX) and "overrides" in asked


def is_shown(name: str, shown: tuple[Message, ...]) -> bool:
    """Whether extproc sees that."""
    return any(each.name == name for each in shown)


def attempt_of(asking: Json) -> str:
    """The try that a call is about; empty: none."""
    metadata = asking.get("grpc_service", {}).get("initial_metadata", ())
    found = (each["value"] for each in metadata if each["key"] == names.ATTEMPT_METADATA)
    return str(next(found, ""))
