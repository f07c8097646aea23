"""Policies of a plain route of theirs → its backends, timeout, retries and rewrite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.routes import UrlPath
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.asked_limits import read_asked_limit
from gateway.importers.agentgateway.backends import (
    Plain,
    read_backend_tls,
    read_model_policy,
    refuse_credential,
)
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.durations import duration
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node

_MOST_RETRIES = 10
_WHOLE_ANSWER = (
    "it begins when the request has been read, and is for the whole answer: leave it out where"
    " answers stream; theirs is until the answer begins"
)
_RETRIED = frozenset({502, 503, 504})
NOWHERE = "http://127.0.0.1:9"
"""Stands for a backend of a closed route; no request gets there."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a plain route serves."""

    timeout: str | None = None
    retries: int | str | None = None
    prefix: str | None = None
    """What takes the place of the matched prefix."""
    reasons: tuple[str, ...] = ()
    """What cannot be kept."""
    limits: tuple[Mapping[str, object], ...] = ()
    """Of services that are asked; without names."""

    def within(self, outer: Settings) -> Settings:
        """These, and those of the route that leads here where these say nothing."""
        return Settings(
            self.timeout if self.timeout is not None else outer.timeout,
            self.retries if self.retries is not None else outer.retries,
            self.prefix if self.prefix is not None else outer.prefix,
            (*outer.reasons, *self.reasons),
            (*outer.limits, *self.limits),
        )


def block(backends: list[Plain], settings: Settings) -> dict[str, object]:
    """The route's backends and settings, as ours writes them."""
    usable = [each for each in backends if each.url]
    found: dict[str, object] = {}
    if len(usable) == 1:
        found["backend"] = usable[0].url
    elif usable:
        found["backends"] = [{"url": each.url, "weight": each.weight} for each in usable]
    else:
        found["backend"] = NOWHERE
    if settings.prefix is not None:
        found["replace_prefix"] = settings.prefix
    if settings.timeout is not None:
        found["timeout"] = settings.timeout
    if settings.retries is not None:
        found["retries"] = settings.retries
    return found


def read_settings(policies: Node, draft: Draft) -> tuple[Settings, bool]:
    """What a route's policies say but for its terms, and whether backends speak TLS."""
    reasons: list[str] = [*read_model_policy(policies.take("ai"))]
    tls = policies.take("backendTLS")
    reasons += read_backend_tls(tls)
    refuse_credential(policies.take("backendAuth"))
    policies.take("localRateLimit").unsupported(policy_keys.UNLIMITED, is_security=True)
    retries = _retries(policies.take("retry"))
    timeout = _timeout(policies.take("timeout"), has_retries=retries is not None)
    prefix, is_kept = _rewrite(policies.take("urlRewrite"))
    if not is_kept:
        reasons.append("urlRewrite")
    limits = read_asked_limit(policies.take("remoteRateLimit"), draft)
    return Settings(timeout, retries, prefix, tuple(reasons), limits), not tls.is_empty


def _timeout(node: Node, *, has_retries: bool) -> str | None:
    settle(node, policy_keys.TIMEOUT, unknown_is_lock=False)
    whole, backend = node.take("requestTimeout"), node.take("backendRequestTimeout")
    text, other = whole.text(), backend.text()
    found = duration(text) if text is not None else None
    if found is not None:
        whole.different("routes.timeout", _WHOLE_ANSWER)
        backend.unsupported("a route has one timeout, for the whole answer")
        return found
    whole.unsupported("a timeout is whole milliseconds, at most 24h")
    if other is not None and not has_retries and (found := duration(other)) is not None:
        backend.different("routes.timeout", _WHOLE_ANSWER)
        return found
    backend.unsupported("a route has one timeout, for the whole answer and all tries")
    return None


def _retries(node: Node) -> int | str | None:
    """Ours tries again what had no answer, or 502, 503 or 504; only where theirs does so too."""
    if node.is_empty:
        return None
    settle(node, policy_keys.RETRY, unknown_is_lock=False)
    attempts, codes = node.take("attempts"), node.take("codes")
    numbers = {item.integer() for item in codes.items()}
    number = attempts.integer()
    number = 1 if number is None else number
    condition, precondition = node.take("condition"), node.take("precondition")
    condition.unsupported("answers are tried again by their status alone")
    precondition.unsupported("nothing is tried again, since ours would not ask first")
    if not _RETRIED & numbers or not precondition.is_empty or number in (0, None):
        note = "nothing is tried again; ours would do so at 502, 503, 504 or no answer"
        for place in (attempts, codes):
            place.unsupported(note)
        return None
    codes.different("routes.retries", "at 502, 503, 504 and no answer, not at other codes")
    if isinstance(number, int) and not 0 < number <= _MOST_RETRIES:
        attempts.different("routes.retries", f"{_MOST_RETRIES} at most")
        return _MOST_RETRIES
    attempts.different("routes.retries", "so many more tries after the first, as theirs does")
    return number


def _rewrite(node: Node) -> tuple[str | None, bool]:
    """What replaces the prefix, and whether the path can be kept as theirs makes it."""
    if node.is_empty:
        return None, True
    locks = settle(node, policy_keys.URL_REWRITE)
    authority, path = node.take("authority"), node.take("path")
    if authority.value == "auto":
        authority.exact("routes.backend", "backends are asked by their own name")
    else:
        authority.unsupported("backends are asked by their own name")
    if path.is_empty:
        return None, not locks
    locks = (*locks, *settle(path, policy_keys.PATH_REDIRECT))
    prefix = path.take("prefix")
    text = prefix.text()
    if text is not None and fits(UrlPath, text or "/"):
        prefix.exact("routes.replace_prefix")
        return text or "/", not locks
    prefix.unsupported("no path that ours could write", is_security=True)
    if not isinstance(path.value, dict):
        path.problem("must be a block of keys and values")
    return None, False
