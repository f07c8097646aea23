"""How many messages a request costs Python, read from the compiled ext_proc filters themselves.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_proc/v3/processing_mode.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]


class Caller(StrEnum):
    """What opens a call to Python."""

    LLM = "an LLM route"
    PLAIN = "a plain route"
    TRY = "a try at a provider"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that Envoy shows, and waits for the answer."""

    name: str
    """`request headers`, `request body`, …"""
    is_each_part: bool
    """One message for each piece that arrives, not one for all."""
    when: str
    why: str


ALWAYS = "always"
BUDGETED = "when a budget applies"

_SENT = ("SEND", "BUFFERED", "BUFFERED_PARTIAL", "STREAMED", "FULL_DUPLEX_STREAMED", "GRPC")
_IN_PARTS = ("STREAMED", "FULL_DUPLEX_STREAMED", "GRPC")

_FIELDS: tuple[tuple[str, str, str], ...] = (  # in the order in which they come
    ("request_header_mode", "SEND", "request headers"),
    ("request_body_mode", "NONE", "request body"),
    ("request_trailer_mode", "SKIP", "request trailers"),
    ("response_header_mode", "SEND", "response headers"),
    ("response_body_mode", "NONE", "response body"),
    ("response_trailer_mode", "SKIP", "response trailers"),
)
"""Field of the processing mode, what its default means, and what it shows."""

_REASONS: Mapping[tuple[Caller, str], tuple[str, str]] = {
    (Caller.LLM, "request headers"): (ALWAYS, "who asks, and for what"),
    (Caller.LLM, "request body"): (
        "with a request of an API whose body is read",
        "the model, what the checks read, and the plan of tries",
    ),
    (Caller.LLM, "response headers"): (
        f"{BUDGETED}, the provider may speak another dialect, or one of several targets may fail",
        "who answered and who failed, whether it is to be paid, and whether the rest must be seen:"
        " to say it in the client's dialect, or to read a usage that Envoy cannot read",
    ),
    (Caller.LLM, "response body"): (
        f"{BUDGETED}, with 2xx",
        "the usage, which this Envoy cannot read itself",
    ),
    (Caller.LLM, "response trailers"): (
        f"{BUDGETED}, with 2xx",
        "the usage, which Envoy has read as the answer passed",
    ),
    (Caller.PLAIN, "request headers"): (ALWAYS, "who asks, and whether the rules allow it"),
    (Caller.TRY, "request headers"): (ALWAYS, "which provider is tried"),
    (Caller.TRY, "request body"): (
        ALWAYS,
        "to say it as this provider wants it: its model, its dialect",
    ),
}
_NO_REASON = (ALWAYS, "because the operator's own resource says so")


def mode_of(filter_config: Json | None, per_route: Json | None) -> Json | None:
    """The processing mode that holds on a route; None: Python is not asked there.

    An override takes the place of the whole mode, not of single fields.
    """
    if filter_config is None or (per_route or {}).get("disabled"):
        return None
    overridden = (per_route or {}).get("overrides", {}).get("processing_mode")
    mode: Json = filter_config.get("processing_mode", {}) if overridden is None else overridden
    return mode


def messages(mode: Json | None, caller: Caller) -> tuple[Message, ...]:
    """What is shown under a mode, in order."""
    if mode is None:
        return ()
    return tuple(
        Message(name, mode.get(field) in _IN_PARTS, *_REASONS.get((caller, name), _NO_REASON))
        for field, default, name in _FIELDS
        if mode.get(field, default) in _SENT
    )


def least(shown: tuple[Message, ...]) -> int:
    """For one request that passes all checks, when no budget applies to it."""
    return sum(not each.when.startswith(BUDGETED) for each in shown)


def most(shown: tuple[Message, ...]) -> int | None:
    """The same when one does; None: it depends on the number of pieces."""
    return None if any(each.is_each_part for each in shown) else len(shown)
