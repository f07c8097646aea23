"""Which models a key opens, where it does not open all."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.facts import Facts
from extproc.policies.scope import Pattern
from extproc.principal import Principal
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict

_MOST_KNOWN = 10_000
"""Clients choose the names of models, so they have no natural end."""
_UNSEEN = Deny(
    403,
    "model_not_allowed",
    "the API key is for some models, and which one this is for cannot be seen",
    by=By(PolicyKind.KEY),
)


class KeyModels:
    """Refuses what a key is not for. Plain routes have no model, and are open to every key."""

    def __init__(self) -> None:
        self._known: dict[tuple[Principal, str], bool] = {}

    def on_request(self, facts: Facts) -> Verdict:
        principal = facts.principal
        if principal is None or not principal.models or facts.route:
            return PASS
        if not facts.model:
            return _UNSEEN
        if self.is_open(principal, facts.model):
            return PASS
        reason = f"the API key '{principal.key}' is not for the model {facts.model[:256]!r}"
        return Deny(403, "model_not_allowed", reason, param="model", by=_UNSEEN.by)

    def is_open(self, principal: Principal, model: str) -> bool:
        """Whether this caller may ask for the model."""
        name = (principal, model)
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            patterns = map(Pattern.of, principal.models)
            found = self._known[name] = any(each.matches(model) for each in patterns)
        return found

    def opened(self, principal: Principal | None, models: Sequence[str]) -> Sequence[str]:
        """Those of these that the caller may ask for."""
        if principal is None or not principal.models:
            return models
        return tuple(each for each in models if self.is_open(principal, each))
